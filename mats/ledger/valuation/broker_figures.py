"""The broker's account values, as they last arrived, and the exchange rates that are known with them."""

import math
from collections.abc import Iterable
from decimal import Decimal

from mats.ledger.valuation.fx import FxRates
from mats.ledger.valuation.rate_sources import with_account_rates, with_pair_rate
from mats.model import AccountId, AccountValue, Currency, Figure, InstrumentId, Nanos, Unknown


class AccountFigures:
    """Account values by account and tag, and the rates among them. Unknown until the broker has reported them."""

    def __init__(self, base: Currency) -> None:
        self.rates = FxRates(base)
        self._values: dict[AccountId, dict[tuple[str, Currency], AccountValue]] = {}

    def update(self, values: Iterable[AccountValue], now: Nanos) -> None:
        """Take newer values; while the broker reports `AccountReady` = false its figures are wrong and ignored.

        Source: IB's account-update reference: during its resets the server reports AccountReady false.
        """
        batch = sorted(values, key=lambda value: value.tag != "AccountReady")
        for value in batch:
            if value.tag == "AccountReady" or self.ready(value.account):
                self._values.setdefault(value.account, {})[value.tag, value.currency] = value
        for account in dict.fromkeys(value.account for value in batch if value.tag == "ExchangeRate"):
            if self.ready(account):
                self.rates = with_account_rates(self.rates, account, self.values(account), now)

    def update_pair_rate(self, instrument: InstrumentId, mid: float, now: Nanos) -> bool:
        """Take the mid of a currency pair as its rate; False for other instruments and for a mid that is no price."""
        if (rates := with_pair_rate(self.rates, instrument, mid, now)) is None:
            return False
        self.rates = rates
        return True

    def accounts(self) -> tuple[AccountId, ...]:
        return tuple(self._values)

    def values(self, account: AccountId) -> tuple[AccountValue, ...]:
        """All values that the broker has reported for the account."""
        return tuple(self._values.get(account, {}).values())

    def ready(self, account: AccountId) -> bool:
        """False while the broker reports that its figures must not be used."""
        ready = self._values.get(account, {}).get(("AccountReady", ""))
        return ready is None or ready.value != "false"

    def total_equity(self, account: AccountId) -> Decimal | None:
        """Net liquidation value in the base currency, None while it is not known."""
        equity = self.equity(account)
        return None if isinstance(equity, Unknown) else equity

    def equity(self, account: AccountId) -> Figure:
        """The net liquidation value, or why it is not known.

        An account that is kept in another currency reports it in that one. It is converted at the newest rate, however
        old that is: a day of it changes little, and no equity would stop all trading.
        """
        reported = self._values.get(account, {})
        own = (currency for tag, currency in reported if tag == "NetLiquidation" and currency not in ("", "BASE"))
        currency = self.rates.base if ("NetLiquidation", self.rates.base) in reported else next(own, self.rates.base)
        if (value := self.figure(account, "NetLiquidation", currency)) is None:
            return Unknown(f"the broker has not reported the equity of {account}")
        rate = self.rates.rate(currency, 0, math.inf)
        if isinstance(rate, Unknown):
            return Unknown(
                f"the broker reports the equity of {account} in {currency}, and {rate.reason}; set"
                f" portfolio.base_currency to {currency}, or subscribe to the quotes of the pair"
            )
        return value * rate

    def currencies(self, account: AccountId) -> set[Currency]:
        """Those that the account has balances in, and the one that it is kept in."""
        kept_in = {currency for tag, currency in self._values.get(account, {}) if tag == "NetLiquidation"}
        return {*self.cash(account), *kept_in} - {"", "BASE"}

    def figure(self, account: AccountId, tag: str, currency: Currency) -> Decimal | None:
        """One value of the account, None while it is not known."""
        value = self._values.get(account, {}).get((tag, currency))
        return value.number if value and self.ready(account) else None

    def cash(self, account: AccountId) -> dict[Currency, Decimal]:
        """Balances by currency, without the P&L of open futures since their last settlement.

        Source: IB's account values: `CashBalance` by currency; the one in `BASE` is their sum.
        """
        tags = self._values.get(account, {})
        balances = {currency: self.figure(account, tag, currency) for tag, currency in tags if tag == "CashBalance"}
        return {c: balance for c, balance in balances.items() if balance is not None and c != "BASE"}
