"""An entry that a stage cannot apply fails it once, and is then set aside; an error of the program fails it always."""

import json

import pytest
from msgspec.structs import replace

from actors.messages.fill_log import Acknowledge, ApplyEntries, StageCursor
from mats.model.executions import FillRecorded
from mats.store.journal.journal import Journal
from tests.actors.test_stage import Recorder


@pytest.fixture
def entry(an_execution):
    first = FillRecorded(seq=1, strategy="trend", intent_id="i1", execution=an_execution(), recorded=0)
    return lambda seq: replace(first, seq=seq, execution=an_execution(f"e{seq}.01"))


@pytest.fixture
def log(probe):
    return probe("fill-log")


class Fragile(Recorder):
    """A stage with a saved state that cannot apply some entries; `broken` makes it fail for another reason."""

    poison = frozenset({2, 3, 5})
    broken = False

    def __init__(self, args):
        self.fill_log, self._path = args

    def on_start(self):
        self._journal = Journal(self._path)
        self.recall()
        saved = self._journal.load_snapshot(self.stage)
        self.applied = json.loads(saved[1]) if saved else []
        self.resume_at(saved[0] if saved else 0)
        self.report_cursor()

    def apply(self, entries):
        for entry in entries:
            self._try(entry)
            if self.broken:
                raise RuntimeError("the program is wrong")
            self.applied.append(entry.seq)

    def _try(self, entry):
        if entry.seq in self.poison:
            raise ZeroDivisionError(f"poison {entry.seq}")

    def rehearse(self):
        return self._try

    def on_stop(self):
        self._journal.close()


@pytest.fixture
def fragile(runtime, log, journal_path):
    def start():
        runtime.launch("fragile", Fragile, (log.ref, journal_path), supervised=True)
        log.fish(lambda message: isinstance(message, StageCursor), 3.0)
        return runtime.ref("fragile")

    return start


def of_journal(path, look):
    journal = Journal(path)
    try:
        return look(journal)
    finally:
        journal.close()


def test_an_entry_fails_the_stage_once_and_is_then_set_aside_with_every_other_one_there(
    fragile, log, entry, journal_path
):
    batch = ApplyEntries(tuple(entry(seq) for seq in range(1, 6)))
    ref = fragile()
    ref.tell(batch)
    assert "poison 2" in str(log.expect_down(ref).error)
    ref = fragile()
    ref.tell(batch)
    log.fish(lambda message: message == Acknowledge("recorder", 5), 3.0)
    items = of_journal(journal_path, lambda journal: journal.open_quarantine())
    assert [(item.seq, item.instrument, item.strategy) for item in items] == [
        (seq, "SPY", "trend") for seq in (2, 3, 5)
    ]
    assert "ZeroDivisionError: poison 2" in items[0].fault
    assert of_journal(journal_path, lambda journal: journal.stages_without(2)) == ["recorder"]


def test_what_was_set_aside_is_left_out_by_every_later_incarnation_without_a_failure(
    runtime, fragile, log, entry, journal_path
):
    batch = ApplyEntries((entry(1), entry(2)))
    ref = fragile()
    ref.tell(batch)
    log.expect_down(ref)
    fragile().tell(batch)
    log.fish(lambda message: message == Acknowledge("recorder", 2), 3.0)
    runtime.abandon("fragile")
    ref = fragile()
    ref.tell(batch)
    ref.tell(ApplyEntries((entry(4),)))
    ref.tell(ApplyEntries((entry(3), entry(4))))
    log.fish(lambda message: message == Acknowledge("recorder", 2), 3.0)
    assert "poison 3" in str(log.expect_down(ref).error), "an entry that nobody suspects fails the stage, as any error"


def test_an_error_of_the_program_fails_the_stage_again_and_sets_nothing_aside(
    fragile, log, entry, journal_path, monkeypatch
):
    monkeypatch.setattr(Fragile, "broken", True)
    for _ in range(3):
        ref = fragile()
        ref.tell(ApplyEntries((entry(1),)))
        assert "the program is wrong" in str(log.expect_down(ref).error)
    assert of_journal(journal_path, lambda journal: journal.open_quarantine()) == []


def test_when_entry_after_entry_fails_it_is_not_the_entries(fragile, log, entry, journal_path, monkeypatch):
    monkeypatch.setattr(Fragile, "poison", range(1, 100))
    monkeypatch.setattr("actors.base.stage_quarantine.MOST_IN_A_ROW", 3)
    batch = ApplyEntries(tuple(entry(seq) for seq in range(1, 10)))
    for expected in ("poison 1", "poison 4"):
        ref = fragile()
        ref.tell(batch)
        assert expected in str(log.expect_down(ref).error)
