"""The quarantine of the fill log: a poisonous report is kept and said once, and everything else is booked."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.fill_log import FillLog
from actors.messages.fill_log import (
    ApplyEntries,
    BookAdjustments,
    EpochOpened,
    OpenEpoch,
    ReportExecutions,
    StageCursor,
)
from actors.messages.quarantine import (
    QuarantineChanged,
    QuarantineRefused,
    QuarantineResolved,
    ReportUndecoded,
    ResolveQuarantine,
)
from mats.ib.undecoded import undecoded
from mats.ledger.quarantine import QuarantineItem, QuarantineKind, as_text_fields
from mats.ledger.reconciliation.adjustments import Adjustment
from mats.model import DAY, NOT_KNOWN, SECOND, CommissionRecorded, FillCorrected, FillRecorded, UndecodedMessage
from mats.store.journal.journal import Journal
from tests.actors.conftest import START
from tests.actors.test_fill_log import CONNECTION, log_args

D = Decimal

POISONS = {
    "multiplier": D(0),
    "account": "",
    "time": 253_402_300_799 * SECOND,
    "exec_id": "a.99999999999999999999",
    "order_ref": "\ud800",
    "price": D("inf"),
}


class World:
    """A fill log with one stage and risk as probes."""

    def __init__(self, runtime, path):
        self.runtime, self.path = runtime, path
        self.stage, self.risk, self.connection = (runtime.probe(name) for name in ("stage", "risk", CONNECTION))
        self.start()

    def start(self):
        args = log_args(self.path, {"stage": self.stage.ref}, self.risk.ref)
        self.runtime.launch("fill-log", FillLog, args, supervised=True)
        self.log = self.runtime.ref("fill-log")
        self.log.tell(OpenEpoch(CONNECTION, self.connection.ref))
        self.epoch = self.connection.expect(EpochOpened).epoch
        self.log.tell(StageCursor("stage", 0))
        self.runtime.run_until_idle()

    def report(self, *executions, commissions=()):
        report = ReportExecutions(
            connection=CONNECTION, epoch=self.epoch, executions=executions, commissions=commissions
        )
        self.log.tell(report)
        self.runtime.run_until_idle()

    def resolve(self, action, number=1, **corrections):
        request = ResolveQuarantine(number=number, action=action, corrections=corrections, reason="seen by hand")
        return self.log.ask(request, timeout=5.0)

    def read(self, look):
        journal = Journal(self.path)
        try:
            return look(journal)
        finally:
            journal.close()

    @property
    def items(self):
        return self.read(lambda journal: journal.open_quarantine())

    @property
    def entries(self):
        return self.read(lambda journal: journal.entries(0, 100))

    def places(self):
        """The last word to risk about places, None where there was none."""
        said = None
        self.runtime.run_until_idle()
        while (envelope := self.risk._take(0.0)) is not None:
            if isinstance(envelope.message, QuarantineChanged):
                said = envelope.message.places
        return said


@pytest.fixture
def world(runtime, journal_path):
    return World(runtime, journal_path)


def poisoned(execution, field):
    return replace(execution, **{field: POISONS[field]})


@pytest.mark.parametrize("field", POISONS)
def test_a_poisonous_execution_is_kept_as_received_and_everything_else_is_booked(world, an_execution, field):
    bad = poisoned(an_execution("a.01"), field)
    world.report(an_execution("b.01"), bad, an_execution("c.01"))
    assert [entry.execution.exec_id for entry in world.entries] == ["b.01", "c.01"]
    (item,) = world.items
    assert item.fields[field] == str(POISONS[field]).encode(errors="backslashreplace").decode()
    assert (item.instrument, item.source) == ("SPY", CONNECTION)
    assert field in item.fault
    (place,) = world.places()
    assert (place.id, place.instrument) == ("Q1", "SPY")


@pytest.mark.parametrize("field", POISONS)
def test_a_replay_repeats_it_and_after_a_restart_it_is_still_there(world, an_execution, field):
    bad = poisoned(an_execution("a.01"), field)
    world.report(bad)
    world.report(bad)
    world.runtime.abandon("fill-log")
    world.start()
    assert world.places()[0].id == "Q1", "told to risk at the start"
    world.report(bad)
    assert [item.number for item in world.items] == [1]


def test_the_broker_that_reports_it_again_as_it_should_be_settles_it(world, an_execution):
    world.report(poisoned(an_execution("a.01"), "account"))
    world.report(an_execution("a.01"))
    assert [entry.execution for entry in world.entries] == [an_execution("a.01")]
    assert world.items == []
    assert world.places() == ()


def test_a_fill_waits_for_what_its_units_are_worth_and_cannot_be_accepted_without(world, an_execution):
    fill = replace(an_execution("a.01"), multiplier=NOT_KNOWN)
    world.report(fill)
    (item,) = world.items
    assert "details of the contract" in item.fault
    refused = world.resolve("accept")
    assert isinstance(refused, QuarantineRefused)
    assert "multiplier is not known" in refused.reason
    world.report(replace(fill, multiplier=D("0.01")))
    assert [entry.execution.multiplier for entry in world.entries] == [D("0.01")]
    assert (world.items, world.places()) == ([], ())


def test_a_commission_that_is_no_number_is_kept_and_its_fill_is_booked(world, an_execution, a_commission):
    world.report(an_execution(), commissions=(replace(a_commission(), amount=D("nan")),))
    (item,) = world.items
    assert [type(entry) for entry in world.entries] == [FillRecorded]
    assert item.fields["amount"] == "NaN"
    world.report(commissions=(replace(a_commission("z.01"), amount=D("inf")),))
    answer = world.resolve("correct", number=1, amount="1.25")
    assert isinstance(answer, QuarantineResolved), answer
    assert [type(entry) for entry in world.entries] == [FillRecorded, CommissionRecorded]


def test_what_is_booked_already_is_not_kept_again_because_a_copy_of_it_cannot_be(world, an_execution, a_commission):
    world.report(an_execution(), commissions=(a_commission(),))
    world.report(poisoned(an_execution(), "multiplier"), commissions=(replace(a_commission(), amount=D("nan")),))
    world.log.tell(ReportUndecoded(CONNECTION, undecoded(["59", "1", "a.01"], "x")))
    assert (world.items, len(world.entries)) == ([], 2)


def test_a_commission_that_another_connection_reports_as_it_should_be_settles_its_item(
    world, an_execution, a_commission
):
    world.report(an_execution())
    world.log.tell(ReportUndecoded(CONNECTION, undecoded(["59", "1", "a.01"], "x")))
    assert world.places()[0].instrument == "SPY"
    world.report(commissions=(a_commission(),))
    assert (world.items, world.places()) == ([], ())


# What an operator does


def test_a_corrected_execution_is_booked_to_the_strategy_that_caused_it_and_the_item_is_closed(world, an_execution):
    world.report(poisoned(an_execution("a.01"), "multiplier"))
    assert world.resolve("correct", multiplier="1", price="101.5", time="2023-11-14T22:15:00Z") == QuarantineResolved(
        "Q1 is booked as corrected (seen by hand)"
    )
    (entry,) = world.entries
    assert (entry.execution.price, entry.execution.multiplier) == (D("101.5"), D(1))
    assert world.places() == ()
    world.report(poisoned(an_execution("a.01"), "multiplier"))
    assert (len(world.entries), world.items) == (1, []), "a replay repeats it"
    assert "resolved already" in world.resolve("drop").reason


def test_what_cannot_be_booked_is_refused_with_the_field_and_what_is_only_strange_is_accepted(world, an_execution):
    world.report(poisoned(an_execution("a.01"), "multiplier"), replace(an_execution("b.01"), time=START + 90 * DAY))
    refused = world.resolve("accept", number=1)
    assert isinstance(refused, QuarantineRefused)
    assert "multiplier 0 is not above zero" in refused.reason
    assert "no field of it" in world.resolve("correct", number=1, prize="1").reason
    assert "cannot be read" in world.resolve("correct", number=1, time="tomorrow").reason
    assert world.entries == []
    assert isinstance(world.resolve("accept", number=2), QuarantineResolved)
    assert [entry.execution.exec_id for entry in world.entries] == ["b.01"]


def test_a_dropped_item_is_never_booked(world, an_execution):
    world.report(poisoned(an_execution("a.01"), "price"))
    assert world.resolve("drop") == QuarantineResolved("Q1 is dropped (seen by hand)")
    world.report(poisoned(an_execution("a.01"), "price"))
    assert (world.entries, world.items, world.places()) == ([], [], ())
    assert "there is no item Q7" in world.resolve("drop", number=7).reason


# Messages


def test_a_message_that_cannot_be_decoded_is_kept_once_whichever_answer_it_comes_in(world):
    for request in ("-1", "1000000001"):
        world.log.tell(ReportUndecoded(CONNECTION, undecoded(["11", request, "garbage"], "ValueError: x")))
    world.runtime.run_until_idle()
    (item,) = world.items
    assert (item.kind, item.fields["2"]) == ("message", "garbage")
    assert world.places() is None, "nobody's trading waits for what cannot be read"
    assert "cannot be booked" in world.resolve("accept").reason
    assert isinstance(world.resolve("drop"), QuarantineResolved)


def test_an_execution_whose_message_cannot_be_decoded_is_booked_once_it_is_corrected(world):
    named = {
        "exec_id": "a.01", "account": "DU1", "instrument": "SPY", "side": "BUY", "quantity": "10", "price": "abc",
        "time": str(START), "currency": "USD", "multiplier": "1", "order_ref": "",
    }  # fmt: skip
    message = UndecodedMessage(
        fields=("11", "-1", "x"), reason="ValueError: could not convert string to float: 'abc'", about="execution",
        account="DU1", instrument="SPY", exec_id="a.01", execution=named,
    )  # fmt: skip
    world.log.tell(ReportUndecoded(CONNECTION, message))
    assert world.places()[0].instrument == "SPY"
    assert "price" in world.resolve("accept").reason
    assert isinstance(world.resolve("correct", price="99.5"), QuarantineResolved)
    assert world.entries[0].execution.price == D("99.5")


def test_the_messages_that_are_kept_are_bounded(world, monkeypatch):
    monkeypatch.setattr("actors.base.quarantine.MOST_MESSAGES", 5)
    for number in range(20):
        world.log.tell(ReportUndecoded(CONNECTION, undecoded(["3", str(number)], "ValueError: x")))
    world.runtime.run_until_idle()
    assert len(world.items) == 5


def test_executions_beyond_what_can_be_kept_stop_all_new_risk_until_there_is_room(world, an_execution, monkeypatch):
    monkeypatch.setattr("mats.ledger.quarantine.open_items.MOST_ITEMS", 5)
    for number in range(20):
        world.report(poisoned(an_execution(f"{number}.01"), "price"))
    assert len(world.items) == 5
    spy, everywhere = world.places()
    assert (spy.instrument, everywhere.is_everywhere) == ("SPY", True)
    world.resolve("drop")
    assert [place.is_everywhere for place in world.places()] == [False]
    world.report(poisoned(an_execution("19.01"), "price"))
    assert len(world.items) == 5, "what is reported again is kept when there is room"


# Books = broker


def test_a_difference_that_the_quarantine_may_explain_is_not_booked(world, an_execution):
    world.report(poisoned(an_execution("a.01"), "price"))
    adjustment = Adjustment(
        strategy="Discretionary", account="DU1", instrument="SPY", quantity=D(10), price=D(1), currency="USD",
        multiplier=D(1), reason="residual",
    )  # fmt: skip
    world.log.tell(BookAdjustments((adjustment,), as_of=0))
    world.log.tell(BookAdjustments((replace(adjustment, instrument="QQQ"),), as_of=0))
    world.runtime.run_until_idle()
    assert [entry.instrument for entry in world.entries] == ["QQQ"]


def test_an_execution_that_a_stage_set_aside_is_replaced_by_what_the_broker_reports_now(world, an_execution):
    bad = replace(an_execution("a.01"), multiplier=D(0))
    entry = FillRecorded(seq=1, strategy="trend", intent_id="i1", execution=bad, recorded=START)
    world.runtime.abandon("fill-log")

    def plant(journal):
        journal.append((entry,))
        journal.set_aside("portfolio", entry)
        journal.quarantine(
            QuarantineItem(
                key="entry/1",
                kind=QuarantineKind.ENTRY,
                fault="x",
                fields=as_text_fields(bad),
                source="portfolio",
                time=START,
                account="DU1",
                instrument="SPY",
                strategy="trend",
                seq=1,
            )
        )

    world.read(plant)
    world.start()
    world.report(an_execution("a.01"))
    first, second = world.entries
    assert isinstance(second, FillCorrected)
    assert (second.execution, second.previous) == (an_execution("a.01"), bad)
    assert world.items == []
    world.report(an_execution("a.01"))
    assert len(world.entries) == 2
    assert first == entry
    assert world.stage.fish(lambda m: isinstance(m, ApplyEntries), 1.0)
