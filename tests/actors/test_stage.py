"""A stage applies every entry once and in order; where one is missing it says how far it is."""

import pytest
from msgspec.structs import replace

from actors.base.stage import Stage
from actors.messages.fill_log import Acknowledge, ApplyEntries, StageCursor
from mats.model.executions import FillRecorded


class Recorder(Stage):
    """A stage whose state is the entries it applied; it fails at one of them if told so."""

    stage = "recorder"

    def __init__(self, args):
        self.fill_log, self.applied = args

    def on_start(self):
        self.cursor = len(self.applied)
        self.report_cursor()

    def on_receive(self, message):
        self.receive_entries(message)

    def rehearse(self):
        return lambda entry: None

    def apply(self, entries):
        self.applied += [entry.seq for entry in entries]


@pytest.fixture
def entry(an_execution):
    first = FillRecorded(seq=1, strategy="trend", intent_id="i1", execution=an_execution(), recorded=0)
    return lambda seq: replace(first, seq=seq)


@pytest.fixture
def log(probe):
    return probe("fill-log")


@pytest.fixture
def applied():
    return []


@pytest.fixture
def stage(runtime, log, applied):
    ref = runtime.spawn(Recorder, (log.ref, applied), name="recorder")
    log.expect_message(StageCursor("recorder", 0))
    return ref


def test_entries_are_applied_and_then_acknowledged(stage, log, applied, entry):
    stage.tell(ApplyEntries((entry(1), entry(2))))
    log.expect_message(Acknowledge("recorder", 2))
    assert applied == [1, 2]


def test_what_is_known_already_is_skipped_and_acknowledged_again(stage, log, applied, entry):
    stage.tell(ApplyEntries((entry(1), entry(2))))
    stage.tell(ApplyEntries((entry(1),)))
    stage.tell(ApplyEntries((entry(2), entry(3))))
    assert log.receive(3) == [Acknowledge("recorder", 2), Acknowledge("recorder", 2), Acknowledge("recorder", 3)]
    assert applied == [1, 2, 3]


def test_after_a_gap_nothing_is_applied_and_the_log_is_asked_again(stage, log, applied, entry):
    stage.tell(ApplyEntries((entry(1),)))
    stage.tell(ApplyEntries((entry(3),)))
    assert log.receive(2) == [Acknowledge("recorder", 1), StageCursor("recorder", 1)]
    assert applied == [1]
    stage.tell(ApplyEntries((entry(2), entry(3))))
    log.expect_message(Acknowledge("recorder", 3))
    assert applied == [1, 2, 3]


def test_what_is_applied_is_handed_on_to_one_after_the_other(stage, log, applied, entry, probe):
    second, third = probe("second"), probe("third")
    stage.tell(ApplyEntries((entry(1), entry(2)), (second.ref, third.ref)))
    second.expect_message(ApplyEntries((entry(1), entry(2)), (third.ref,)))
    third.expect_nothing()
    log.expect_message(Acknowledge("recorder", 2))


def test_a_stage_that_fails_in_an_entry_hands_nothing_on(runtime, log, entry, probe):
    class Weak(Recorder):
        def apply(self, entries):
            raise RuntimeError("an entry that it cannot apply")

    second = probe("second")
    weak = runtime.spawn(Weak, (log.ref, []), name="weak")
    log.expect(StageCursor)
    weak.tell(ApplyEntries((entry(1),), (second.ref,)))
    log.expect_down(weak)
    second.expect_nothing()


def test_after_a_gap_nothing_is_handed_on_and_what_is_known_is(stage, log, entry, probe):
    second = probe("second")
    stage.tell(ApplyEntries((entry(2),), (second.ref,)))
    log.expect_message(StageCursor("recorder", 0))
    second.expect_nothing()
    stage.tell(ApplyEntries((entry(1),)))
    stage.tell(ApplyEntries((entry(1),), (second.ref,)))
    second.expect_message(ApplyEntries((entry(1),)))


def test_an_empty_delivery_is_acknowledged_as_it_stands(stage, log, applied):
    stage.tell(ApplyEntries(()))
    log.expect_message(Acknowledge("recorder", 0))
    assert applied == []


@pytest.mark.parametrize("lacking", ["apply", "rehearse"])
def test_a_stage_that_does_not_say_how_it_applies_never_starts_and_acknowledges_nothing(runtime, log, lacking):
    idle = type("Idle", (Recorder,), {lacking: getattr(Stage, lacking)})
    ref = runtime.spawn(idle, (log.ref, []), name="idle")
    assert f"abstract method {lacking}" in str(log.expect_down(ref).error)
    log.expect_nothing(0.0)
