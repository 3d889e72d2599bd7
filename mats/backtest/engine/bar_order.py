"""An order of a run: one object for who sent it and for the market that it works at."""

from dataclasses import dataclass, field
from decimal import Decimal

from mats.backtest.engine.portfolio import Holding
from mats.backtest.engine.strategy_driver import StrategyDriver
from mats.model import ZERO, Instrument, IntentId, Nanos, OrderIntent, OrderType
from mats.orders import OrderRecord

NEVER: Nanos = -1
MARKET = OrderType.MARKET
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)


@dataclass(slots=True, eq=False)
class BarOrder(OrderRecord):
    """An order as its owner knows it, with what the market keeps of it.

    `driver` is of the strategy that sent it, `holding` what its fills change. It meets bars that start at `since` or
    later, in the order of `place`; `met` is the start of the first one. `fee` is what its fills cost.
    """

    origin: OrderIntent
    driver: StrategyDriver
    holding: Holding
    since: Nanos
    place: int
    fee: Decimal = field(default=ZERO, kw_only=True)
    elected: bool = field(default=False, kw_only=True)
    met: Nanos = field(default=NEVER, kw_only=True)
    over: bool = field(default=False, kw_only=True)

    @property
    def intent_id(self) -> IntentId:
        return self.origin.intent_id

    @property
    def instrument(self) -> Instrument:
        return self.origin.instrument

    @property
    def trades_outside(self) -> bool:
        """Whether it may trade outside of regular hours; what has no limit may not."""
        return self.ticket.outside_rth and self.ticket.limit_price is not None

    @property
    def trigger(self) -> tuple[int, Decimal] | None:
        """Which way the quote must come (+1 from below, -1 from above), and how far; None where any price will do."""
        ticket, sign = self.ticket, self.origin.side.sign
        if ticket.order_type in STOPS and not self.elected:
            assert ticket.stop_price is not None
            return sign, ticket.stop_price
        if ticket.limit_price is not None and ticket.order_type is not MARKET:
            return -sign, ticket.limit_price
        return None
