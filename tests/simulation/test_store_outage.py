"""The whole daemon in virtual time while its store does not answer: trading goes on, and nothing is lost."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from mats.store.rebuild.rebuild import differences, journal_differences, missing_entries, recompute

from actors.messages.fill_log import ReadProgress
from actors.messages.order_manager import ReadOrders
from actors.messages.portfolio_manager import ReadPortfolio
from actors.messages.risk_manager import PlaceOrder
from actors.messages.strategy_manager import ReadStrategies
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
)
from mats.orders import Rejected
from mats.risk import RejectionCode
from mats.runtime import ChildRestarted
from mats.store.rebuild.contents import Contents
from mats.store.tables import Reader
from mats.store.tables.connection import lmdb_uri
from tests.simulation.checks import every_execution_is_in_the_log_once
from tests.simulation.faulty_broker import ACCOUNT, INSTRUMENTS
from tests.simulation.world import Dials, World
from tests.store_trouble import KINDS, Trouble, store_trouble

BOUND = 30.0


@pytest.fixture
def trouble() -> Iterator[Trouble]:
    with store_trouble() as made:
        yield made


class Trading:
    """A world whose strategies trade for some minutes, and what tests ask of it."""

    def __init__(self, folder: Path) -> None:
        self.uri = lmdb_uri(folder / "arctic")
        self.world = World(5, folder, Dials(strategies=2, seconds=300), store_uri=self.uri)
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
        """A book of a strategy that holds something."""
        books = self.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0).books
        return next(book for book in books if book.quantity and book.strategy != DISCRETIONARY)

    def order(self, book: Book, side: Side, quantity: Decimal, limit: Decimal | None = None) -> OrderIntent | Rejected:
        """An operator's order in the book's instrument, far from the market where it has a limit."""
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


@pytest.fixture
def trading(folder: Path, trouble: Trouble) -> Iterator[Trading]:
    made = Trading(folder)
    yield made
    made.world.journal.close()


def way_out(book: Book) -> Side:
    return Side.SELL if book.quantity > 0 else Side.BUY


def way_in(book: Book) -> Side:
    return Side.BUY if book.quantity > 0 else Side.SELL


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_store_that_is_away_for_two_minutes_stops_new_risk_and_nothing_else(
    trading: Trading, trouble: Trouble, kind: str
) -> None:
    """G6, G7"""
    trading.boot()
    trading.advance(40.0)
    assert trading.health == ""
    trouble.begin(kind)
    trading.advance(15.0)
    assert "away since 2023-11-14 22:" in trading.health, "the operator sees it at once"
    book = trading.held()
    resting = trading.order(book, way_in(book), Decimal(1), Decimal(1) if book.quantity > 0 else Decimal(9_999))
    assert isinstance(resting, OrderIntent), "a moment without the store does not stop new risk"
    trading.advance(BOUND)
    book = trading.held()
    refused = trading.order(book, way_in(book), Decimal(1))
    assert isinstance(refused, Rejected)
    assert refused.rejection.code is RejectionCode.NOT_READY
    assert refused.rejection.text.startswith("the store is away since 2023-11-14 22:")
    assert refused.rejection.text.endswith("orders that reduce pass")
    trading.cancel(resting)
    exit_order = trading.order(book, way_out(book), Decimal(1))
    assert isinstance(exit_order, OrderIntent)
    trading.advance(5.0)
    assert trading.state(resting) is OrderState.CANCELLED
    assert trading.state(exit_order) is OrderState.FILLED
    trading.advance(70.0)
    assert trouble.calls > 0
    trouble.end()
    trading.advance(20.0)
    assert trading.health == ""
    book = trading.held()
    assert isinstance(trading.order(book, way_in(book), Decimal(1)), OrderIntent), "new risk again"
    trading.settle_and_prove()
    assert (trading.restarted, trading.world.failures) == ([], [])


def test_a_start_while_the_store_is_away_trades_on_from_the_journal_and_the_last_known_table(
    trading: Trading, trouble: Trouble
) -> None:
    """G1, G6"""
    trading.boot()
    trading.advance(40.0)
    trouble.begin("away")
    trading.lose_power()
    trading.advance(10.0)
    table = trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0)
    assert (table.loaded, sorted(table.running)) == (True, ["s1", "s2"])
    assert table.away.startswith("the store is away since")
    book = trading.held()
    refused = trading.order(book, way_in(book), Decimal(1))
    assert isinstance(refused, Rejected), "the equities that operators set are not known"
    exit_order = trading.order(book, way_out(book), Decimal(1))
    assert isinstance(exit_order, OrderIntent)
    trading.advance(5.0)
    assert trading.state(exit_order) in (OrderState.WORKING, OrderState.FILLED), "the broker has it"
    trading.advance(105.0)
    trouble.end()
    trading.advance(20.0)
    assert trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0).away == ""
    trading.settle_and_prove()
    assert (trading.restarted, trading.world.failures) == ([], [])


def test_a_first_start_while_the_store_is_away_says_what_strategies_wait_for_and_begins_when_it_is_back(
    trading: Trading, trouble: Trouble
) -> None:
    trouble.begin("away")
    trading.boot()
    trading.advance(60.0)
    table = trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0)
    assert (table.loaded, table.records) == (False, ())
    assert table.away.startswith("the store is away since")
    assert trading.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0).reconciled_seconds_ago is not None
    trouble.end()
    trading.advance(20.0)
    table = trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0)
    assert (table.loaded, sorted(table.running), table.away) == (True, ["s1", "s2"], "")
    trading.settle_and_prove()
    assert trading.world.broker.executions
    assert (trading.restarted, trading.world.failures) == ([], [])
