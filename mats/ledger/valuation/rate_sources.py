"""The two sources of exchange rates: the mid of a pair's quotes, and `ExchangeRate` among the account values."""

import math
from collections.abc import Iterable

from mats.ledger.valuation.fx import FxRates, pair_of
from mats.model import AccountId, AccountValue, InstrumentId, Nanos, exact


def with_pair_rate(rates: FxRates, instrument: InstrumentId, mid: float, now: Nanos) -> FxRates | None:
    """The rates with the mid of a currency pair; None for other instruments and for a mid that is no price."""
    if (pair := pair_of(instrument)) is None or not math.isfinite(mid) or mid <= 0:
        return None
    return rates.with_rate(*pair, exact(mid), now, f"mid of {instrument}")


def with_account_rates(rates: FxRates, account: AccountId, values: Iterable[AccountValue], now: Nanos) -> FxRates:
    """The rates with all those among the values of an account, as of now: the broker repeats only changed ones.

    They are quoted in the account's own base currency, which need not be ours; without the rate of ours none is known.
    """
    quoted = {
        value.currency: rate for value in values if value.tag == "ExchangeRate" and (rate := value.number) and rate > 0
    }
    if (ours := quoted.pop(rates.base, None)) is not None:
        for currency, rate in quoted.items():
            rates = rates.with_rate(currency, rates.base, rate / ours, now, f"values of {account}")
    return rates
