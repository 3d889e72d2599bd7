"""What is known of messages while they run: how many, how long, and each one of an actor that is traced."""

import asyncio
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from mats.model import Nanos
from mats.runtime import Actor, Address, ChildSpec, MessageStats, OwnProcess, Runtime, SupervisorSpec, ThreadRuntime
from mats.runtime import VirtualRuntime as Virtual
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Note, Teller, patient
from tests.runtime.hosted import Hosted

SECOND_NS = 1_000_000_000


class HandClock:
    """A clock that a test or an actor sets."""

    seconds = 0.0

    def now(self) -> Nanos:
        return Nanos(0)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, instant: Nanos) -> None:
        """It is set by hand."""


class Slow(Actor[float | int]):
    """Takes as long as it is told, by its clock."""

    def on_receive(self, message: float) -> Any:
        self.clock.seconds += message  # type: ignore[attr-defined]
        return message


class SlowLoop(Slow):
    host = "loop"

    async def on_receive(self, message: float) -> float:
        await asyncio.sleep(0)
        self.clock.seconds += message  # type: ignore[attr-defined]
        return message


def stats_of(runtime: Runtime, name: str) -> dict[str, MessageStats]:
    return {line.message: line for line in runtime.message_stats() if line.name == name}


@pytest.mark.parametrize("kind", [Slow, SlowLoop])
def test_the_time_in_the_handler_is_that_of_the_injected_clock(kind: type[Slow]) -> None:
    """S11.10"""
    clock = HandClock()
    runtime = ThreadRuntime(clock=clock)
    ref = runtime.spawn(kind, name="slow")
    for seconds in (0.25, 2):
        ref.ask(seconds, timeout=PATIENCE)  # type: ignore[arg-type]
    runtime.stop(PATIENCE)
    stats = stats_of(runtime, "slow")
    assert {message: (line.count, line.timed, line.handling_ns) for message, line in stats.items()} == {
        "float": (1, 1, SECOND_NS // 4),
        "int": (1, 1, 2 * SECOND_NS),
    }


def test_the_time_in_the_queue_is_from_the_tell_to_the_turn(virtual: Virtual) -> None:
    """S11.10"""
    ref = virtual.spawn(Teller, name="a")
    virtual.run_until_idle()
    virtual.pause(ref)
    ref.tell("x")
    virtual.advance(2)
    (waiting,) = stats_of(virtual, "a").values()
    assert (waiting.message, waiting.count, waiting.depth) == ("str", 0, 1)
    virtual.resume(ref)
    virtual.run_until_idle()
    (handled,) = stats_of(virtual, "a").values()
    assert (handled.count, handled.depth, handled.timed) == (1, 0, 1)
    assert (handled.queue_ns, handled.queue_max_ns, handled.handling_ns) == (2 * SECOND_NS, 2 * SECOND_NS, 0)


def test_in_a_backlog_all_are_counted_and_one_of_128_is_timed(virtual: Virtual) -> None:
    """S11.10"""
    ref = virtual.spawn(Teller, name="a")
    for n in range(257):
        ref.tell(n)
    virtual.run_until_idle()
    assert (stats_of(virtual, "a")["int"].count, stats_of(virtual, "a")["int"].timed) == (257, 3)


def test_a_message_for_an_idle_actor_is_timed_always(threads: ThreadRuntime) -> None:
    """S11.10"""
    ref = threads.spawn(Teller, name="a")
    for _ in range(20):
        ref.ask("x", timeout=PATIENCE)
        while threads.slot("a").incarnation.envelope is not None:  # type: ignore[union-attr]
            assert ref.is_alive()
    stats = stats_of(threads, "a")["str"]
    assert (stats.count, stats.timed) == (20, 20)


def test_a_timer_is_counted_as_its_message_and_a_restart_forgets_nothing(virtual: Virtual) -> None:
    """S11.10"""

    class Ticking(Teller):
        def on_start(self) -> None:
            self.every(1, Note(1))

    child = ChildSpec(name="a", actor=Ticking, args=Teller.Args())
    virtual.start(patient(SupervisorSpec(name="root", children=(child,))))
    virtual.wait_started(PATIENCE)
    virtual.advance(3.5)
    virtual.ref(Address[object]("a")).tell(Boom())
    virtual.advance(3.5)
    stats = stats_of(virtual, "a")
    assert (stats["Note"].count, stats["Boom"].count) == (6, 1)


def test_a_rate_is_of_late(virtual: Virtual) -> None:
    """S11.10"""
    ref = virtual.spawn(Teller, name="a")
    ref.tell(0)
    virtual.run_until_idle()
    rates = []
    for messages in (99, 0, 0, 50):
        for n in range(messages):
            ref.tell(n)
        virtual.advance(10)
        rates.append(stats_of(virtual, "a")["int"].per_second)
    assert rates == [10.0, 5.0, 0.0, 2.5]


def test_many_classes_are_counted_as_one(virtual: Virtual) -> None:
    """S11.10"""
    ref = virtual.spawn(Teller, name="a")
    for n in range(200):
        for _ in range(2):
            ref.tell(msgspec.defstruct(f"Made{n}", [])())
    virtual.run_until_idle()
    stats = stats_of(virtual, "a")
    assert len(stats) == 65
    assert stats["others"].count == 2 * (200 - 64)


def test_messages_that_are_not_understood_are_not_counted(virtual: Virtual) -> None:
    """S11.10"""
    ref: Any = virtual.spawn(Slow, name="a")
    ref.tell("a word")
    virtual.run_until_idle()
    assert stats_of(virtual, "a") == {}


def test_an_actor_in_a_process_is_shown_by_its_stand_in(threads: ThreadRuntime) -> None:
    """S11.10"""
    probe = threads.probe()
    ref = threads.spawn(Hosted, Hosted.Args(probe.ref), name="far", process=OwnProcess())
    for _ in range(2):  # the second one has its turn when the first is done
        ref.ask(7, timeout=PATIENCE)  # type: ignore[arg-type]
    stats = stats_of(threads, "far")["int"]
    assert stats.count == 2
    assert stats.timed >= 1
    assert stats.handling_ns > 0


def test_one_actor_s_messages_are_logged_while_it_is_traced(runtime: Runtime) -> None:
    """S11.11"""
    probe = runtime.probe()
    traced = runtime.spawn(Teller, Teller.Args(probe.ref), name="traced")
    other = runtime.spawn(Teller, Teller.Args(probe.ref), name="other")

    def tell(note: object) -> None:
        for ref in (traced, other):
            ref.tell(note)
            probe.expect_message((1, note))

    with capture_logs() as logs:
        tell("before")
        runtime.trace.log("traced")
        assert runtime.trace.logged == {"traced"}
        tell(Note("x" * 1000))
        runtime.trace.stop_logging("traced")
        tell("after")
    (line,) = logs
    assert (line["event"], line["name"], line["message"], line["cause"]) == ("trace", "traced", "Note", 0)
    assert line["content"] == repr(Note("x" * 1000))[:500]
    assert line["queued_ms"] >= 0
    assert not runtime.trace.on


def test_a_log_of_messages_leaves_a_recorded_trace_as_it_is(virtual: Virtual) -> None:
    """S11.11"""
    ref = virtual.spawn(Teller, name="a")
    virtual.trace.log("a")
    ref.tell(1)
    virtual.run_until_idle()
    assert list(virtual.trace.steps) == []
    virtual.trace.switch_on("a")
    virtual.trace.stop_logging("a")
    ref.tell(2)
    virtual.run_until_idle()
    assert [step.kind for step in virtual.trace.steps] == ["int"]
    virtual.trace.switch_off()
    assert not virtual.trace.on
