"""Books fills to accounts: cash, position, commission."""

from decimal import Decimal
from typing import NamedTuple

from mats.model import Nanos, SecType
from mats.venue.markets import Universe
from mats.venue.matching.account import BASE, Account, Mark, fx_rate
from mats.venue.matching.events import VenueTrade
from mats.venue.models import FeeModel


class Settlement(NamedTuple):
    """The fee of a fill, and its realized P&L before the fee (None: it closed nothing), in the base currency."""

    fee: Decimal
    realized: Decimal | None


class Clearing:
    """Books trades to accounts."""

    def __init__(self, universe: Universe, mark: Mark, fees: FeeModel) -> None:
        self._universe, self._mark, self._fees = universe, mark, fees

    def settle(self, account: Account, trade: VenueTrade, now: Nanos) -> Settlement:
        """Books the fill and charges its fee."""
        order, instrument = trade.order, self._universe.instrument(trade.order.instrument)
        signed = trade.quantity * order.side.sign
        closing = account.quantity(instrument.id) * signed < 0
        realized = account.book(instrument, signed, trade.price)
        to_base = fx_rate(instrument.currency, self._universe, self._mark)
        unit = instrument.unit_value * to_base
        pair = instrument.sec_type is SecType.CASH
        month = account.add_volume(
            instrument.sec_type, trade.quantity * trade.price * unit if pair else trade.quantity, now
        )
        value = trade.value * unit
        before = max(month - (value if pair else trade.filled), Decimal(0))
        fee = self._fees.order_fee(instrument, trade.filled, value, before) - order.fee
        order.fee += fee
        account.add_cash(BASE, -fee)
        return Settlement(fee, realized * to_base if closing else None)
