"""The daemon and the paper gateway while the store does not answer: no restart, ways out stay open, nothing is lost."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages.fill_log import ReadProgress
from actors.messages.risk_manager import PlaceOrder
from mats.ledger.books import Book
from mats.model import CancelRequest, OrderIntent, OrderRequest, OrderState, OrderTicket, OrderType, Side, TimeInForce
from mats.orders import Rejected
from mats.runtime.events import Event, HandlerSlow
from mats.store.isolation import isolated_store
from mats.store.journal.journal import Journal
from mats.store.outages import Patience
from mats.store.tables.connection import lmdb_uri
from tests.patience import PATIENCE
from tests.small_disk import ROOT_ONLY, small_disk
from tests.store_trouble import Trouble, store_trouble
from tests.system.harness import lively_strategies, until
from tests.system.inside import GatewayThread, System, lively_gateway, running_system, write_strategies

STRATEGIES = ("lively-0", "lively-1")
SOON = Patience(seconds=1.0, entries=1_000)
HOLDER = """
from mats.strategy import Bar, Strategy


class Holder(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "IBM"
        bar_seconds: int = 5

    def on_start(self) -> None:
        self.holds = False

    def on_bar(self, bar: Bar) -> None:
        if not self.holds:
            self.holds = True
            self.signal(bar.instrument, 0.5)
"""
HOLDS = """
[[strategy]]
name = "holder"
file = "holder.py"
class_name = "Holder"
target_weight = 0.2
"""
FAR = {Side.BUY: Decimal(1), Side.SELL: Decimal(9_999)}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    write_strategies(tmp_path, lively_strategies(2) + HOLDS, holder=HOLDER)
    with lively_gateway(tmp_path, bar_seconds=1.0) as running:
        yield running


@pytest.fixture
def trouble() -> Iterator[Trouble]:
    with store_trouble() as made:
        yield made


class Desk:
    """Orders of an operator, one after the other, in the book of a strategy that buys once and holds."""

    def __init__(self, system: System) -> None:
        self._system, self._count = system, 0

    def held(self) -> Book:
        """A book that holds something, and goes on to while nobody may open a position."""
        found: list[Book] = []

        def holds() -> bool:
            books = self._system.portfolio().books
            found[:] = [book for book in books if book.strategy == "holder" and book.quantity]
            return bool(found)

        until(holds, PATIENCE, "a position")
        return found[0]

    def order(self, book: Book, side: Side, limit: Decimal | None = None) -> OrderIntent | Rejected:
        self._count += 1
        ticket = OrderTicket(order_type=OrderType.LIMIT, limit_price=limit, tif=TimeInForce.GTC) if limit else None
        request = OrderRequest(
            intent_id=f"desk{self._count}", strategy=book.strategy, instrument=book.instrument, side=side,
            quantity=Decimal(1), ticket=ticket or OrderTicket(), time=self._system.runtime.clock.now(),
        )  # fmt: skip
        answer = self._system.names.risk.ask(PlaceOrder(request), timeout=PATIENCE)
        assert answer is not None
        return answer

    def resting(self) -> OrderIntent:
        """An order that stays at the gateway."""
        book = self.held()
        side = Side.BUY if book.quantity > 0 else Side.SELL
        placed = self.order(book, side, FAR[side])
        assert isinstance(placed, OrderIntent), placed
        return placed

    def risk_is_refused(self) -> str:
        """Why an order that opens a position is refused now; empty when it is taken."""
        book = self.held()
        answer = self.order(book, Side.BUY if book.quantity > 0 else Side.SELL)
        return answer.rejection.text if isinstance(answer, Rejected) else ""

    def cancel(self, intent: OrderIntent) -> None:
        request = CancelRequest(intent_id=intent.intent_id, strategy=intent.strategy, time=intent.time)
        self._system.names.orders.tell(request)
        until(lambda: self._state(intent.intent_id) is OrderState.CANCELLED, PATIENCE, "the cancel")

    def _state(self, intent_id: str) -> OrderState:
        journal = Journal(self._system.data / "journal.db")
        kept = journal.order(intent_id)
        journal.close()
        return OrderState.PENDING if kept is None else kept.view.state

    def get_out(self) -> None:
        """An order that reduces fills."""
        taken: list[OrderIntent] = []

        def sent() -> bool:
            book = self.held()
            answer = self.order(book, Side.SELL if book.quantity > 0 else Side.BUY)
            taken[:] = [answer] if isinstance(answer, OrderIntent) else []
            return bool(taken)

        until(sent, PATIENCE, "an order that reduces")
        until(lambda: self._state(taken[0].intent_id) is OrderState.FILLED, PATIENCE, "the way out")


def store_health(system: System) -> str:
    return system.names.fill_log.ask(ReadProgress(), timeout=PATIENCE).store


def trade_through(system: System, begin: Callable[[], object], end: Callable[[], object], says: str) -> None:
    """An outage from its begin to its end: what it stops, what it does not, and that everything is there afterwards."""
    desk = Desk(system)
    resting, before = desk.resting(), system.incarnations()
    begin()
    until(lambda: says in store_health(system), PATIENCE, f"the store: {says}")
    until(lambda: says in desk.risk_is_refused(), PATIENCE, "new risk that waits")
    assert desk.risk_is_refused().endswith("orders that reduce pass")
    desk.cancel(resting)
    desk.get_out()
    assert store_health(system)
    end()
    until(lambda: not store_health(system), PATIENCE, "the store in order")
    until(lambda: not desk.risk_is_refused(), PATIENCE, "new risk again")
    system.wait_for_fills(2, *STRATEGIES)
    system.wait_until_booked()
    assert system.incarnations() == before, "nobody was restarted"
    system.finish_and_prove()


def test_while_an_object_store_is_away_cancels_and_exits_go_on_and_everything_is_stored_afterwards(
    tmp_path: Path, gateway: GatewayThread, trouble: Trouble
) -> None:
    """G6, G7"""
    with running_system(tmp_path, gateway, store_patience=SOON) as system:
        system.wait_for_fills(3, *STRATEGIES)
        trade_through(system, lambda: trouble.begin("away"), trouble.end, "away since")


def test_a_call_that_hangs_holds_the_writer_and_nobody_else(
    tmp_path: Path, gateway: GatewayThread, trouble: Trouble
) -> None:
    """G6"""
    answer, slow = threading.Event(), list[Event]()
    with running_system(tmp_path, gateway, store_patience=SOON) as system:
        system.runtime.on_event.append(lambda event: slow.append(event) if isinstance(event, HandlerSlow) else None)
        system.wait_for_fills(3, *STRATEGIES)

        def end() -> None:
            trouble.end()
            answer.set()

        try:
            trade_through(system, lambda: trouble.hold(answer.wait), end, "not answering for")
        finally:
            end()
        assert [event for event in slow if event.name == "store/writer"]


def test_a_process_of_the_store_that_hangs_is_given_up_and_another_one_stores_what_waited(
    tmp_path: Path, gateway: GatewayThread
) -> None:
    """G6, G7"""
    with (
        isolated_store(lmdb_uri(tmp_path / "data" / "arctic"), seconds=15.0) as store,
        running_system(tmp_path, gateway, store_patience=SOON) as system,
    ):
        system.wait_for_fills(3, *STRATEGIES)
        first, before = store.pid, system.incarnations()
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        until(lambda: store.pid not in (None, first), PATIENCE, "another process")
        until(lambda: not store_health(system), PATIENCE, "the store in order")
        system.wait_for_fills(2, *STRATEGIES)
        system.wait_until_booked()
        assert system.incarnations() == before, "nobody was restarted"
        system.finish_and_prove()


@ROOT_ONLY
def test_a_store_whose_disk_is_full_is_away_until_there_is_room(tmp_path: Path, gateway: GatewayThread) -> None:
    """G7"""
    with small_disk(tmp_path / "data" / "arctic", 160) as disk:
        ballast = disk / "ballast"
        with running_system(tmp_path, gateway, store_patience=SOON) as system:
            system.wait_for_fills(3, *STRATEGIES)
            trade_through(
                system, lambda: ballast.write_bytes(bytes(120 * 2**20)), ballast.unlink, "bytes left; free at least"
            )
