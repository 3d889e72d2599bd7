"""Watches and timers: notices for one incarnation."""

import msgspec
import pytest

from mats.runtime import Actor, Backoff, ChildSpec, Down, Ref, Runtime, SupervisorSpec, Timer, VirtualRuntime
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Note, Teller, Watcher, expect_no_more


class Timed(Actor[object]):
    """Arms timers when told `(kind, seconds, message)`, cancels with "cancel", and tells `out` what fires."""

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]

    def __init__(self, args: Args) -> None:
        self.out = args.out
        self.timer: Timer | None = None

    def on_receive(self, message: object) -> None:
        match message:
            case ("after", float(seconds), what):
                self.timer = self.after(seconds, what)
            case ("every", float(seconds), what):
                self.timer = self.every(seconds, what)
            case "cancel":
                assert self.timer is not None
                self.timer.cancel()
            case Boom(text=text):
                raise ValueError(text)
            case _:
                self.out.tell((self.incarnation, message, self.clock.monotonic()))


def test_a_watch_yields_exactly_one_down(runtime: Runtime) -> None:
    """S5.1"""
    probe, out = runtime.probe(), runtime.probe()
    target = runtime.spawn(Teller, name="target")
    runtime.spawn(Watcher, Watcher.Args(target, out.ref), name="watcher").tell("started?")
    probe.watch(target, "mine")
    target.ask("sync", timeout=PATIENCE)
    if isinstance(runtime, VirtualRuntime):
        runtime.run_until_idle()
    else:
        runtime.ref("watcher").ask("sync", timeout=PATIENCE)
    target.tell(Boom())
    mine, theirs = probe.expect(Down), out.expect(Down)
    assert (mine.name, mine.incarnation, mine.tag, mine.reason) == ("target", 1, "mine", "failed")
    assert theirs.tag == "tag"
    if not isinstance(runtime, VirtualRuntime):
        runtime.ref("watcher").ask("whatever came before", timeout=PATIENCE)
    expect_no_more(runtime, probe)
    expect_no_more(runtime, out)


def test_watching_the_gone_answers_at_once_and_the_unborn_later(runtime: Runtime) -> None:
    """S5.2"""
    probe = runtime.probe()
    target = runtime.ref("target")
    probe.watch(target)
    expect_no_more(runtime, probe)
    runtime.spawn(Teller, name="target").stop()
    assert probe.expect_down(target).reason == "normal"
    down = probe.expect_down(target)
    assert (down.reason, down.incarnation) == ("noproc", 1)


def test_what_was_meant_for_an_incarnation_dies_with_it(virtual: VirtualRuntime) -> None:
    """S5.3 and S6.4"""
    out = virtual.probe()
    target = virtual.spawn(Teller, name="target")
    spec = SupervisorSpec(
        name="root",
        backoff=Backoff(min=1, max=1, jitter=0),
        children=(
            ChildSpec(name="watcher", actor=Watcher, args=Watcher.Args(target=target, out=out.ref)),
            ChildSpec(name="timed", actor=Timed, args=Timed.Args(out=out.ref)),
        ),
    )
    virtual.start(spec)
    virtual.wait_started(1)
    watcher, timed = virtual.ref("watcher"), virtual.ref("timed")
    timed.tell(("after", 0.5, "old"))
    timed.tell(("every", 0.5, "old too"))
    virtual.run_until_idle()
    virtual.pause(watcher)
    target.tell(Boom())
    watcher.signal(Boom())
    timed.tell(Boom())
    virtual.run_until_idle()
    virtual.resume(watcher)
    virtual.advance(5)
    (down,) = out.receive(1)
    assert isinstance(down, Down)
    assert down.reason == "noproc", "the second incarnation watches for itself; the first one's Down is not its own"
    out.expect_nothing(2)


def test_watches_of_ended_incarnations_do_not_pile_up(virtual: VirtualRuntime) -> None:
    """S5.1"""
    out = virtual.probe()
    target = virtual.spawn(Teller, name="target")
    child = ChildSpec(name="w", actor=Watcher, args=Watcher.Args(target=target, out=out.ref))
    virtual.start(SupervisorSpec(name="root", children=(child,), backoff=Backoff(min=0, max=0)))
    virtual.wait_started(1)
    for _ in range(20):
        virtual.ref("w").tell(Boom())
        virtual.advance(1)
    assert virtual.ref("w").incarnation == 21
    assert len(virtual.slot("target")._watchers) == 1
    target.tell(Boom())
    out.expect(Down)
    out.expect_nothing(1)


def test_after_fires_once_at_its_time(virtual: VirtualRuntime) -> None:
    """S6.1 and S10.3"""
    out = virtual.probe()
    ref = virtual.spawn(Timed, Timed.Args(out.ref), name="t")
    ref.tell(("after", 2.0, "due"))
    virtual.run_until_idle()
    assert virtual.monotonic() == 0
    virtual.advance(1.9)
    out.expect_nothing(0)
    out.expect_message((1, "due", 2.0))
    out.expect_nothing(10)
    assert virtual.monotonic() == 12.0
    assert virtual.clock.now() == 12_000_000_000


def test_real_timers_fire_too(runtime: Runtime) -> None:
    """S6.1 and S6.2"""
    out = runtime.probe()
    ref = runtime.spawn(Timed, Timed.Args(out.ref), name="t")
    before = runtime.monotonic()
    ref.tell(("after", 0.03, "once"))
    got = out.expect(tuple)
    assert got[:2] == (1, "once")
    assert got[2] - before >= 0.03
    ref.tell(("every", 0.01, "tick"))
    assert [message[1] for message in out.receive(3) if isinstance(message, tuple)] == ["tick"] * 3


def test_every_keeps_its_grid_and_never_piles_up(virtual: VirtualRuntime) -> None:
    """S6.2"""
    out = virtual.probe()
    ref = virtual.spawn(Timed, Timed.Args(out.ref), name="t")
    ref.tell(("every", 0.25, "tick"))
    assert out.receive(3) == [(1, "tick", 0.25), (1, "tick", 0.5), (1, "tick", 0.75)]
    virtual.pause(ref)
    virtual.advance(10)
    assert len(ref.mailbox) == 1
    virtual.resume(ref)
    assert out.receive(2) == [(1, "tick", 10.75), (1, "tick", 11.0)]


def test_a_timer_that_fell_behind_goes_on_with_its_grid() -> None:
    """S6.2"""
    fired: list[Timer] = []
    timer = Timer(10.0, 1.0, "tick", fired.append, set())
    assert timer.fire(13.5)
    assert timer.due == 14.0
    assert fired == [timer]


def test_a_cancelled_timer_is_not_delivered_even_from_the_mailbox(virtual: VirtualRuntime) -> None:
    """S6.3"""
    out = virtual.probe()
    ref = virtual.spawn(Timed, Timed.Args(out.ref), name="t")
    ref.tell(("after", 1.0, "never"))
    virtual.run_until_idle()
    virtual.pause(ref)
    ref.tell("cancel")
    virtual.advance(2)
    assert len(ref.mailbox) == 2
    virtual.resume(ref)
    out.expect_nothing(3)


def test_a_periodic_timer_needs_a_period(virtual: VirtualRuntime) -> None:
    probe = virtual.probe()
    ref = virtual.spawn(Timed, Timed.Args(probe.ref), name="t")
    ref.tell(("every", 0.0, "tick"))
    assert str(probe.expect_down(ref).error) == "t: invalid timer interval of 0.0 s; give more than 0"


def test_a_timers_message_is_caused_by_the_message_that_armed_it(virtual: VirtualRuntime) -> None:
    """S1.5"""
    out = virtual.probe()
    virtual.trace.switch_on()
    virtual.spawn(Timed, Timed.Args(out.ref), name="t").tell(("after", 1.0, Note(1)))
    out.receive(1)
    armed, fired = virtual.trace.steps
    assert (fired.kind, fired.cause, fired.root) == ("Note", armed.id, armed.id)
    assert out.last.root == armed.id


def test_watching_twice_with_a_probe_is_watching_once(virtual: VirtualRuntime) -> None:
    probe = virtual.probe()
    ref = virtual.spawn(Teller, name="a")
    probe.watch(ref)
    probe.watch(ref)
    ref.stop()
    probe.expect(Down)
    with pytest.raises(AssertionError, match=r"waited in vain for a Down; received so far: Down\("):
        probe.expect(Down, timeout=1)
