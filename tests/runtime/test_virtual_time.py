"""Virtual time: one seed, one trace."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mats.runtime import (
    Actor,
    Backoff,
    ChildSpec,
    Deadlock,
    FollowedClock,
    Ref,
    SimulatedCrash,
    SupervisorSpec,
    SystemClock,
    ThreadRuntime,
    VirtualRuntime,
)
from mats.runtime.testing import ChaosPlan, chaos
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Forward, Hooks, Note, Teller

WORLD = Path(__file__).parent / "world_for_tests.py"


class Swallowing(Actor[object]):
    """A handler that tries to survive anything."""

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]

    def __init__(self, args: Args) -> None:
        self.out = args.out

    def on_receive(self, message: object) -> None:
        try:
            chaos.point("swallowing.before")
            self.out.tell((self.incarnation, message))
        except Exception:
            self.out.tell("swallowed")


def test_without_a_seed_the_order_is_the_order_of_sending(virtual: VirtualRuntime) -> None:
    """S10.1"""
    probe = virtual.probe()
    a, b = (
        virtual.spawn(Teller, Teller.Args(probe.ref), name="a"),
        virtual.spawn(Teller, Teller.Args(probe.ref), name="b"),
    )
    for n in range(0, 20, 2):
        a.tell(n)
        b.tell(n + 1)
    assert probe.receive(20) == [(1, n) for n in range(20)]


def test_a_seed_draws_among_mailboxes_and_keeps_the_order_of_each() -> None:
    """S10.2, S1.3"""

    def run(seed: int) -> list[object]:
        runtime = VirtualRuntime(seed=seed)
        probe = runtime.probe()
        refs = [runtime.spawn(Teller, Teller.Args(probe.ref), name=name) for name in "abc"]
        for n in range(10):
            for letter, ref in zip("abc", refs, strict=True):
                ref.tell((letter, n))
        return [message[1] for message in probe.receive(30) if isinstance(message, tuple)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    for letter in "abc":
        assert [n for name, n in run(3) if name == letter] == list(range(10))  # type: ignore[misc]


def test_one_seed_takes_the_same_steps_in_every_process() -> None:
    """S10.2"""

    def digest(seed: str, hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, str(WORLD), seed]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout.strip().splitlines()[-1]

    first = digest("4", "0")
    assert len(first) == 64
    assert digest("4", "4711") == first
    assert digest("5", "0") != first


def test_waiting_for_what_cannot_happen_is_a_deadlock(virtual: VirtualRuntime) -> None:
    """S10.5"""
    virtual.spawn(Teller, name="a")
    with pytest.raises(Deadlock, match=r"nothing can run and no timer is set at 0\.0 s"):
        virtual.run_until(lambda: False)
    with pytest.raises(TimeoutError, match="not within 5 virtual seconds"):
        virtual.run_until(lambda: False, timeout=5)
    assert virtual.monotonic() == 5


def test_a_kill_runs_no_hook_and_a_pause_holds_everything(virtual: VirtualRuntime) -> None:
    """S10.6"""
    probe, watcher = virtual.probe(), virtual.probe()
    child = ChildSpec(name="h", actor=Hooks, args=Hooks.Args(out=probe.ref))
    virtual.start(SupervisorSpec(name="root", children=(child,), backoff=Backoff(min=1, max=1, jitter=0)))
    virtual.wait_started(1)
    ref = virtual.ref("h")
    probe.receive(2)
    watcher.watch(ref)
    virtual.pause(ref)
    ref.tell("held")
    probe.expect_nothing(1)
    virtual.kill(ref)
    assert watcher.expect_down(ref).reason == "abandoned"
    assert probe.receive(3) == [("h", 2, "init"), ("h", 2, "on_start"), (2, "held")]
    assert virtual.monotonic() == 2


def test_a_chaos_point_is_inert_outside_of_a_plan(virtual: VirtualRuntime) -> None:
    """S10.7"""
    chaos.point("anywhere")
    probe = virtual.probe()
    virtual.spawn(Swallowing, Swallowing.Args(probe.ref), name="s").tell(1)
    probe.expect_message((1, 1))


def test_a_planned_crash_cannot_be_swallowed_and_ends_with_the_run() -> None:
    """S10.7"""
    plan = ChaosPlan(seed=1, points={"swallowing.before": 1.0})
    runtime = VirtualRuntime(plan=plan)
    probe = runtime.probe()
    ref = runtime.spawn(Swallowing, Swallowing.Args(probe.ref), name="s")
    probe.watch(ref)
    ref.tell(1)
    assert isinstance(probe.expect_down(ref).error, SimulatedCrash)
    assert plan.crashes == {"swallowing.before": 1}
    chaos.point("swallowing.before")
    plan.heal()
    runtime.spawn(Swallowing, Swallowing.Args(probe.ref), name="s").tell(2)
    probe.expect_message((2, 2))


def test_hours_of_timers_take_no_time() -> None:
    """S10.3"""

    class Ticking(Actor[object]):
        def __init__(self) -> None:
            self.ticks = 0

        def on_start(self) -> None:
            self.every(1.0, "tick")

        def on_receive(self, message: object) -> object:
            self.ticks += message == "tick"
            return self.ticks

    runtime = VirtualRuntime(start=1_000)
    ref = runtime.spawn(Ticking, name="t")
    runtime.advance(6.5 * 3600)
    assert ref.ask("?", timeout=1) == 23_400
    assert runtime.clock.now() == 1_000 + 23_400 * 1_000_000_000


def test_the_same_actors_say_the_same_on_threads_and_in_virtual_time() -> None:
    """S10.1"""

    def run(runtime: ThreadRuntime | VirtualRuntime) -> list[object]:
        probe = runtime.probe()
        b = runtime.spawn(Teller, Teller.Args(probe.ref), name="b")
        a = runtime.spawn(Teller, Teller.Args(probe.ref), name="a")
        for n in range(20):
            a.tell(Forward(b, Note(n)))
        seen = probe.receive(20)
        runtime.stop(PATIENCE)
        return seen

    assert run(ThreadRuntime()) == run(VirtualRuntime()) == run(VirtualRuntime(seed=9))


def test_a_virtual_clock_never_goes_back(virtual: VirtualRuntime) -> None:
    virtual.advance(5)
    with pytest.raises(ValueError, match=r"virtual time is at 5\.0 s and cannot go back to 4 s"):
        virtual.clock.set(4)


def test_a_followed_clock_says_the_last_instant_told() -> None:
    """S11.6"""
    clock = FollowedClock()
    before = SystemClock.now()
    assert before <= clock.now() <= SystemClock.now()
    clock.advance(2_000)
    assert clock.now() == 2_000
    clock.advance(1_000)
    assert clock.now() == 2_000
    first = clock.monotonic()
    assert clock.monotonic() >= first


def test_a_probe_says_what_it_received_instead(virtual: VirtualRuntime) -> None:
    """S11.3"""
    probe = virtual.probe("observer")
    probe.ref.tell(Note(1))
    probe.ref.tell("two")
    probe.expect(Note)
    with pytest.raises(
        AssertionError, match=r"observer expected a Note, got 'two'; received so far: Note\(n=1\), 'two'"
    ):
        probe.expect(Note)
    with pytest.raises(AssertionError, match=r"observer waited in vain for a str; received so far: Note\(n=1\), 'two'"):
        probe.expect(str, timeout=1)
    probe.ref.tell("three")
    with pytest.raises(AssertionError, match="observer expected nothing, got 'three'"):
        probe.expect_nothing(1)
    with pytest.raises(AssertionError, match="observer has no ask to answer"):
        probe.reply("nobody asked")


def test_a_closed_probe_takes_nothing_and_gives_its_name_back(virtual: VirtualRuntime) -> None:
    probe = virtual.probe("p")
    probe.close()
    assert not probe.ref.offer(1)
    virtual.probe("p").ref.tell(2)
    virtual.dead_letters.assert_none()


def test_a_trace_holds_the_steps_of_those_it_is_switched_on_for(virtual: VirtualRuntime) -> None:
    """S11.4"""
    a, b = virtual.spawn(Teller, name="a"), virtual.spawn(Teller, name="b")
    a.tell(Note(0))
    virtual.run_until_idle()
    virtual.trace.switch_on("b")
    a.tell(Forward(b, Note(1)))
    virtual.run_until_idle()
    (step,) = virtual.trace.steps
    assert (step.name, step.kind, step.time) == ("b", "Note", 0.0)
    assert step.cause == step.root == step.id - 1
    virtual.trace.switch_off()
    b.tell(Note(2))
    virtual.run_until_idle()
    assert len(virtual.trace.steps) == 1
