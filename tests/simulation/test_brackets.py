"""The whole daemon in virtual time with a bracket: the broker has all of it, and a restart finds it again."""

from decimal import Decimal
from pathlib import Path

from actors.messages.risk_manager import PlaceOrder
from mats.model import (
    ChildRequest,
    OrderIntent,
    OrderRequest,
    OrderState,
    OrderTicket,
    OrderType,
    Side,
    TimeInForce,
    floor_to,
)
from mats.venue.matching import VenueOrder
from tests.simulation.trading import CENT, Trading, way_in

D = Decimal
FAMILY = ("bracket", "bracket.stop", "bracket.profit")


class Bracketing(Trading):
    """With a bracket of a strategy that holds something, whose prices are far away."""

    def bracket(self) -> OrderIntent:
        self.book = book = self.held()
        side = way_in(book)
        mark = self.world.broker.exchange.mark(book.instrument)
        low, high = floor_to(mark / 4, CENT), floor_to(mark * 4, CENT)
        stop, profit = (low, high) if side is Side.BUY else (high, low)
        tickets = {
            "bracket.stop": OrderTicket(order_type=OrderType.STOP, stop_price=stop, tif=TimeInForce.GTC),
            "bracket.profit": OrderTicket(order_type=OrderType.LIMIT, limit_price=profit, tif=TimeInForce.GTC),
        }
        request = OrderRequest(
            intent_id="bracket", strategy=book.strategy, instrument=book.instrument, side=side, quantity=D(3),
            time=self.world.runtime.clock.now(),
            children=tuple(ChildRequest(intent_id=name, ticket=ticket) for name, ticket in tickets.items()),
        )  # fmt: skip
        intent = self.world.names.risk.ask(PlaceOrder(request), timeout=5.0)
        assert isinstance(intent, OrderIntent), intent
        return intent

    def at_broker(self) -> list[VenueOrder]:
        orders = {order.order_ref.partition(":")[2]: order for order in self.world.broker.orders.values()}
        return [orders[name] for name in FAMILY]


def test_a_bracket_survives_a_power_cut_and_ends_as_one(folder: Path) -> None:
    trading = Bracketing(folder)
    trading.boot()
    trading.world.advance_to(trading.world.trading_until)
    trading.advance(5.0)
    intent = trading.bracket()
    trading.advance(5.0)
    entry, stop, profit = trading.at_broker()
    assert (entry.remaining, stop.parent_id, profit.parent_id) == (0, entry.order_id, entry.order_id)
    assert (stop.awaits, profit.awaits, stop.oca_group == profit.oca_group) == ("", "", True)
    trading.lose_power()
    trading.advance(30.0)
    assert stop.working
    assert profit.working, "the broker knows them while the daemon is away"
    assert [trading.state(child) for child in intent.children] == [OrderState.WORKING] * 2
    trading.cancel(intent.children[0])
    trading.advance(5.0)
    assert [trading.state(child) for child in intent.children] == [OrderState.CANCELLED] * 2
    trading.settle_and_prove()
