"""The fill log: journal first, then one stage after the other; each fact once, whatever is repeated, late or early."""

from decimal import Decimal

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from actors.fill_log import FillLog
from actors.messages.fill_log import (
    Acknowledge,
    ApplyEntries,
    BookAdjustments,
    BookTransfer,
    EpochOpened,
    GetLogPosition,
    LogPosition,
    OpenEpoch,
    ReadProgress,
    ReplayMerged,
    ReplayProgressed,
    ReportCursor,
    ReportExecutions,
    ReportHeld,
    ReportPart,
    ReportReplay,
    StageCursor,
    StagesBehind,
    StoreReported,
    TransferBooked,
    TransferStale,
)
from actors.messages.portfolio_manager import RatesChanged
from mats.ledger.books.books import refold
from mats.ledger.reconciliation.adjustments import Adjustment
from mats.ledger.reconciliation.transfers import empty_taker, transfer
from mats.ledger.valuation.fx import FxRates
from mats.model import SECOND
from mats.model.executions import CommissionRecorded, FillCorrected, FillRecorded
from mats.runtime import Actor, ActorFailed, Crash
from mats.runtime.testing import ChaosPlan, chaos
from mats.store.journal.journal import Journal
from mats.store.outages import Outage, Patience

CONNECTION = "brokers/ib-0"


def log_args(path, stages, risk):
    return FillLog.Args(journal_path=path, base_currency="USD", rate_stale_after=60.0, stages=stages, risk=risk)


class World:
    """A fill log with two stages, a gatekeeper and a connection, all of them probes."""

    def __init__(self, runtime, journal_path):
        self.runtime, self.path = runtime, journal_path
        self.first, self.second, self.gatekeeper = (runtime.probe(name) for name in ("first", "second", "risk"))
        self.connection = runtime.probe(CONNECTION)
        self.stages = {"first": self.first.ref, "second": self.second.ref}
        self.epoch = 0
        self.start()

    def start(self):
        self.runtime.launch("fill-log", FillLog, log_args(self.path, self.stages, self.gatekeeper.ref), supervised=True)
        self.log = self.runtime.ref("fill-log")
        self.runtime.run_until_idle()

    def open(self):
        self.log.tell(OpenEpoch(CONNECTION, self.connection.ref))
        self.epoch = self.connection.expect(EpochOpened).epoch

    def hello(self, stage, cursor=0):
        self.log.tell(StageCursor(stage, cursor))
        self.runtime.run_until_idle()

    def report(self, *executions, commissions=(), epoch=None):
        epoch = self.epoch if epoch is None else epoch
        self.log.tell(
            ReportExecutions(connection=CONNECTION, epoch=epoch, executions=executions, commissions=commissions)
        )
        self.runtime.run_until_idle()

    def journaled(self):
        journal = Journal(self.path)
        try:
            return journal.entries(0, 100)
        finally:
            journal.close()

    def behind(self):
        """The last word to the gatekeeper."""
        said = None
        self.runtime.run_until_idle()
        while (envelope := self.gatekeeper._take(0.0)) is not None:
            said = envelope.message
        assert isinstance(said, StagesBehind)
        return said.stages


@pytest.fixture
def world(runtime, journal_path):
    made = World(runtime, journal_path)
    for stage in (made.first, made.second):
        stage.expect_message(ReportCursor())
    made.open()
    return made


def seqs(probe):
    return [entry.seq for entry in probe.expect(ApplyEntries).entries]


# Journal, then stages


def test_an_execution_is_in_the_journal_before_any_stage_has_it(world, an_execution):
    world.report(an_execution())
    (entry,) = world.journaled()
    assert (entry.seq, entry.execution, entry.recorded) == (1, an_execution(), world.runtime.clock.now())
    world.first.expect_nothing()


def test_the_first_stage_gets_an_entry_with_those_that_it_is_to_be_handed_on_to(world, an_execution):
    world.hello("first")
    world.hello("second")
    world.report(an_execution("a.01"), an_execution("b.01"))
    assert world.first.expect(ApplyEntries) == ApplyEntries(tuple(world.journaled()), (world.second.ref,))
    world.log.tell(Acknowledge("first", 2))
    world.second.expect_nothing()


def test_a_stage_that_was_down_gets_an_entry_only_after_the_one_before_it_has_acknowledged(world, an_execution):
    world.hello("first")
    world.report(an_execution("a.01"), an_execution("b.01"))
    assert world.first.expect(ApplyEntries).onward == ()
    world.hello("second")
    world.second.expect_nothing()
    world.log.tell(Acknowledge("first", 1))
    assert seqs(world.second) == [1]
    world.log.tell(Acknowledge("first", 2))
    assert seqs(world.second) == [2]


def test_a_stage_that_comes_back_is_sent_what_it_lacks_from_the_disk_too(world, an_execution):
    world.report(an_execution("a.01"), an_execution("b.01"), an_execution("c.01"))
    world.log.signal(Crash())
    world.runtime.run_until_idle()
    world.start()
    world.hello("first", cursor=1)
    assert world.first.fish(lambda m: isinstance(m, ApplyEntries)).entries == tuple(world.journaled()[1:])


def test_a_stage_that_has_everything_is_sent_nothing(world, an_execution):
    world.report(an_execution())
    world.hello("first", cursor=1)
    world.first.expect_nothing()


# Each fact once


def test_a_repeated_report_changes_nothing(world, an_execution):
    world.hello("first")
    world.report(an_execution())
    world.report(an_execution())
    assert seqs(world.first) == [1]
    world.first.expect_nothing()
    assert len(world.journaled()) == 1


def test_a_correction_is_a_new_entry_that_names_the_old(world, an_execution):
    world.report(an_execution("a.01", 10))
    world.report(an_execution("a.02", 7))
    _, corrected = world.journaled()
    assert isinstance(corrected, FillCorrected)
    assert (corrected.previous.quantity, corrected.execution.quantity) == (10, 7)


@pytest.fixture
def short_memory(monkeypatch):
    """The fill log remembers one execution."""
    monkeypatch.setattr("actors.fill_log.RECENT_EXECUTIONS", 1)


def test_a_report_of_an_execution_that_is_remembered_no_more_changes_nothing(
    short_memory, runtime, journal_path, an_execution, a_commission
):
    world = World(runtime, journal_path)
    world.open()
    world.report(an_execution("a.01"), an_execution("b.01"), commissions=(a_commission("a.01"),))
    before = world.journaled()
    world.report(an_execution("a.01"), an_execution("c.01"), commissions=(a_commission("a.01"),))
    assert world.journaled()[:3] == before
    assert [entry.execution.exec_id for entry in world.journaled()[3:]] == ["c.01"]


def test_a_correction_of_an_execution_that_is_remembered_no_more_names_the_old(
    short_memory, runtime, journal_path, an_execution
):
    world = World(runtime, journal_path)
    world.open()
    world.report(an_execution("a.01", 10), an_execution("b.01"))
    world.report(an_execution("a.02", 7))
    *_, corrected = world.journaled()
    assert isinstance(corrected, FillCorrected)
    assert corrected.previous == an_execution("a.01", 10)


def test_an_early_commission_waits_for_its_execution_also_over_a_crash(world, an_execution, a_commission):
    world.report(commissions=(a_commission(),))
    assert world.journaled() == []
    world.log.signal(Crash())
    world.runtime.run_until_idle()
    world.start()
    world.open()
    world.report(an_execution())
    fill, cost = world.journaled()
    assert isinstance(fill, FillRecorded)
    assert isinstance(cost, CommissionRecorded)
    assert (cost.seq, cost.commission) == (2, a_commission())


def test_a_commission_that_comes_with_every_report_is_booked_once(world, an_execution, a_commission):
    world.report(an_execution(), commissions=(a_commission(),))
    world.report(an_execution(), commissions=(a_commission(),))
    assert [type(entry) for entry in world.journaled()] == [FillRecorded, CommissionRecorded]


def adjusting(quantity, reason, as_of):
    one = Adjustment(
        strategy="Discretionary", account="DU1", instrument="SPY", quantity=Decimal(quantity), price=Decimal(9),
        currency="USD", multiplier=Decimal(1), reason=reason,
    )  # fmt: skip
    return BookAdjustments((one, replace(one, strategy="trend", quantity=-one.quantity)), as_of)


def test_adjustments_are_booked_together_in_their_place_in_the_log(world, an_execution):
    world.report(an_execution())
    world.log.tell(adjusting(-3, "split", as_of=1))
    world.runtime.run_until_idle()
    booked = [(entry.seq, entry.strategy, entry.quantity, entry.reason) for entry in world.journaled()[1:]]
    assert booked == [(2, "Discretionary", -3, "split"), (3, "trend", 3, "split")]


def test_adjustments_for_a_book_that_has_moved_on_are_void(world, an_execution):
    world.report(an_execution())
    world.log.tell(adjusting(-3, "made before the fill", as_of=0))
    world.log.tell(adjusting(-3, "made after it", as_of=1))
    world.log.tell(adjusting(-3, "the same again", as_of=1))
    world.runtime.run_until_idle()
    assert [entry.reason for entry in world.journaled()[1:]] == ["made after it"] * 2


# Epochs and replays


def test_a_report_of_an_older_epoch_is_void(world, an_execution):
    old = world.epoch
    world.open()
    assert world.epoch == old + 1
    world.report(an_execution(), epoch=old)
    assert world.journaled() == []
    world.report(an_execution())
    assert len(world.journaled()) == 1


def test_a_report_of_a_connection_that_never_opened_an_epoch_is_void(world, an_execution):
    world.log.tell(ReportExecutions(connection="brokers/ib-5", epoch=1, executions=(an_execution(),)))
    world.runtime.run_until_idle()
    assert world.journaled() == []


def test_epochs_grow_over_a_crash_and_end_what_was_reported_before_it(world, an_execution):
    before = world.epoch
    world.log.signal(Crash())
    world.runtime.run_until_idle()
    world.start()
    world.report(an_execution(), epoch=before)
    assert world.journaled() == []
    world.open()
    assert world.epoch > before


def test_a_replay_is_answered_when_it_is_in_the_journal_and_each_part_of_it_before(world, an_execution):
    early, late = (
        ReportExecutions(connection=CONNECTION, epoch=world.epoch, executions=(an_execution(name),))
        for name in ("early.01", "late.01")
    )
    world.log.tell(ReportPart(report=early, reply_to=world.connection.ref))
    world.connection.expect_message(ReportHeld())
    world.log.tell(ReportReplay(report=late, reply_to=world.connection.ref))
    world.connection.expect_message(ReplayMerged(world.epoch, 2))
    assert [entry.execution.exec_id for entry in world.journaled()] == ["early.01", "late.01"]


def test_how_far_a_replay_is_can_be_read_until_it_is_reported(world, an_execution):
    def replayed():
        return world.log.ask(ReadProgress(), timeout=1.0).replayed

    world.log.tell(ReplayProgressed(CONNECTION, 34_000))
    assert replayed() == 34_000
    report = ReportExecutions(connection=CONNECTION, epoch=world.epoch, executions=(an_execution(),))
    world.log.tell(ReportReplay(report=report, reply_to=world.connection.ref))
    assert replayed() == 0


def test_a_replay_that_brings_nothing_new_is_answered_with_the_end_of_the_log(world, an_execution):
    world.report(an_execution())
    report = ReportExecutions(connection=CONNECTION, epoch=world.epoch, executions=(an_execution(),))
    world.log.tell(ReportReplay(report=report, reply_to=world.connection.ref))
    world.connection.expect_message(ReplayMerged(world.epoch, 1))


def test_a_replay_of_an_older_epoch_is_not_answered_as_merged(world, an_execution):
    report = ReportExecutions(connection=CONNECTION, epoch=world.epoch - 1, executions=(an_execution(),))
    world.log.tell(ReportReplay(report=report, reply_to=world.connection.ref))
    world.connection.expect_nothing()
    assert world.journaled() == []


# What others may ask


def test_a_mark_is_the_last_entry_of_its_moment(world, probe, an_execution):
    asker = probe("asker")
    world.log.tell(GetLogPosition(asker.ref))
    asker.expect_message(LogPosition(0))
    world.report(an_execution("a.01"), an_execution("b.01"))
    world.log.tell(GetLogPosition(asker.ref))
    asker.expect_message(LogPosition(2))


def test_progress_shows_every_cursor_and_which_stage_is_down(world, an_execution):
    world.hello("first")
    world.report(an_execution())
    world.log.tell(Acknowledge("first", 1))
    progress = world.log.ask(ReadProgress(), timeout=1.0)
    assert (progress.last_seq, progress.cursors) == (1, {"first": 1, "second": None})


def test_an_execution_ahead_of_the_clock_is_booked_and_said_once_with_its_amount(world, an_execution):
    now = world.runtime.clock.now()
    with capture_logs() as lines:
        world.report(an_execution("a.01", time=now), an_execution("b.01", time=now + 30 * SECOND))
        assert world.log.ask(ReadProgress(), timeout=1.0).clock == ""
        for number in range(3):
            world.report(an_execution(f"c{number}.01", time=now + 3_600 * SECOND))
        assert [line["event"] for line in lines if "3,600 s ahead of this machine's clock" in line["event"]] == [
            "an execution is stamped 3,600 s ahead of this machine's clock; it counts as executed when it was booked."
            " Compare the clocks of this machine and of the gateway, and its time zone"
        ]
        progress = world.log.ask(ReadProgress(), timeout=1.0)
        assert progress.last_seq == 5
        assert progress.clock == "3 executions were stamped ahead of this machine's clock, the worst by 3,600 s"
        world.report(an_execution("d.01", time=now + 36_000 * SECOND))
    assert sum("ahead of this machine's clock" in line["event"] for line in lines) == 2


# No new risk while a stage is down or behind


def test_stages_are_behind_until_all_of_them_said_hello(world):
    assert world.behind() == ("first", "second")
    world.hello("first")
    assert world.behind() == ("second",)
    world.hello("second")
    assert world.behind() == ()


def test_a_stage_that_owes_an_entry_for_too_long_is_behind_until_it_acknowledges(world, an_execution):
    world.hello("first")
    world.hello("second")
    world.report(an_execution())
    world.runtime.advance(1.0)
    assert world.behind() == ()
    world.runtime.advance(2.0)
    assert world.behind() == ("first", "second")
    world.log.tell(Acknowledge("first", 1))
    world.runtime.advance(1.0)
    assert world.behind() == ("second",)
    world.log.tell(Acknowledge("second", 1))
    world.runtime.advance(1.0)
    assert world.behind() == ()


class Mortal(Actor):
    """A stage that lives under a supervisor's eyes: its mailbox outlives it."""

    def __init__(self, heard):
        self._heard = heard

    def on_receive(self, message):
        self._heard.tell(message)


def test_a_stage_that_dies_is_behind_at_once_and_is_sent_nothing_before_its_next_hello(
    runtime, journal_path, an_execution
):
    heard, risk, connection = (runtime.probe(name) for name in ("heard", "risk", CONNECTION))
    stage = runtime.ref("mortal")
    runtime.launch("mortal", Mortal, heard.ref, supervised=True)
    log = runtime.spawn(FillLog, log_args(journal_path, {"mortal": stage}, risk.ref), name="fill-log")
    log.tell(StageCursor("mortal", 0))
    assert risk.receive(2) == [StagesBehind(("mortal",)), StagesBehind(())]
    heard.expect_message(ReportCursor())
    stage.signal(Crash())
    assert risk.fish(lambda said: said != StagesBehind(())) == StagesBehind(("mortal",))
    log.tell(OpenEpoch(CONNECTION, connection.ref))
    epoch = connection.expect(EpochOpened).epoch
    log.tell(ReportExecutions(connection=CONNECTION, epoch=epoch, executions=(an_execution(),)))
    runtime.launch("mortal", Mortal, heard.ref, supervised=True)
    heard.expect_nothing()
    log.tell(StageCursor("mortal", 0))
    assert seqs(heard) == [1]
    assert risk.fish(lambda said: said != StagesBehind(("mortal",))) == StagesBehind(())


def an_assignment(journal_path, reverses=""):
    """Two of Discretionary's units for `trend`, made for the books as the journal has them."""
    journal = Journal(journal_path)
    given, taken = (journal.entries_of("DU1", name, "SPY") for name in ("Discretionary", "trend"))
    journal.close()
    giver = refold(given)
    made = transfer(giver, refold(taken) if taken else empty_taker(giver, "trend"), Decimal(2), None, "mine")
    return replace(made, reverses=reverses)


def test_both_legs_of_an_assignment_are_booked_at_once_or_not_at_all(world, journal_path, an_execution):
    world.report(an_execution("a.01", order_ref=""))
    good, stale = an_assignment(journal_path), an_assignment(journal_path)
    assert world.log.ask(BookTransfer(good), timeout=1.0) == TransferBooked("A2")
    assert world.log.ask(BookTransfer(stale), timeout=1.0) == TransferStale()
    back = an_assignment(journal_path, reverses="A2")
    assert world.log.ask(BookTransfer(back), timeout=1.0) == TransferBooked("A4")
    assert world.log.ask(BookTransfer(an_assignment(journal_path, reverses="A2")), timeout=1.0) == TransferStale()
    assert [(e.seq, e.strategy, e.quantity, e.assignment, e.reverses) for e in world.journaled()[1:]] == [
        (2, "Discretionary", -2, "A2", ""),
        (3, "trend", 2, "A2", ""),
        (4, "Discretionary", -2, "A4", "A2"),
        (5, "trend", 2, "A4", "A2"),
    ]


def test_entries_are_journalled_with_the_rates_that_were_told_last(world, an_execution):
    world.report(an_execution())
    rates = FxRates("EUR").with_rate("USD", "EUR", Decimal("0.9"), world.runtime.clock.now(), "test")
    world.log.tell(RatesChanged(rates))
    world.report(an_execution("b.01"))
    world.runtime.advance(61)
    world.report(an_execution("c.01"))
    assert [entry.rate for entry in world.journaled()] == [1, Decimal("0.9"), None]


@pytest.mark.parametrize(
    ("point", "booked"), [("fill log: before the journal", 0), ("fill log: after the journal, before dispatch", 2)]
)
def test_a_crash_leaves_both_legs_or_none(world, journal_path, an_execution, monkeypatch, point, booked):
    world.report(an_execution("a.01", order_ref=""))
    booking = BookTransfer(an_assignment(journal_path))
    monkeypatch.setattr(chaos, "point", ChaosPlan(1, points={point: 1.0}).visit)
    with pytest.raises(ActorFailed):
        world.log.ask(booking, timeout=1.0)
    assert len(world.journaled()) == 1 + booked


# The store


@pytest.fixture
def stored(runtime, journal_path, an_execution):
    """A fill log whose only stage is the store, with two entries that it has not taken."""
    store, risk, line = (runtime.probe(name) for name in ("store", "risk", CONNECTION))
    args = replace(log_args(journal_path, {"store": store.ref}, risk.ref), store_patience=Patience(10.0, 100))
    log = runtime.spawn(FillLog, args, name="fill-log")
    log.tell(StageCursor("store", 0))
    log.tell(OpenEpoch(CONNECTION, line.ref))
    epoch = line.expect(EpochOpened).epoch
    executions = (an_execution("a.01"), an_execution("b.01"))
    log.tell(ReportExecutions(connection=CONNECTION, epoch=epoch, executions=executions))
    runtime.run_until_idle()
    return log, risk


AWAY = Outage(0, "no network", 0.0)


def test_new_risk_waits_for_the_store_after_its_patience_and_until_it_is_back(runtime, stored):
    log, risk = stored
    log.tell(StoreReported(None, known=True))
    said = []
    for second in range(20):
        log.tell(StoreReported(AWAY if second < 15 else None, known=True))
        if second == 15:
            log.tell(Acknowledge("store", 2))
        runtime.advance(1.0)
        said.append(risk.receive(risk.ref.mailbox.pending)[-1])
    assert {word.stages for word in said} == {()}
    blocked = [second for second, word in enumerate(said) if word.store]
    assert blocked == list(range(9, 15)), "the tick after ten seconds is the first"
    assert said[12].store == "away since 1970-01-01 00:00:00 UTC, no network, 2 entries wait"


def test_whoever_asks_for_progress_sees_the_outage_from_its_first_second(runtime, stored):
    log, _ = stored
    log.tell(StoreReported(AWAY, known=True))
    assert log.ask(ReadProgress(), timeout=1.0).store.startswith("away since 1970-01-01 00:00:00 UTC, no network")


def test_that_the_tables_of_operators_were_read_is_passed_on_at_once(runtime, stored):
    log, risk = stored
    log.tell(StoreReported(None, known=False))
    runtime.advance(1.0)
    assert risk.receive(risk.ref.mailbox.pending)[-1] == StagesBehind((), "not read yet")
    log.tell(StoreReported(None, known=True))
    runtime.run_until_idle()
    assert risk.receive(risk.ref.mailbox.pending) == [StagesBehind(())]
