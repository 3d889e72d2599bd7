"""The guard of the store: an outage begins and ends once, whoever calls; and what the outage means for new risk."""

import pytest
from arcticdb.exceptions import StorageException

from mats.model.timestamp import SECOND
from mats.runtime import VirtualRuntime
from mats.store.outages import Outage, Patience, StoreAway, StoreGuard, StoreHealth, StoreWatch
from mats.store.outages.guard import LONGEST_SECONDS
from mats.store.tables import connection
from mats.store.tables.connection import lmdb_uri

START = 1_700_000_000 * SECOND
AT = "2023-11-14 22:13:20 UTC"


class Calls:
    """Calls of a store that is there or away; each takes `seconds`."""

    def __init__(self, uri):
        self.runtime = VirtualRuntime(start=START)
        self.guard = StoreGuard(uri, self.runtime.clock)
        self.fault, self.seconds, self.made = None, 0.0, 0

    def work(self):
        self.made += 1
        self.runtime.advance(self.seconds)
        if self.fault is not None:
            raise self.fault
        return "done"

    def run(self, task="commit"):
        """What the call comes to, or the outage."""
        try:
            return self.guard.run(task, self.work)
        except StoreAway as away:
            return str(away)


@pytest.fixture
def calls(tmp_path):
    return Calls(lmdb_uri(tmp_path / "arctic"))


def test_a_call_that_the_store_cannot_answer_begins_an_outage_and_one_that_it_answers_ends_it(calls):
    assert (calls.run(), calls.guard.outage) == ("done", None)
    calls.fault = StorageException("E_S3_UNREACHABLE")
    assert calls.run() == f"the store is away since {AT}, E_S3_UNREACHABLE"
    assert calls.guard.outage == Outage(START, "E_S3_UNREACHABLE", calls.runtime.clock.monotonic())
    calls.runtime.advance(10.0)
    calls.fault = StorageException("something else")
    assert calls.run() == f"the store is away since {AT}, E_S3_UNREACHABLE", "the first reason and time stay"
    calls.fault = None
    calls.runtime.advance(LONGEST_SECONDS)
    assert (calls.run(), calls.guard.outage) == ("done", None)


def test_while_it_is_away_it_is_called_ever_more_slowly(calls):
    calls.fault = StorageException("away")
    for _ in range(1_200):
        calls.run()
        calls.runtime.advance(0.1)
    assert calls.made == 5 + 7, "after 0, 0.5, 1.5, 3.5, 7.5 s, and every 15 s from then on"


def test_a_call_that_fails_slowly_leaves_as_much_time_for_everything_else(calls):
    calls.fault, calls.seconds = StorageException("timeout"), 25.0
    calls.run("table")
    calls.runtime.advance(24.0)
    calls.run("commit")
    assert calls.made == 1
    calls.runtime.advance(2.0)
    calls.run("commit")
    assert calls.made == 2


def test_the_outage_lasts_until_every_task_that_failed_has_succeeded(calls):
    calls.fault = StorageException("away")
    calls.run("table")
    calls.run("commit")
    calls.fault = None
    calls.runtime.advance(1.0)
    assert (calls.run("commit"), calls.guard.outage is None) == ("done", False)
    assert (calls.run("commit"), calls.run("table"), calls.guard.outage) == ("done", "done", None)


def test_what_somebody_waits_for_is_refused_at_once_during_an_outage_and_begins_none(calls):
    calls.fault = StorageException("away")
    with pytest.raises(StoreAway, match="away since 2023-11-14 22:13:20 UTC, away"):
        calls.guard.run_once(calls.work)
    assert calls.guard.outage is None
    calls.run()
    with pytest.raises(StoreAway):
        calls.guard.run_once(calls.work)
    assert calls.made == 2


def test_a_nearly_full_disk_is_looked_at_again_and_again_and_the_store_not_called(calls, monkeypatch):
    monkeypatch.setattr(connection, "RESERVE_BYTES", 2**62)
    for _ in range(20):
        assert "bytes left; free" in calls.run()
        calls.runtime.advance(1.0)
    monkeypatch.undo()
    assert (calls.run(), calls.made) == ("done", 1)


def test_a_directory_that_cannot_be_made_is_an_outage_and_the_store_opens_when_it_can(tmp_path):
    (tmp_path / "mount").write_text("in the way")
    runtime = VirtualRuntime(start=START)
    guard = StoreGuard(lmdb_uri(tmp_path / "mount" / "arctic"), runtime.clock)
    with pytest.raises(StoreAway, match="cannot be used"):
        guard.run("table", guard.store.read_strategies)
    (tmp_path / "mount").unlink()
    runtime.advance(1.0)
    assert guard.run("table", guard.store.read_strategies) == []
    guard.store.close()


def test_a_secret_in_an_address_is_not_in_the_reason(calls):
    calls.fault = StorageException("no route to s3://host:bucket?access=me&secret=hush")
    assert "hush" not in calls.run()


def test_a_fault_of_the_caller_is_no_outage(calls):
    calls.fault = KeyError("a mistake")
    with pytest.raises(KeyError):
        calls.run()
    assert calls.guard.outage is None


# What it means for new risk

AWAY = Outage(START, "no network", 1.0)
BOUND = Patience(seconds=30.0, entries=100)


@pytest.fixture
def watch():
    """A store that is in order at second 0."""
    made = StoreWatch(BOUND)
    made.report(None, True, 0.0)
    return made


def test_before_its_writer_has_reported_there_is_nothing_to_say():
    watch = StoreWatch(BOUND)
    assert (watch.look(None, 5, 1_000.0), watch.reporting) == (StoreHealth(), False)


def test_until_the_tables_of_operators_were_read_there_is_no_new_risk():
    watch = StoreWatch(BOUND)
    watch.report(None, False, 0.0)
    assert watch.look(0, 0, 0.0) == StoreHealth("not read yet", blocks=True)
    watch.report(AWAY, False, 1.0)
    assert watch.look(0, 0, 1.0) == StoreHealth(f"away since {AT}, no network, 0 entries wait", blocks=True)
    watch.report(None, True, 2.0)
    assert watch.look(0, 0, 2.0) == StoreHealth()
    watch.report(None, False, 3.0)
    assert watch.look(0, 0, 3.0) == StoreHealth(), "a writer that starts again has read them before"


def test_an_outage_stops_new_risk_after_its_seconds_and_no_longer_than_it_lasts(watch):
    for second in range(1, 60):
        watch.report(AWAY, True, second)
        health = watch.look(0, 5, second)
        assert health == StoreHealth(f"away since {AT}, no network, 5 entries wait", blocks=second >= 30)
    watch.report(None, True, 60.0)
    assert watch.look(5, 5, 60.0) == StoreHealth()


def test_a_writer_that_starts_again_has_not_seen_that_the_outage_is_over(watch):
    for second in range(1, 20):
        watch.report(AWAY, True, second)
        watch.look(0, 0, second)
    for second in range(20, 40):
        watch.report(None, False, second)
        health = watch.look(0, 0, second)
    assert health == StoreHealth(f"away since {AT}, no network, 0 entries wait", blocks=True)
    watch.report(None, True, 40.0)
    assert watch.look(0, 0, 40.0) == StoreHealth()


def test_an_outage_that_a_new_fill_log_finds_has_lasted_since_it_began():
    watch = StoreWatch(BOUND)
    watch.report(AWAY, True, 25.0)
    assert not watch.look(0, 0, 30.0).blocks
    watch.report(AWAY, True, 31.0)
    assert watch.look(0, 0, 31.0).blocks


def test_entries_that_wait_stop_new_risk_when_they_are_too_many_or_too_old(watch):
    watch.report(None, True, 1.0)
    assert watch.look(0, 99, 1.0) == StoreHealth()
    assert watch.look(0, 100, 1.0) == StoreHealth("behind, 100 entries wait", blocks=True)
    for second in range(2, 100):
        watch.report(None, True, second)
        keeps_up = watch.look(100 + second - 1, 100 + second, second)
        assert not keeps_up.blocks, "the newest entry is never old"
    for second in range(100, 132):
        watch.report(None, True, second)
        late = watch.look(198, 199, second)
    assert late == StoreHealth("behind, 1 entry waits", blocks=True)


def test_a_writer_that_says_nothing_is_held_by_a_call(watch):
    assert watch.look(3, 3, 4.9) == StoreHealth()
    assert watch.look(3, 3, 20.0) == StoreHealth("not answering for 20 s, 0 entries wait")
    assert watch.look(3, 3, 61.0) == StoreHealth("not answering for 61 s, 0 entries wait", blocks=True)


def test_a_writer_that_is_down_is_an_outage_like_another(watch):
    assert watch.look(None, 7, 1.0) == StoreHealth("down, its writer is being restarted, ? entries wait")
    assert watch.look(None, 7, 31.0).blocks
