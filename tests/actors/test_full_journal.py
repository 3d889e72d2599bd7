"""A journal on a full disk: no order leaves, nothing is acknowledged, one sentence says why, and space heals it."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.fill_log import FillLog
from actors.messages.broker import SubmitOrder
from actors.messages.fill_log import (
    ApplyEntries,
    EpochOpened,
    OpenEpoch,
    ReplayMerged,
    ReportCursor,
    ReportReplay,
    StageCursor,
)
from actors.messages.fill_log import ReportExecutions as Report
from actors.messages.order_manager import SubmitIntent
from actors.order_manager import OrderManager
from mats.model.instrument import parse_instrument
from mats.model.orders import OrderIntent, OrderTicket, Side
from mats.runtime import VirtualRuntime
from mats.store.journal.journal import Journal
from mats.store.journal.journal_file import JournalFullError

SPY = replace(parse_instrument("SPY"), con_id=1)
WIDE = "x" * 200_000
"""A text for which the pages that the journal has are too few."""


@pytest.fixture
def runtime():
    """Messages in hand when the disk is full are lost with their actor, as with any failure."""
    made = VirtualRuntime()
    yield made
    made.stop(5.0)


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


def failure(runtime, name):
    return next(line.last_failure for line in runtime.status() if line.name == name)


def intent(name, reason=""):
    return OrderIntent(
        intent_id=name, strategy="trend", account="DU1", instrument=SPY, side=Side.BUY, quantity=Decimal(1),
        ticket=OrderTicket(), time=0, reason=reason,
    )  # fmt: skip


def test_no_order_leaves_that_the_journal_could_not_take_and_with_space_the_next_one_does(
    runtime, journal_path, a_ready, disk
):
    """G4"""
    log, risk, store, pool, line = map(runtime.probe, ("fill-log", "risk", "store", "pool", "line"))

    def start(session):
        args = OrderManager.Args(
            journal_path=journal_path, fill_log=log.ref, risk=risk.ref, store=store.ref, pool=pool.ref
        )
        runtime.launch("orders", OrderManager, args, supervised=True)
        runtime.ref("orders").tell(replace(a_ready(line.ref, session), client_id=1))
        runtime.run_until_idle()

    start("1")
    disk.change(full=True)
    runtime.ref("orders").tell(SubmitIntent(intent("i1", WIDE)))
    runtime.run_until_idle()
    line.expect_nothing()
    said = failure(runtime, "orders")
    assert said.startswith("JournalFullError: the disk of the journal ")
    assert said.endswith("free some space and start the daemon again")
    disk.change(full=False)
    start("2")
    runtime.ref("orders").tell(SubmitIntent(intent("i2", WIDE)))
    assert line.expect(SubmitOrder).intent.intent_id == "i2"
    journal = Journal(journal_path)
    assert [order.intent.intent_id for order in journal.open_orders()] == ["i2"]
    journal.close()


def test_no_execution_is_passed_on_or_merged_that_the_journal_could_not_take_and_its_replay_is_booked_later(
    runtime, journal_path, an_execution, disk
):
    """G1"""
    first, risk, line = map(runtime.probe, ("first", "risk", "line"))

    def start():
        args = FillLog.Args(
            journal_path=journal_path,
            base_currency="USD",
            rate_stale_after=60.0,
            stages={"first": first.ref},
            risk=risk.ref,
        )
        runtime.launch("log", FillLog, args, supervised=True)
        runtime.ref("log").tell(StageCursor("first", 0))
        runtime.ref("log").tell(OpenEpoch("line", line.ref))
        return line.expect(EpochOpened).epoch

    def replay(epoch):
        report = Report(connection="line", epoch=epoch, executions=(an_execution(order_ref=WIDE),), commissions=())
        runtime.ref("log").tell(ReportReplay(report=report, reply_to=line.ref))
        runtime.run_until_idle()

    epoch = start()
    first.expect(ReportCursor)
    disk.change(full=True)
    replay(epoch)
    first.expect_nothing()
    line.expect_nothing()
    assert failure(runtime, "log").startswith("JournalFullError: ")
    disk.change(full=False)
    replay(start())
    assert [entry.execution.order_ref for entry in first.fish(lambda m: isinstance(m, ApplyEntries)).entries] == [WIDE]
    assert line.expect(ReplayMerged).through == 1


def test_a_transaction_that_the_disk_cut_short_leaves_nothing_and_the_journal_goes_on(journal_path, disk):
    journal = Journal(journal_path)
    disk.change(full=True)
    with pytest.raises(JournalFullError, match="whatever it could not record was not sent or acknowledged"):
        journal.save_snapshot("orders", 1, WIDE.encode())
    assert journal.load_snapshot("orders") is None
    disk.change(full=False)
    journal.save_snapshot("orders", 1, WIDE.encode())
    assert journal.load_snapshot("orders") == (1, WIDE.encode())
    journal.close()
