"""Supervision, with exact schedules in virtual time and the same trees on threads."""

import threading
from collections.abc import Iterator
from random import Random

import msgspec
import pytest

from mats.runtime import (
    Backoff,
    ChildFailed,
    ChildParked,
    ChildRestarted,
    ChildRestarting,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    Crash,
    Escalated,
    Limit,
    NoArgs,
    Park,
    Ref,
    Refused,
    Runtime,
    StartChild,
    StartTimeout,
    StopChild,
    SupervisorSpec,
    Unpark,
    VirtualRuntime,
)
from mats.runtime.testing import Probe
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Hooks, Teller, patient

SOON = Backoff(min=0.01, max=0.01, jitter=0)
SECOND = Backoff(min=1, max=1, jitter=0)


def hooks(out: Probe, *names: str) -> tuple[ChildSpec, ...]:
    return tuple(ChildSpec(name=name, actor=Hooks, args=Hooks.Args(out=out.ref)) for name in names)


def story(out: Probe, n: int) -> list[str]:
    """The next hooks, as `name1 hook`."""
    return [f"{m[0]}{m[1]} {m[2]}" for m in out.receive(n, timeout=PATIENCE) if isinstance(m, tuple)]


def begun(runtime: Runtime, spec: SupervisorSpec) -> Ref[object]:
    ref = runtime.start(spec if isinstance(runtime, VirtualRuntime) else patient(spec))
    runtime.wait_started(PATIENCE)
    return ref


def events_of(runtime: Runtime) -> list[object]:
    events: list[object] = []
    runtime.on_event.append(events.append)
    return events


def wait_for(runtime: Runtime, events: list[object], expected: object) -> None:
    """Until the event is among `events`."""
    found = threading.Event()
    runtime.on_event.append(lambda event: found.set() if event == expected else None)
    if expected not in tuple(events):
        assert runtime.wait(found, PATIENCE)


class SlowStart(Teller):
    """On a loop: takes `seconds` to start."""

    host = "loop"

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]
        seconds: float

    def __init__(self, args: Args) -> None:
        super().__init__(Teller.Args(args.out))
        self.seconds = args.seconds

    async def on_start(self) -> None:
        import asyncio

        assert self.out is not None
        self.out.tell((self.name, self.incarnation, "begins"))
        await asyncio.sleep(self.seconds)
        self.out.tell((self.name, self.incarnation, "ready"))


class Flaky(Teller):
    """Its start fails as long as `bad` has something to pop."""

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]
        bad: list[int]

    def __init__(self, args: Args) -> None:
        super().__init__(Teller.Args(args.out))
        self.bad = args.bad

    def on_start(self) -> None:
        assert self.out is not None
        self.out.tell((self.name, self.incarnation, "starts"))
        if self.bad:
            raise RuntimeError(f"not yet {self.bad.pop()}")


def test_children_start_one_after_the_other(runtime: Runtime) -> None:
    """S7.1 and S7.17"""
    out = runtime.probe()
    args = SlowStart.Args(out.ref, 0.02)
    inner = SupervisorSpec(name="in", children=(ChildSpec(name="b", actor=SlowStart, args=args), *hooks(out, "c")))
    first = ChildSpec(name="a", actor=SlowStart, args=args)
    begun(runtime, SupervisorSpec(name="root", children=(first, inner, *hooks(out, "d"))))
    expected = ["a1 begins", "a1 ready", "in/b1 begins", "in/b1 ready", "in/c1 init", "in/c1 on_start", "d1 init"]
    assert story(out, 7) == expected


def test_the_next_child_starts_when_the_deadline_of_the_one_before_has_passed(virtual: VirtualRuntime) -> None:
    """S7.1, S7.2"""
    out = virtual.probe()
    events = events_of(virtual)
    args = SlowStart.Args(out.ref, 100.0)
    slow = ChildSpec(name="slow", actor=SlowStart, args=args, start_deadline=3)
    begun(virtual, SupervisorSpec(name="root", children=(slow, *hooks(out, "next")), backoff=SECOND))
    assert virtual.monotonic() == 3
    assert story(out, 4) == ["slow1 begins", "next1 init", "next1 on_start", "slow2 begins"]
    assert virtual.monotonic() == 4
    assert ChildFailed("slow", 1, "abandoned", "abandoned") in events


def test_a_failing_start_is_retried_with_backoff_and_holds_the_others_until_its_deadline(
    virtual: VirtualRuntime,
) -> None:
    """S7.1, S7.6"""
    out = virtual.probe()
    flaky = ChildSpec(name="f", actor=Flaky, args=Flaky.Args(out=out.ref, bad=[1, 2]), start_deadline=1.5)
    begun(virtual, SupervisorSpec(name="root", children=(flaky, *hooks(out, "next")), backoff=SECOND))
    assert virtual.monotonic() == 1.5
    assert story(out, 5) == ["f1 starts", "f2 starts", "next1 init", "next1 on_start", "f3 starts"]


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ("one_for_one", ["b1 on_failure", "b2 init", "b2 on_start"]),
        (
            "rest_for_one",
            ["b1 on_failure", "d1 on_stop", "c1 on_stop", *(f"{x}2 {h}" for x in "bcd" for h in ("init", "on_start"))],
        ),
        (
            "one_for_all",
            ["b1 on_failure", "d1 on_stop", "c1 on_stop", "a1 on_stop"]
            + [f"{x}2 {h}" for x in "abcd" for h in ("init", "on_start")],
        ),
    ],
)
def test_strategies_restart_the_right_ones_in_the_right_order(runtime: Runtime, strategy: str, told: list[str]) -> None:
    """S7.3 and S7.4"""
    out = runtime.probe()
    children = hooks(out, "a", "b", "c", "d")
    root = begun(runtime, SupervisorSpec(name="root", strategy=strategy, children=children, backoff=SOON))  # type: ignore[arg-type]
    story(out, 8)
    runtime.ref("b").tell(Boom())
    assert story(out, len(told)) == told
    if isinstance(runtime, VirtualRuntime):
        runtime.advance(60)
    (marker,) = hooks(out, "marker")
    root.tell(StartChild(marker))
    assert story(out, 2) == ["marker1 init", "marker1 on_start"]


def test_nobody_of_a_group_comes_up_before_all_are_down(virtual: VirtualRuntime) -> None:
    """S7.4"""
    out = virtual.probe()
    begun(virtual, SupervisorSpec(name="root", strategy="one_for_all", children=hooks(out, "a", "b"), backoff=SECOND))
    story(out, 4)
    virtual.pause(virtual.ref("b"))
    virtual.ref("a").tell(Boom())
    assert story(out, 1) == ["a1 on_failure"]
    out.expect_nothing(3)
    virtual.resume(virtual.ref("b"))
    assert story(out, 3) == ["b1 on_stop", "a2 init", "a2 on_start"]
    assert virtual.monotonic() == 3


def test_a_sibling_that_fails_while_its_group_goes_down_comes_up_once(virtual: VirtualRuntime) -> None:
    """S7.4"""
    out = virtual.probe()
    children = hooks(out, "a", "b", "c")
    begun(virtual, SupervisorSpec(name="root", strategy="rest_for_one", children=children, backoff=SECOND))
    story(out, 6)
    virtual.ref("a").tell(Boom())
    virtual.ref("b").tell(Boom())
    told = story(out, 9)
    assert sorted(told[:3]) == ["a1 on_failure", "b1 on_failure", "c1 on_stop"]
    assert told[3:] == [f"{name}2 {hook}" for name in "abc" for hook in ("init", "on_start")]
    virtual.advance(60)
    assert virtual.ref("root").is_alive()
    assert [virtual.ref(name).incarnation for name in "abc"] == [2, 2, 2]


def test_delays_follow_the_formula_to_the_last_digit(virtual: VirtualRuntime) -> None:
    """S7.5"""
    runtime = VirtualRuntime(seed=7)
    events = events_of(runtime)
    backoff = Backoff(min=1, max=6, jitter=0.2, reset_after=30)
    child = ChildSpec(name="c", actor=Teller, args=Teller.Args(), backoff=backoff)
    begun(runtime, SupervisorSpec(name="root", children=(child,)))
    ref = runtime.ref("c")
    for up in (0, 0, 0, 0, 30, 0):
        runtime.advance(up)
        ref.tell(Crash())
        runtime.run_until_idle()
        runtime.run_until(ref.is_alive, timeout=100)
        runtime.run_until_idle()
    u = Random("7/root/1")
    expected = [base * (1 + u.random() * 0.2) for base in (1, 2, 4, 6, 1, 2)]
    assert [event.delay for event in events if isinstance(event, ChildRestarting)] == expected
    assert runtime.monotonic() == pytest.approx(30 + sum(expected))


def test_the_limit_counts_failures_within_its_window(virtual: VirtualRuntime) -> None:
    """S7.6"""
    events = events_of(virtual)
    children = tuple(ChildSpec(name=name, actor=Teller, args=Teller.Args()) for name in "ab")
    begun(virtual, SupervisorSpec(name="root", children=children, limit=Limit(2, 10), backoff=SOON))
    for name, pause in (("a", 6), ("b", 6), ("a", 5), ("b", 1)):
        virtual.ref(name).tell(Crash())
        virtual.advance(pause)
        assert not virtual.escalated.is_set()
    virtual.ref("a").tell(Crash("last straw"))
    virtual.advance(1)
    assert virtual.escalated.is_set()
    assert "a failed too often, last: TestCrash: last straw" in virtual.escalation
    assert any(isinstance(event, Escalated) and event.name == "root" for event in events)
    assert [s.state for s in virtual.status()] == ["stopped"] * 3


def test_a_child_with_its_own_limit_is_counted_alone(virtual: VirtualRuntime) -> None:
    """S7.7 and S7.8"""
    events = events_of(virtual)
    own = ChildSpec(name="own", actor=Teller, args=Teller.Args(), limit=Limit(1, 100), over_limit="park")
    other = ChildSpec(name="other", actor=Teller, args=Teller.Args())
    begun(virtual, SupervisorSpec(name="root", children=(own, other), limit=Limit(1, 100), backoff=SOON))
    for name in ("own", "other", "own"):
        virtual.ref(name).tell(Crash(name))
        virtual.advance(1)
    assert not virtual.escalated.is_set()
    assert ChildParked("own", "failed too often, last: TestCrash: own") in events
    virtual.ref("other").tell(Crash("other"))
    virtual.advance(1)
    assert virtual.escalated.is_set()


def test_a_parked_child_is_closed_until_it_is_unparked_and_its_siblings_do_not_notice(runtime: Runtime) -> None:
    """S7.8"""
    out = runtime.probe()
    events = events_of(runtime)
    parked = ChildSpec(name="p", actor=Teller, args=Teller.Args(out=out.ref), limit=Limit(0, 60), over_limit="park")
    root = begun(runtime, SupervisorSpec(name="root", children=(parked, *hooks(out, "s")), backoff=SOON))
    story(out, 2)
    ref = runtime.ref("p")
    ref.tell(Boom("bad"))
    wait_for(runtime, events, ChildParked("p", "failed too often, last: ValueError: bad"))
    (status,) = [s for s in runtime.status() if s.name == "p"]
    assert (status.state, status.parked) == ("parked", "failed too often, last: ValueError: bad")
    assert not ref.offer("closed")
    assert root.ask(Unpark("s"), timeout=PATIENCE) == Refused("s", "s is not parked, it is running")
    assert root.ask(Unpark("p"), timeout=PATIENCE) == ChildStarted("p", 2)
    ref.tell("open")
    out.expect_message((2, "open"))


def test_a_restart_of_the_supervisor_does_not_wake_the_parked(runtime: Runtime) -> None:
    """S7.8"""
    inner = SupervisorSpec(
        name="in", children=tuple(ChildSpec(name=x, actor=Teller, args=Teller.Args()) for x in "ab"), backoff=SOON
    )
    begun(runtime, SupervisorSpec(name="root", children=(inner,), backoff=SOON))
    assert runtime.ref("in").ask(Park("a", "by hand"), timeout=PATIENCE) == ChildParked("in/a", "by hand")
    probe = runtime.probe()
    probe.watch(runtime.ref("in"))
    runtime.ref("in").signal(Crash())
    probe.expect_down(runtime.ref("in"))
    assert runtime.ref("in/b").ask("up", timeout=PATIENCE) == "up"
    (status,) = [s for s in runtime.status() if s.name == "in/a"]
    assert (status.state, status.parked, status.incarnation) == ("parked", "by hand", 1)
    assert runtime.ref("in").ask(Unpark("a"), timeout=PATIENCE) == ChildStarted("in/a", 2)


def test_escalation_stops_the_children_and_lets_the_parent_decide(runtime: Runtime) -> None:
    """S7.9"""
    out = runtime.probe()
    inner = SupervisorSpec(name="in", children=hooks(out, "a", "b"), limit=Limit(0, 60), backoff=SOON)
    begun(runtime, SupervisorSpec(name="root", children=(inner,), limit=Limit(1, 3_600), backoff=SOON))
    story(out, 4)
    runtime.ref("in/a").tell(Boom())
    assert story(out, 6) == [
        *("in/a1 on_failure", "in/b1 on_stop"),
        *("in/a2 init", "in/a2 on_start", "in/b2 init", "in/b2 on_start"),
    ]
    assert not runtime.escalated.is_set()
    runtime.ref("in/b").tell(Boom())
    assert runtime.wait(runtime.escalated, PATIENCE)
    assert runtime.escalation.startswith("RestartLimitReached: root gave up: in failed too often")


def test_with_keep_a_child_goes_on_being_restarted(virtual: VirtualRuntime) -> None:
    """S7.10"""
    child = ChildSpec(
        name="c", actor=Teller, args=Teller.Args(), limit=Limit(1, 1000), over_limit="keep", backoff=SECOND
    )
    begun(virtual, SupervisorSpec(name="root", children=(child,)))
    for n in range(2, 12):
        virtual.ref("c").tell(Crash())
        virtual.advance(1.5)
        assert virtual.ref("c").incarnation == n
    assert virtual.ref("c").is_alive()


@pytest.mark.parametrize(
    ("kind", "end", "lives"),
    [
        ("permanent", "normal", True),
        ("permanent", "failed", True),
        ("transient", "normal", False),
        ("transient", "failed", True),
        ("temporary", "normal", False),
        ("temporary", "failed", False),
    ],
)
def test_who_is_restarted_after_which_end(virtual: VirtualRuntime, kind: str, end: str, lives: bool) -> None:
    """S7.11"""
    child = ChildSpec(name="c", actor=Teller, args=Teller.Args(), restart=kind)  # type: ignore[arg-type]
    begun(virtual, SupervisorSpec(name="root", children=(child,), backoff=SECOND))
    ref = virtual.ref("c")
    if end == "normal":
        ref.stop()
    else:
        ref.tell(Boom())
    virtual.advance(2)
    assert ref.is_alive() is lives
    assert ref.offer("?") is lives
    assert virtual.ref("root").is_alive()


def test_a_temporary_child_does_not_come_back_with_its_group(virtual: VirtualRuntime) -> None:
    """S7.11"""
    children = (
        ChildSpec(name="a", actor=Teller, args=Teller.Args()),
        ChildSpec(name="t", actor=Teller, args=Teller.Args(), restart="temporary"),
        ChildSpec(name="z", actor=Teller, args=Teller.Args()),
    )
    begun(virtual, SupervisorSpec(name="root", strategy="one_for_all", children=children, backoff=SECOND))
    virtual.ref("a").tell(Crash())
    virtual.advance(2)
    assert [virtual.ref(name).incarnation for name in "atz"] == [2, 1, 2]
    assert not virtual.ref("t").offer("closed")


@pytest.mark.parametrize("policy", ["keep", "flush"])
def test_what_waits_at_a_restart_is_kept_or_flushed(runtime: Runtime, policy: str) -> None:
    """S7.12 and S1.3"""
    out = runtime.probe()
    events = events_of(runtime)
    ref = runtime.ref("c")
    for message in ("a", Boom(), "b", "c"):
        ref.tell(message)
    child = ChildSpec(name="c", actor=Teller, args=Teller.Args(out=out.ref), mailbox_at_restart=policy)  # type: ignore[arg-type]
    begun(runtime, SupervisorSpec(name="root", children=(child,), backoff=SOON))
    out.expect_message((1, "a"))
    if policy == "keep":
        assert out.receive(2) == [(2, "b"), (2, "c")]
        assert runtime.dead_letters.counts == {"failed": 1}
    else:
        wait_for(runtime, events, ChildRestarted("c", 2))
        assert runtime.dead_letters.counts == {"failed": 1, "unprocessed": 2}
        ref.tell("d")
        out.expect_message((2, "d"))


def test_a_stop_goes_in_reverse_order_and_drains(runtime: Runtime) -> None:
    """S7.13"""
    out = runtime.probe()
    inner = SupervisorSpec(name="in", children=hooks(out, "b", "c"))
    begun(runtime, SupervisorSpec(name="root", children=(*hooks(out, "a"), inner, *hooks(out, "d"))))
    story(out, 8)
    for n in range(3):
        runtime.ref("in/b").tell(n)
    report = runtime.stop(PATIENCE)
    assert report.clean
    got = out.receive(7)
    assert [m for m in got if isinstance(m, tuple) and len(m) == 2] == [(1, 0), (1, 1), (1, 2)]
    assert [m[0] for m in got if isinstance(m, tuple) and m[-1] == "on_stop"] == ["d", "in/c", "in/b", "a"]
    runtime.dead_letters.assert_none()


def test_children_come_and_go_at_run_time(runtime: Runtime) -> None:
    """S7.14"""
    out = runtime.probe()
    root = begun(runtime, SupervisorSpec(name="root"))
    (spec,) = hooks(out, "n")
    assert root.ask(StartChild(spec), timeout=PATIENCE) == ChildStarted("n", 1)
    assert root.ask(StartChild(spec), timeout=PATIENCE) == Refused("n", "n exists already; stop it first")
    assert root.ask(Park("n", "why"), timeout=PATIENCE) == ChildParked("n", "why")
    root.tell(Unpark("n", reply_to=out.ref))
    assert out.fish(lambda m: isinstance(m, ChildStarted)) == ChildStarted("n", 2)
    assert root.ask(StopChild("n"), timeout=PATIENCE) == ChildStopped("n")
    assert root.ask(StopChild("n"), timeout=PATIENCE) == Refused("n", "root has no child n")
    assert not runtime.ref("n").offer("gone")
    bad = ChildSpec(name="bad", actor=Flaky, args=Flaky.Args(out=out.ref, bad=[1]))
    assert root.ask(StartChild(bad), timeout=PATIENCE) == ChildFailed(
        "bad", 1, "start_failed", "RuntimeError: not yet 1"
    )


def test_a_parked_child_that_was_stopped_can_be_started_afresh(virtual: VirtualRuntime) -> None:
    """S7.14"""
    root = begun(virtual, SupervisorSpec(name="root"))
    child = ChildSpec(name="n", actor=Teller, args=Teller.Args())
    answers = [root.ask(command, timeout=1) for command in (StartChild(child), Park("n", "why"), StopChild("n"))]
    assert answers == [ChildStarted("n", 1), ChildParked("n", "why"), ChildStopped("n")]
    assert root.ask(StartChild(child), timeout=1) == ChildStarted("n", 2)


def test_a_supervisor_that_fails_gets_its_family_back(runtime: Runtime) -> None:
    """S7.15"""
    out = runtime.probe()
    inner = SupervisorSpec(name="in", children=hooks(out, "a"), backoff=SOON)
    begun(runtime, SupervisorSpec(name="root", children=(inner,), backoff=SOON))
    (added,) = hooks(out, "b")
    runtime.ref("in").ask(StartChild(added), timeout=PATIENCE)
    story(out, 4)
    runtime.ref("in").tell(Crash())
    told = story(out, 6)
    assert sorted(told[:2]) == ["in/a1 on_stop", "in/b1 on_stop"]
    assert told[2:] == ["in/a2 init", "in/a2 on_start", "in/b2 init", "in/b2 on_start"]


def test_a_tree_that_does_not_come_up_says_who_is_late(virtual: VirtualRuntime) -> None:
    """S7.17"""
    out = virtual.probe()
    late = ChildSpec(name="late", actor=SlowStart, args=SlowStart.Args(out=out.ref, seconds=9.0))
    virtual.start(SupervisorSpec(name="root", children=(late,)))
    with pytest.raises(StartTimeout, match=r"not started within 2 s: late \(starting\), root \(starting\)"):
        virtual.wait_started(2)
    virtual.wait_started(PATIENCE)
    assert virtual.monotonic() == 9


def bad_specs() -> Iterator[tuple[object, str]]:
    yield lambda: ChildSpec(name="a/b", actor=Teller, args=Teller.Args()), "child name 'a/b' is not usable"
    yield (
        lambda: ChildSpec(name="a", actor=int, args=NoArgs()),
        "child a: actor is <class 'int'>; give a subclass of Actor",
    )  # type: ignore[arg-type]
    yield lambda: ChildSpec(name="a", actor=Teller, args=NoArgs()), r"child a: args are NoArgs\(\); give Teller.Args"
    yield (
        lambda: ChildSpec(name="a", actor=Teller, args=Teller.Args(), restart="often"),
        "child a: restart is 'often'; choose one of",
    )  # type: ignore[arg-type]
    yield (
        lambda: ChildSpec(name="a", actor=Teller, args=Teller.Args(), stop_deadline=0),
        "child a: stop_deadline is 0 s; give more",
    )
    yield lambda: Limit(-1, 5), "limit of -1 in 5 s; give at least 0"
    yield lambda: Backoff(min=2, max=1), r"give 0 <= min <= max"
    yield lambda: SupervisorSpec(name="s", strategy="some"), "supervisor s: strategy is 'some'; choose one of"  # type: ignore[arg-type]
    yield (
        lambda: SupervisorSpec(name="s", children=(ChildSpec(name="a", actor=Teller, args=Teller.Args()),) * 2),
        "supervisor s: child name 'a' is used twice",
    )


@pytest.mark.parametrize(("make", "sentence"), list(bad_specs()))
def test_a_senseless_spec_is_refused_when_it_is_built(make: object, sentence: str) -> None:
    """S7.16"""
    assert callable(make)
    with pytest.raises((ValueError, TypeError), match=sentence):
        make()


def test_the_status_tells_where_everybody_stands(virtual: VirtualRuntime) -> None:
    """S11.2"""
    child = ChildSpec(name="c", actor=Teller, args=Teller.Args(), backoff=SECOND)
    begun(virtual, SupervisorSpec(name="root", children=(child,)))
    ref = virtual.ref("c")
    ref.tell(Boom("why"))
    ref.tell("waits")
    virtual.run_until_idle()
    (status,) = [s for s in virtual.status() if s.name == "c"]
    assert (status.actor, status.state, status.incarnation, status.restarts) == ("Teller", "backoff", 1, 0)
    assert (status.depth, status.last_failure) == (1, "ValueError: why")
    virtual.advance(1)
    (status,) = [s for s in virtual.status() if s.name == "c"]
    assert (status.state, status.incarnation, status.restarts, status.depth) == ("running", 2, 1, 0)
    assert status.since == 1_000_000_000
