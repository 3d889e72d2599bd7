"""A daemon in virtual time whose strategies trade for some minutes, over the real store."""

from decimal import Decimal
from pathlib import Path

from actors.messages.fill_log import ReadProgress
from actors.messages.order_manager import ReadOrders
from actors.messages.portfolio_manager import ReadPortfolio
from actors.messages.risk_manager import PlaceOrder
from mats.ledger.books import Book
from mats.model import (
    DISCRETIONARY,
    CancelRequest,
    OrderIntent,
    OrderRequest,
    OrderState,
    OrderTicket,
    OrderType,
    Side,
    TimeInForce,
    floor_to,
)
from mats.orders import Rejected
from mats.runtime import ChildRestarted
from mats.store.rebuild.comparison import differences, journal_differences, missing_entries
from mats.store.rebuild.contents import Contents
from mats.store.rebuild.recompute_views import recompute
from mats.store.tables import Reader
from mats.store.tables.connection import lmdb_uri
from tests.simulation.checks import every_execution_is_in_the_log_once
from tests.simulation.faulty_broker import ACCOUNT, INSTRUMENTS
from tests.simulation.plan import Plan
from tests.simulation.world import World

CENT = Decimal("0.01")
"""On the tick of every instrument here."""


class Trading:
    """A world whose strategies trade for some minutes, and what tests ask of it."""

    def __init__(self, folder: Path) -> None:
        self.uri = lmdb_uri(folder / "arctic")
        self.world = World(5, folder, Plan(strategies=2, seconds=300), store_uri=self.uri)
        self.restarted: list[str] = []
        self._orders = 0

    def boot(self) -> None:
        self.world.boot()
        self.watch_restarts()

    def lose_power(self) -> None:
        """The next process starts at once over the same data."""
        self.world.lose_power()
        self.watch_restarts()

    def watch_restarts(self) -> None:
        self.world.runtime.on_event.append(
            lambda event: self.restarted.append(event.name) if isinstance(event, ChildRestarted) else None
        )

    def advance(self, seconds: float) -> None:
        self.world.runtime.advance(seconds)

    @property
    def health(self) -> str:
        return self.world.names.fill_log.ask(ReadProgress(), timeout=5.0).store

    def held(self) -> Book:
        """A book of a strategy that holds something, and whose own orders do not lead out of it already."""
        books = self.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0).books
        working = self.world.names.orders.ask(ReadOrders(), timeout=5.0)
        leaving = {(order.strategy, order.instrument, order.side) for order in working}
        held = [book for book in books if book.quantity and book.strategy != DISCRETIONARY]
        return next(book for book in held if (book.strategy, book.instrument, way_out(book)) not in leaving)

    def far(self, book: Book) -> Decimal:
        """A price at which nothing trades on the way in, and at which what is held is within the limits."""
        mark = self.world.broker.exchange.mark(book.instrument)
        return floor_to(mark / 2 if way_in(book) is Side.BUY else mark * 2, CENT)

    def order(self, book: Book, side: Side, quantity: Decimal, limit: Decimal | None = None) -> OrderIntent | Rejected:
        """An operator's order in the book's instrument: at the market, or at a limit."""
        self._orders += 1
        ticket = OrderTicket(order_type=OrderType.LIMIT, limit_price=limit, tif=TimeInForce.GTC) if limit else None
        request = OrderRequest(
            intent_id=f"operator{self._orders}", strategy=book.strategy, instrument=book.instrument, side=side,
            quantity=quantity, ticket=ticket or OrderTicket(), time=self.world.runtime.clock.now(),
        )  # fmt: skip
        answer = self.world.names.risk.ask(PlaceOrder(request), timeout=5.0)
        assert answer is not None
        return answer

    def cancel(self, intent: OrderIntent) -> None:
        self.world.names.orders.tell(
            CancelRequest(intent_id=intent.intent_id, strategy=intent.strategy, time=self.world.runtime.clock.now())
        )

    def state(self, intent: OrderIntent) -> OrderState:
        orders = self.world.names.orders.ask(ReadOrders(), timeout=5.0)
        live = {order.intent_id: order.state for order in orders}
        if intent.intent_id in live:
            return live[intent.intent_id]
        kept = self.world.journal.order(intent.intent_id)
        assert kept is not None
        return kept.view.state

    def settle_and_prove(self) -> None:
        """Everything is stored once, every view follows from it, and the books are the broker's positions."""
        self.world.advance_to(self.world.trading_until)
        self.advance(40.0)
        self.world.broker.frozen = True
        self.advance(40.0)
        assert self.health == ""
        assert not list(every_execution_is_in_the_log_once(self.world))
        newest = {execution.family: execution for execution in self.world.broker.executions}
        assert sorted(Reader(self.uri).fills(ACCOUNT)["family"]) == sorted(newest)
        contents = Contents(self.uri)
        assert not missing_entries(contents.entries)
        assert not list(journal_differences(contents.entries, self.world.journal.entries(0, 1_000_000)))
        assert not list(differences(contents.views, recompute(contents.entries, contents.views)))
        portfolio = self.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0)
        books = dict.fromkeys(INSTRUMENTS, Decimal())
        for book in portfolio.books:
            books[book.instrument] += book.quantity
        assert {name: held for name, held in books.items() if held} == {
            position.instrument: position.quantity for position in self.world.broker.positions() if position.quantity
        }
        assert not portfolio.breaks
        assert not self.world.letters, self.world.letters[:3]


def way_out(book: Book) -> Side:
    return Side.SELL if book.quantity > 0 else Side.BUY


def way_in(book: Book) -> Side:
    return Side.BUY if book.quantity > 0 else Side.SELL
