"""A start takes as long as it needs while something goes further, shows what, and gives up with the reason."""

from types import SimpleNamespace

import pytest

from actors.daemon.startup import CannotStart, Startup, StopRequested
from actors.messages.fill_log import Progress
from actors.messages.strategy_manager import StrategyTable
from actors.operator.queries import NoAnswer
from actors.operator.start_progress import LOOK_SECONDS, StartProgress
from mats.settings import Settings

SILENCE = Settings().gateway.startup_timeout_seconds
TABLE = StrategyTable(records=(), faults={}, running=frozenset(), loaded=True)


def replaying(by_second):
    """The log's progress while the broker replays."""
    return lambda second: Progress(0, {"orders": 0}, replayed=by_second(second))


class World:
    """Time, the actors that a start asks, and the answer of the log by second (None: there is none)."""

    def __init__(self, progress=lambda _: Progress(0, {"orders": 0}), ready_after=1e9, failure=""):
        self.seconds, self._by_second, self._ready_after = 0.0, progress, ready_after
        clock = SimpleNamespace(monotonic=lambda: self.seconds)
        actors = [SimpleNamespace(name="brokers/ib-0", last_failure=failure)]
        self.runtime = SimpleNamespace(
            clock=clock, escalated=SimpleNamespace(is_set=lambda: False), status=lambda: actors
        )
        queries = SimpleNamespace(progress=self._answer)
        self.progress = StartProgress(queries, clock)
        self.operator = SimpleNamespace(
            start=self.progress, wait_for_broker=self._wait, wait_for_strategies=lambda *_: TABLE
        )
        self.told, self.stopped = [], False

    def _answer(self):
        answer = self._by_second(self.seconds)
        if answer is None:
            raise NoAnswer("none in time")
        return answer

    def _wait(self, seconds, meanwhile):
        """What the operator does, in time of its own."""
        end = self.seconds + seconds
        while self.seconds < self._ready_after:
            if self.seconds >= end:
                return False
            meanwhile()
            self.seconds += LOOK_SECONDS
        return True

    def start(self):
        return Startup(
            self.runtime, self.operator, Settings(), SimpleNamespace(is_set=lambda: self.stopped), self.told.append
        ).wait(lambda: None)


def test_a_start_that_goes_further_is_waited_for_and_shown():
    world = World(replaying(lambda second: int(100 * second)), ready_after=10 * SILENCE)
    assert world.start() is TABLE
    assert world.told[0] == "replaying: 500 executions so far"
    assert len(world.told) == pytest.approx(10 * SILENCE / 5, abs=1)
    assert not world.progress.phase.waiting, "the start is over"


def test_a_start_in_which_nothing_goes_further_ends_with_the_reason_of_the_last_failure():
    world = World(failure="IncompleteSnapshot: snapshot: no end of executions in 20 s of silence")
    with pytest.raises(CannotStart, match="no connection to the gateway within 30 s: snapshot: no end of executions"):
        world.start()
    assert world.seconds == pytest.approx(SILENCE, abs=1.0)


@pytest.mark.parametrize("kind", ["TimeZoneUnknown", "ReadOnlyApi", "VersionTooOld", "OrderIdsExhausted"])
def test_a_start_ends_at_once_where_only_an_operator_can_help(kind):
    world = World(failure=f"{kind}: gateway g:1: what it said; set this")
    with pytest.raises(CannotStart, match=r"^gateway g:1: what it said; set this$"):
        world.start()
    assert world.seconds == 0.0


def test_a_replay_that_begins_anew_again_and_again_is_no_progress():
    world = World(replaying(lambda second: int(second) % 10), failure="E: why")
    with pytest.raises(CannotStart, match="why"):
        world.start()
    assert world.seconds == pytest.approx(SILENCE + 9, abs=1.0)


def test_entries_that_reach_the_stages_are_progress_and_what_stands_still_is_named():
    def progress(second):
        return Progress(100, {"orders": 100, "store": min(40, int(second))})

    world = World(progress=progress)
    with pytest.raises(CannotStart, match=r"nothing went further \(booking: entry 40 of 100 has reached store\)"):
        world.start()
    assert world.seconds == pytest.approx(SILENCE + 40, abs=1.0)


def test_an_actor_that_does_not_answer_is_no_progress():
    world = World(lambda _: None)
    with pytest.raises(CannotStart, match="has not sent its complete state"):
        world.start()


def test_a_start_can_be_stopped_at_any_time():
    world = World(replaying(lambda second: int(100 * second)))
    world.stopped = True
    with pytest.raises(StopRequested):
        world.start()


def test_the_phase_of_a_start_says_what_it_waits_for_since_when_and_what_can_be_counted():
    world = World(replaying(lambda _: 34_000))
    world.progress.wait_for("the broker's complete answer")
    world.seconds = 12.0
    world.progress.look()
    assert str(world.progress.phase) == ("the broker's complete answer for 12 s (replaying: 34,000 executions so far)")
    world.progress.wait_for("")
    assert not str(world.progress.phase)
