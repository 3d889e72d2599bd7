"""How a tree ends: everyone has a turn, nobody comes up again, and what has ended for good stays ended."""

import threading
from collections import Counter

import msgspec
import pytest

from mats.runtime import (
    Abandoned,
    Actor,
    Backoff,
    ChildFailed,
    ChildRestarting,
    ChildSpec,
    ChildStopped,
    Crash,
    Event,
    Limit,
    Ref,
    Runtime,
    StartChild,
    StopChild,
    SupervisorSpec,
    ThreadRuntime,
    VirtualRuntime,
)
from mats.runtime.messaging import Stop
from mats.runtime.spec import Spec
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Hooks, Teller

SOON = Backoff(min=0.001, max=0.001, jitter=0)


class Ends(Actor[object]):
    """Ends normally as soon as it runs, and counts its lives."""

    class Args(msgspec.Struct, frozen=True):
        lives: list[int]

    def __init__(self, args: Args) -> None:
        args.lives.append(self.incarnation)

    def on_start(self) -> None:
        self.stop()


def family(*children: Spec, name: str = "s") -> SupervisorSpec:
    return SupervisorSpec(name="root", backoff=SOON, children=(SupervisorSpec(name=name, children=children),))


def ending(lives: list[int], **spec: object) -> ChildSpec[Ends.Args]:
    return ChildSpec(name="job", actor=Ends, args=Ends.Args(lives), **spec)  # type: ignore[arg-type]


# What has ended for good


def test_a_temporary_child_that_has_ended_stays_so_over_a_restart_of_its_supervisor(virtual: VirtualRuntime) -> None:
    """S7.11"""
    lives: list[int] = []
    virtual.start(family(ending(lives, restart="temporary"), ChildSpec(name="b", actor=Teller, args=Teller.Args())))
    virtual.wait_started(60)
    for _ in range(3):
        virtual.ref("s").signal(Crash())
        virtual.advance(60)
    assert lives == [1]
    assert {line.name: line.incarnation for line in virtual.status()} == {"root": 1, "s": 4, "s/job": 1, "s/b": 4}


@pytest.mark.parametrize("seed", range(20))
def test_a_temporary_child_that_ends_with_its_supervisor_is_not_started_by_the_next_one(seed: int) -> None:
    """S7.11: whether it ends before the successor looks, or after"""
    virtual = VirtualRuntime(seed=seed)
    child = ChildSpec(name="job", actor=Teller, args=Teller.Args(), restart="temporary")
    virtual.start(family(child, ChildSpec(name="b", actor=Teller, args=Teller.Args())))
    virtual.wait_started(60)
    virtual.ref("s").signal(Crash())
    virtual.advance(60)
    assert [(line.name, line.state, line.incarnation) for line in virtual.status() if line.name == "s/job"] == [
        ("s/job", "stopped", 1)
    ]


def test_a_family_all_of_whose_children_have_ended_stays_without(virtual: VirtualRuntime) -> None:
    """S7.11"""
    lives: list[int] = []
    virtual.start(family(ending(lives, restart="temporary")))
    virtual.wait_started(60)
    virtual.ref("s").signal(Crash())
    virtual.advance(60)
    virtual.ref("s").signal(Crash())
    virtual.advance(60)
    assert lives == [1]


def test_a_supervisor_that_is_started_afresh_starts_its_temporary_children(virtual: VirtualRuntime) -> None:
    """S7.11, S7.14: it is another supervisor, without a past"""
    lives: list[int] = []
    group = SupervisorSpec(name="s", children=(ending(lives, restart="temporary"),))
    root = virtual.start(SupervisorSpec(name="root", children=()))
    virtual.wait_started(60)
    for _ in range(2):
        root.ask(StartChild(group), timeout=60)
        virtual.advance(1)
        root.ask(StopChild("s"), timeout=60)
    assert lives == [1, 2]


def test_a_permanent_child_that_goes_on_ending_normally_is_over_its_limit(virtual: VirtualRuntime) -> None:
    """S7.6, S7.9"""
    lives: list[int] = []
    virtual.start(SupervisorSpec(name="root", limit=Limit(3, 60.0), backoff=SOON, children=(ending(lives),)))
    virtual.advance(60)
    assert lives == [1, 2, 3, 4]
    assert virtual.escalation == "RestartLimitReached: root gave up: job ended too often, last: normally"


def test_a_permanent_child_that_ends_normally_comes_back_ever_more_slowly(virtual: VirtualRuntime) -> None:
    """S7.5, S7.11"""
    lives: list[int] = []
    events: list[Event] = []
    virtual.on_event.append(events.append)
    backoff = Backoff(min=1.0, max=100.0, jitter=0)
    virtual.start(SupervisorSpec(name="root", backoff=backoff, children=(ending(lives),)))
    virtual.advance(16)
    delays = [event.delay for event in events if isinstance(event, ChildRestarting)]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0]


# The time of a stop


def hangs(virtual: VirtualRuntime, *names: str) -> None:
    for name in names:
        virtual.pause(virtual.ref(name))


def hooks(name: str, out: Ref[object], **spec: object) -> ChildSpec[Hooks.Args]:
    return ChildSpec(name=name, actor=Hooks, args=Hooks.Args(out), **spec)  # type: ignore[arg-type]


def test_where_time_is_short_each_child_has_its_part_and_the_last_one_its_turn(virtual: VirtualRuntime) -> None:
    """S7.18"""
    probe = virtual.probe()
    store = SupervisorSpec(name="store", children=(hooks("writer", probe.ref),))
    core = SupervisorSpec(name="core", children=tuple(hooks(f"c{n}", probe.ref) for n in range(3)))
    strategies = tuple(hooks(f"b{n}", probe.ref, stop_deadline=20.0) for n in range(2))
    virtual.start(SupervisorSpec(name="root", children=(store, core, *strategies)))
    virtual.wait_started(60)
    hangs(virtual, "b0", "b1", "core/c1")
    report = virtual.stop(6.0)
    assert sorted(actor.name for actor in report.abandoned) == ["b0", "b1", "core/c1"]
    assert report.seconds < 6.0
    messages = probe.receive(probe.ref.mailbox.pending)
    assert ("store/writer", 1, "on_stop") in messages
    assert ("core/c0", 1, "on_stop") in messages


def test_time_that_is_not_needed_is_for_those_who_stop_later(virtual: VirtualRuntime) -> None:
    """S7.18: the last one has all that is left, up to its own deadline"""
    probe = virtual.probe()
    children = (hooks("last", probe.ref, stop_deadline=50.0), *(hooks(f"c{n}", probe.ref) for n in range(8)))
    virtual.start(SupervisorSpec(name="root", children=children))
    virtual.wait_started(60)
    hangs(virtual, "last")
    assert virtual.stop(10.0).seconds == pytest.approx(9.0)


def test_where_there_is_time_enough_the_deadlines_hold(virtual: VirtualRuntime) -> None:
    """S7.18"""
    probe = virtual.probe()
    group = SupervisorSpec(name="group", children=(hooks("a", probe.ref), hooks("b", probe.ref, stop_deadline=3.0)))
    virtual.start(SupervisorSpec(name="root", children=(group,)))
    virtual.wait_started(60)
    hangs(virtual, "group/a", "group/b")
    assert virtual.stop(600.0).seconds == pytest.approx(8.0)


def test_a_stop_that_comes_during_a_restart_shortens_its_time(virtual: VirtualRuntime) -> None:
    """S7.18: the group was given more"""
    probe = virtual.probe()
    group = SupervisorSpec(
        name="group", children=(hooks("first", probe.ref), hooks("b", probe.ref, stop_deadline=50.0))
    )
    virtual.start(
        SupervisorSpec(name="root", strategy="one_for_all", backoff=SOON, children=(hooks("x", probe.ref), group))
    )
    virtual.wait_started(60)
    hangs(virtual, "group/b")
    virtual.ref("x").signal(Crash())
    virtual.advance(1)
    report = virtual.stop(4.0)
    assert [actor.name for actor in report.abandoned] == ["group/b"]
    assert report.seconds < 4.0
    assert ("group/first", 1, "on_stop") in probe.receive(probe.ref.mailbox.pending)


def test_children_that_do_not_need_each_other_end_side_by_side(virtual: VirtualRuntime) -> None:
    """S7.19"""
    probe = virtual.probe()
    names = [f"b{n}" for n in range(4)]
    group = SupervisorSpec(
        name="group", stop_together=True, children=tuple(hooks(n, probe.ref, stop_deadline=2.0) for n in names)
    )
    assert group.stop_deadline == 3.0
    virtual.start(SupervisorSpec(name="root", children=(hooks("a", probe.ref), group)))
    virtual.wait_started(60)
    hangs(virtual, *(f"group/{name}" for name in names))
    report = virtual.stop(60.0)
    assert sorted(actor.name for actor in report.abandoned) == [f"group/{name}" for name in names]
    assert report.seconds == pytest.approx(2.0)


def test_children_added_at_run_time_end_side_by_side_too(virtual: VirtualRuntime) -> None:
    """S7.19, S7.14"""
    probe = virtual.probe()
    virtual.start(SupervisorSpec(name="root", children=(SupervisorSpec(name="group", stop_together=True),)))
    virtual.wait_started(60)
    for n in range(4):
        group = virtual.slot("group").ref
        group.ask(StartChild(hooks(f"b{n}", probe.ref, stop_deadline=2.0)), timeout=60)
    hangs(virtual, *(f"group/b{n}" for n in range(4)))
    assert virtual.stop(60.0).seconds == pytest.approx(2.0)


# Nobody comes up again


class Blocks(Actor[object]):
    class Args(msgspec.Struct, frozen=True):
        entered: threading.Event
        release: threading.Event

    def __init__(self, args: Args) -> None:
        self.args = args

    def on_receive(self, message: object) -> None:
        self.args.entered.set()
        self.args.release.wait(PATIENCE)


@pytest.mark.parametrize("timeout", [0.0, 0.001, 0.1])
@pytest.mark.parametrize("trial", range(5))
def test_a_stop_that_is_over_its_time_restarts_nobody_and_escalates_nothing(timeout: float, trial: int) -> None:
    """S7.20"""
    runtime, events = ThreadRuntime(seed=trial), []
    args = Blocks.Args(threading.Event(), threading.Event())
    core = SupervisorSpec(
        name="core",
        backoff=Backoff(min=0, max=0, jitter=0),
        limit=Limit(3, 60.0),
        children=tuple(ChildSpec(name=f"c{n}", actor=Teller, args=Teller.Args()) for n in range(8)),
    )
    blocked = ChildSpec(name="b", actor=Blocks, args=args)
    runtime.start(
        SupervisorSpec(
            name="root",
            strategy="rest_for_one",
            limit=Limit(3, 600.0),
            backoff=Backoff(min=0, max=0, jitter=0),
            children=(core, blocked),
        )
    )
    runtime.wait_started(PATIENCE)
    runtime.slot("b").ref.tell("block")
    assert args.entered.wait(PATIENCE)
    runtime.on_event.append(events.append)
    report = runtime.stop(timeout)
    args.release.set()
    for thread in threading.enumerate():
        if thread.name in {"root", "core", "b"} | {f"core/c{n}" for n in range(8)}:
            thread.join(PATIENCE)
    assert "b" in [actor.name for actor in report.abandoned]
    assert Counter(type(event) for event in events).keys() <= {Abandoned, ChildStopped}
    assert not [line.name for line in runtime.status() if line.state in ("starting", "running", "backoff")]
    assert not runtime.escalated.is_set()


def test_what_an_abandoned_supervisor_still_wants_is_not_done(threads: ThreadRuntime) -> None:
    """S7.20, S8.2"""
    threads.start(SupervisorSpec(name="root", children=(ChildSpec(name="a", actor=Teller, args=Teller.Args()),)))
    threads.wait_started(PATIENCE)
    events: list[Event] = []
    threads.on_event.append(events.append)
    threads.abandon("root")
    assert [event.name for event in events if isinstance(event, Abandoned)] == ["root", "a"]
    assert not [event for event in events if isinstance(event, ChildFailed)]
    assert not threads.ref("a").is_alive()


def test_a_stopped_runtime_starts_nobody(runtime: Runtime) -> None:
    """S7.20"""
    runtime.stop(PATIENCE)
    with pytest.raises(RuntimeError, match="the runtime has stopped and cannot start late"):
        runtime.spawn(Teller, name="late")


def test_an_actor_that_is_abandoned_before_it_begins_does_not_begin(virtual: VirtualRuntime) -> None:
    """S7.20, S8.2"""
    probe = virtual.probe()
    ref = virtual.spawn(Hooks, Hooks.Args(probe.ref), name="h")
    incarnation = virtual.slot("h").incarnation
    assert incarnation is not None
    virtual.abandon("h")
    assert incarnation.begin() is None
    probe.expect_nothing()
    assert not ref.is_alive()


def test_a_root_that_fails_while_it_is_stopped_is_no_escalation(virtual: VirtualRuntime) -> None:
    """S7.20"""
    virtual.start(SupervisorSpec(name="root", children=(ChildSpec(name="a", actor=Teller, args=Teller.Args()),)))
    virtual.wait_started(60)
    virtual.pause(virtual.ref("a"))
    virtual.ref("root").signal(Stop())
    virtual.run_until_idle()
    virtual.ref("root").signal(Crash())
    assert virtual.stop(60).seconds < 60
    assert not virtual.escalated.is_set()


def test_a_stop_raises_nothing_whatever_is_in_its_way(virtual: VirtualRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """S7.20, S11.8"""

    def bad(*_args: object) -> None:
        raise KeyboardInterrupt

    for name in ("a", "b"):
        virtual.spawn(Teller, name=name)
        virtual.pause(virtual.ref(name))
    monkeypatch.setattr(virtual, "interrupt", bad)
    virtual.on_event.append(bad)
    report = virtual.stop(1)
    assert sorted(actor.name for actor in report.abandoned) == ["a", "b"]
    assert not virtual.ref("a").is_alive()
