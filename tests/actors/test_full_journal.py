"""A journal that cannot be written: no order leaves, nothing is acknowledged, cancels go out, and nobody fails."""

from decimal import Decimal
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from actors.fill_log import FillLog
from actors.ib_pool import IbPool
from actors.messages.broker import CancelOrder, NotSent, SubmitOrder
from actors.messages.fill_log import (
    Acknowledge,
    ApplyEntries,
    EpochOpened,
    OpenEpoch,
    ReplayMerged,
    ReportCursor,
    ReportHeld,
    ReportReplay,
    StageCursor,
)
from actors.messages.fill_log import ReportExecutions as Report
from actors.messages.ib_pool import LeaseConnection
from actors.messages.order_manager import ALL, OrderChanged, SubmitIntent, SubscribeAllOrders, SubscribeOrders
from actors.messages.risk_manager import Halt, ReadHalts, Resume
from actors.order_manager import OrderManager
from actors.risk_manager import RiskManager
from mats.instruments import parse_instrument
from mats.model.orders import CancelRequest, OrderIntent, OrderState, OrderTicket, Side
from mats.risk import Limits
from mats.runtime import StartChild, VirtualRuntime
from mats.store.journal.journal import Journal
from mats.store.journal.journal_file import JournalFullError
from tests.actors.conftest import START
from tests.actors.samples import contents

SPY = replace(parse_instrument("SPY"), con_id=1)
WIDE = "x" * 200_000


@pytest.fixture(autouse=True)
def wide_references(monkeypatch):
    """An entry that needs more space than there is has a reference that would be refused otherwise."""
    monkeypatch.setattr("mats.model.validation.TEXT_LENGTH", len(WIDE))


"""A text for which the pages that the journal has are too few."""


@pytest.fixture
def runtime():
    """A world in which nobody fails and no message is lost."""
    made = VirtualRuntime(start=START)
    yield made
    assert [line.last_failure for line in made.status() if line.last_failure] == []
    made.stop(5.0)
    made.dead_letters.assert_none("unprocessed")


class Disk:
    """The disk of every journal that is opened: full, it grants no page more than the file has."""

    def __init__(self):
        self.full, self.journals = False, []

    def change(self, full):
        self.full = full
        for journal in self.journals:
            self.limit(journal)

    def limit(self, journal):
        journal._db.execute(f"PRAGMA max_page_count = {1 if self.full else 1_000_000}")


@pytest.fixture
def disk(monkeypatch):
    made, opened, closed = Disk(), Journal.__init__, Journal.close

    def opening(journal, path):
        opened(journal, path)
        made.journals.append(journal)
        made.limit(journal)

    def closing(journal):
        if journal in made.journals:
            made.journals.remove(journal)
        closed(journal)

    monkeypatch.setattr(Journal, "__init__", opening)
    monkeypatch.setattr(Journal, "close", closing)
    return made


def intent(name, reason=""):
    return OrderIntent(
        intent_id=name, strategy="trend", account="DU1", instrument=SPY, side=Side.BUY, quantity=Decimal(1),
        ticket=OrderTicket(), time=0, reason=reason,
    )  # fmt: skip


def is_change(message, of="i1"):
    return isinstance(message, OrderChanged) and message.order.intent_id == of


def test_no_order_leaves_that_the_journal_could_not_take_and_with_space_the_next_one_does(
    runtime, journal_path, a_ready, disk
):
    """G4"""
    names = ("fill-log", "risk", "store", "pool", "line", "strategy")
    log, risk, store, pool, line, strategy = map(runtime.probe, names)
    args = OrderManager.Args(journal_path=journal_path, fill_log=log.ref, store=store.ref, pool=pool.ref)
    runtime.launch("orders", OrderManager, args, supervised=True)
    orders = runtime.ref("orders")
    orders.tell(SubscribeOrders("trend", strategy.ref))
    orders.tell(SubscribeAllOrders(ALL, risk.ref))
    orders.tell(replace(a_ready(line.ref, "1"), client_id=1))
    orders.tell(SubmitIntent(intent("i0")))
    working = line.expect(SubmitOrder)
    disk.change(full=True)
    orders.tell(SubmitIntent(intent("i1", WIDE)))
    for told in (risk, strategy, store):
        change = contents(told.fish(lambda m: is_change(contents(m)))).order
        assert change.state is OrderState.REJECTED
        assert change.note.startswith("not sent: the disk of the journal ")
        assert change.note.endswith("free some space")
    line.expect_nothing()
    orders.tell(CancelRequest(intent_id="i0", strategy="trend", time=0))
    assert line.expect(CancelOrder).order_id == working.order_id
    disk.change(full=False)
    orders.tell(SubmitIntent(intent("i2", WIDE)))
    assert line.expect(SubmitOrder).intent.intent_id == "i2"
    journal = Journal(journal_path)
    assert [order.intent.intent_id for order in journal.open_orders()] == ["i0", "i2"]
    journal.close()


def test_what_an_order_came_to_meanwhile_is_written_down_with_space(runtime, journal_path, a_ready, disk):
    log, store, pool, line = map(runtime.probe, ("fill-log", "store", "pool", "line"))
    args = OrderManager.Args(journal_path=journal_path, fill_log=log.ref, store=store.ref, pool=pool.ref)
    runtime.launch("orders", OrderManager, args, supervised=True)
    orders = runtime.ref("orders")
    orders.tell(replace(a_ready(line.ref, "1"), client_id=1))
    orders.tell(SubmitIntent(intent("i0")))
    line.expect(SubmitOrder)
    runtime.advance(2.0)
    disk.change(full=True)
    orders.tell(NotSent("i0", WIDE))
    runtime.advance(5.0)
    journal = Journal(journal_path)
    assert journal.order("i0").view.state is not OrderState.REJECTED
    disk.change(full=False)
    runtime.advance(2.0)
    assert journal.order("i0").view.state is OrderState.REJECTED
    journal.close()


class Line:
    """A fill log with one stage and one connection, probes all of them."""

    def __init__(self, runtime, journal_path):
        self.runtime = runtime
        self.first, self.risk, self.line = map(runtime.probe, ("first", "risk", "line"))
        self.args = FillLog.Args(
            journal_path=journal_path,
            base_currency="USD",
            rate_stale_after=60.0,
            stages={"first": self.first.ref},
            risk=self.risk.ref,
        )
        self.start()
        self.epoch = self.open()

    def start(self):
        self.runtime.launch("log", FillLog, self.args, supervised=True)
        self.log = self.runtime.ref("log")
        self.log.tell(StageCursor("first", 0))
        self.first.expect(ReportCursor)

    def open(self):
        self.log.tell(OpenEpoch("line", self.line.ref))
        return self.line.fish(lambda m: isinstance(m, EpochOpened)).epoch

    def report(self, *executions):
        self.log.tell(Report(connection="line", epoch=self.epoch, executions=executions, commissions=()))
        self.runtime.run_until_idle()

    def replay(self, *executions):
        report = Report(connection="line", epoch=self.epoch, executions=executions, commissions=())
        self.log.tell(ReportReplay(report=report, reply_to=self.line.ref))
        self.runtime.run_until_idle()

    def behind(self):
        """What speaks against new risk now."""
        self.runtime.advance(1.0)
        return self.risk.receive(self.risk.ref.mailbox.pending)[-1].stages


@pytest.fixture
def line(runtime, journal_path, disk):
    return Line(runtime, journal_path)


def test_no_execution_is_passed_on_or_merged_that_the_journal_could_not_take_and_all_are_booked_in_order_later(
    line, an_execution, disk
):
    """G1, G6"""
    assert line.behind() == ()
    disk.change(full=True)
    line.replay(an_execution("a.01", order_ref=WIDE))
    line.report(an_execution("b.01"))
    (why,) = line.behind()
    assert why.startswith("the fill log (the disk of the journal ")
    line.first.expect_nothing()
    line.runtime.advance(60.0)
    answers = set(line.line.receive(line.line.ref.mailbox.pending))
    assert answers == {ReportHeld()}, "its connection knows that it is not lost"
    disk.change(full=False)
    assert line.line.fish(lambda m: isinstance(m, ReplayMerged)).through == 1
    first = line.first.fish(lambda m: isinstance(m, ApplyEntries)).entries
    second = line.first.fish(lambda m: isinstance(m, ApplyEntries)).entries
    assert [entry.execution.exec_id for entry in (*first, *second)] == ["a.01", "b.01"]
    line.log.tell(Acknowledge("first", 2))
    assert line.behind() == ()


def test_a_connection_that_asks_again_and_again_for_its_epoch_gets_one(line, an_execution, disk):
    disk.change(full=True)
    line.report(an_execution("a.01", order_ref=WIDE))
    for _ in range(50):
        line.log.tell(OpenEpoch("line", line.line.ref))
        line.runtime.advance(1.0)
    disk.change(full=False)
    line.runtime.advance(2.0)
    opened = [m for m in line.line.receive(line.line.ref.mailbox.pending) if isinstance(m, EpochOpened)]
    assert [m.epoch for m in opened] == [line.epoch + 1]


def test_a_transaction_that_the_disk_cut_short_leaves_nothing_and_the_journal_goes_on(journal_path, disk):
    journal = Journal(journal_path)
    disk.change(full=True)
    with pytest.raises(JournalFullError, match="nothing is sent or acknowledged that it cannot record"):
        journal.save_snapshot("orders", 1, WIDE.encode())
    assert journal.load_snapshot("orders") is None
    disk.change(full=False)
    journal.save_snapshot("orders", 1, WIDE.encode())
    assert journal.load_snapshot("orders") == (1, WIDE.encode())
    journal.close()


def test_a_halt_is_in_force_at_once_and_recorded_with_space(runtime, journal_path, disk):
    log, orders, broker = map(runtime.probe, ("fill-log", "orders", "ib-0"))
    args = RiskManager.Args(
        journal_path=journal_path, limits=Limits(), base_currency="USD", live_accounts=(), fill_log=log.ref,
        orders=orders.ref, broker=broker.ref, publishers=(),
    )  # fmt: skip
    runtime.launch("risk", RiskManager, args, supervised=True)
    risk, journal = runtime.ref("risk"), Journal(journal_path)
    risk.tell(Halt("", WIDE))
    disk.change(full=True)
    risk.tell(Halt("trend", WIDE))
    assert set(risk.ask(ReadHalts(), timeout=1.0)) == {"", "trend"}
    runtime.advance(60.0)
    disk.change(full=False)
    runtime.advance(6.0)
    assert set(journal.halts()) == {"", "trend"}
    risk.tell(Resume(""))
    runtime.run_until_idle()
    assert set(journal.halts()) == {"trend"}
    journal.close()


def test_a_strategy_without_a_client_id_gets_its_connection_with_space(runtime, journal_path, disk, monkeypatch):
    supervisor, full = runtime.probe("brokers"), True
    really = Journal.client_id

    def client_id(journal, strategy):
        if full:
            raise JournalFullError(journal.path)
        return really(journal, strategy)

    monkeypatch.setattr(Journal, "client_id", client_id)
    args = IbPool.Args(journal_path=journal_path, supervisor=supervisor.ref, connection=lambda number: Named(number))
    runtime.launch("pool", IbPool, args, supervised=True)
    runtime.ref("pool").tell(LeaseConnection("trend"))
    runtime.advance(30.0)
    supervisor.expect_nothing()
    full = False
    runtime.advance(6.0)
    assert supervisor.expect(StartChild).spec == Named(1)


class Named(NamedTuple):
    """Stands for the spec of a connection."""

    client_id: int
