"""The whole daemon in virtual time: what somebody has closed by hand is not sold again by the strategy that held it."""

from decimal import Decimal
from pathlib import Path

from actors.messages.portfolio_manager import ReadPortfolio
from mats.ledger.books import Book
from mats.model import DISCRETIONARY, OrderIntent, OrderType
from mats.orders import Rejected
from mats.risk import RejectionCode
from mats.venue.matching import OrderKind, VenueOrder
from tests.simulation.brokerage import MASTER
from tests.simulation.faulty_broker import ACCOUNT
from tests.simulation.trading import Trading, way_out


class Liquidated(Trading):
    """The broker closes what it holds at the market, as after a margin call."""

    def books(self, instrument: str) -> list[Book]:
        books = self.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0).books
        return [book for book in books if book.instrument == instrument]

    def liquidate(self, book: Book) -> None:
        """All that was held on the side of the book is gone."""
        broker = self.world.broker
        same = [other.quantity for other in self.books(book.instrument) if other.quantity * book.quantity > 0]
        order = VenueOrder(
            perm_id=next(broker.perm_ids), client_id=MASTER, order_id=-1, account=ACCOUNT, instrument=book.instrument,
            side=way_out(book), quantity=abs(sum(same, Decimal(0))), order_type=OrderKind.MARKET,
            submitted=self.world.runtime.clock.now(),
        )  # fmt: skip
        broker.orders[MASTER, -1] = order
        broker.submit(order)
        while order.working:
            self.advance(0.25)

    def exit(self, book: Book) -> OrderIntent | Rejected:
        """An operator's order that would close the book as it is now."""
        (now,) = (other for other in self.books(book.instrument) if other.key == book.key)
        return self.order(now, way_out(book), abs(now.quantity))


def test_after_a_liquidation_the_exit_of_a_strategy_is_held_up_and_its_book_can_be_settled(folder: Path) -> None:
    trading = Liquidated(folder)
    trading.boot()
    trading.advance(60.0)
    book = trading.held()
    trading.liquidate(book)
    trading.advance(0.05)
    denied = trading.exit(book)
    assert isinstance(denied, Rejected)
    assert denied.rejection.code is RejectionCode.BROKER_HOLDS_LESS, denied
    assert denied.order.ticket.order_type is OrderType.MARKET
    assert any(other.strategy == DISCRETIONARY and other.quantity for other in trading.books(book.instrument))
    trading.settle_and_prove()
