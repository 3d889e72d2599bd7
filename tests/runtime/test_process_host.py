"""An actor in a process of its own is an actor like any other, and takes nobody with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import structlog

from mats.runtime import (
    ActorFailed,
    ActorStatus,
    Backoff,
    ChildFailed,
    ChildParked,
    ChildSpec,
    ChildStarted,
    Down,
    FollowedClock,
    HandlerSlow,
    Limit,
    NotUnderstood,
    OwnProcess,
    Ref,
    StopChild,
    SupervisorSpec,
    ThreadRuntime,
    VirtualRuntime,
)
from mats.runtime.hosts.link import LineLimit
from mats.runtime.hosts.process.fork_server import Forked, ForkServer
from mats.runtime.testing import Probe
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Forward, Teller
from tests.runtime.hosted import Do, Foreign, Hosted, Later, Offer
from tests.system.harness import until

OWN = OwnProcess()


def spawned(threads: ThreadRuntime, out: Probe, name: str = "far", process: OwnProcess = OWN, **args: Any) -> Ref[Any]:
    ref: Ref[Any] = threads.spawn(Hosted, Hosted.Args(out.ref, **args), name=name, process=process)
    return ref


def process_of(out: Probe) -> int:
    started, _, pid = out.expect(tuple)
    assert started == "started"
    return int(pid)


def end_of(threads: ThreadRuntime, ref: Ref[Any], act: Callable[[], object]) -> Down:
    """How the incarnation that runs ends, when `act` has been done."""
    watcher = threads.probe()
    ref.watch(watcher.ref.tell, None)
    act()
    return watcher.expect(Down)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def supervised(threads: ThreadRuntime, out: Probe, *more: ChildSpec[Any], **settings: Any) -> Ref[Any]:
    """The actor `root/far` under a supervisor."""
    spec = ChildSpec(name="far", actor=Hosted, args=Hosted.Args(out.ref), process=OWN, **settings)
    backoff = Backoff(min=0.0, max=0.0)
    threads.start(SupervisorSpec(name="root", children=(spec, *more), over_limit="park", backoff=backoff))
    return threads.ref("far")  # type: ignore[return-value]


def test_what_it_is_told_is_handled_in_order_in_another_process(threads: ThreadRuntime) -> None:
    """S12.1"""
    out = threads.probe()
    far = spawned(threads, out)
    assert process_of(out) != os.getpid()
    for number in range(100):
        far.tell(number)
    assert out.receive(100) == [(1, number) for number in range(100)]


def test_it_answers_asks_at_once_and_later_and_refuses_what_it_does_not_understand(threads: ThreadRuntime) -> None:
    """S12.1"""
    far = spawned(threads, threads.probe())
    assert far.ask("what", timeout=PATIENCE) == "what"
    assert far.ask(Do("reply later"), timeout=PATIENCE) == "late"
    with pytest.raises(NotUnderstood):
        far.ask(Foreign(), timeout=PATIENCE)
    assert far.ask("still there", timeout=PATIENCE) == "still there"
    assert [letter.reason for letter in threads.dead_letters.recent] == ["not understood"]


def test_what_raises_is_its_failure_with_the_same_text_and_the_traceback_of_its_process(threads: ThreadRuntime) -> None:
    """S12.2"""
    out = threads.probe()
    far = spawned(threads, out)
    process_of(out)

    def ask() -> None:
        with pytest.raises(ActorFailed, match="far failed: ValueError: boom"):
            far.ask(Boom(), timeout=PATIENCE)

    assert str(end_of(threads, far, ask).error) == "boom"
    out.expect_message("failed: boom")
    (letter,) = threads.dead_letters.recent
    assert (letter.reason, letter.message, letter.error) == ("failed", Boom(), "ValueError: boom")
    assert "hosted.py" in letter.traceback
    assert state(threads, "far").last_failure == "ValueError: boom"


def state(threads: ThreadRuntime, name: str) -> ActorStatus:
    return threads.slot(name).status()


def test_messages_keep_their_cause_and_root_through_a_process(threads: ThreadRuntime) -> None:
    """S12.3"""
    out, far_out = threads.probe(), threads.probe()
    teller = threads.spawn(Teller, name="near")
    far = spawned(threads, far_out)
    process_of(far_out)
    far.tell(Forward(out.ref, "by far"))
    out.expect_message("by far")
    edge = out.last.cause
    assert edge == out.last.root < out.last.id
    teller.tell(Forward(far, Forward(out.ref, "by both")))
    out.expect_message("by both")
    assert out.last.cause > out.last.root > edge


def test_ids_made_in_processes_are_made_nowhere_else(threads: ThreadRuntime) -> None:
    """S12.3"""
    out = threads.probe()
    seen: set[int] = {threads.next_id() for _ in range(100)}
    for name in ("a", "b"):
        far = spawned(threads, out, name)
        process_of(out)
        far.tell(Do("ids", 100))
        seen |= set(out.expect(list))
    assert len(seen) == 300


def test_its_timers_and_random_numbers_are_its_own(threads: ThreadRuntime) -> None:
    """S12.4"""
    out = threads.probe()
    far = spawned(threads, out)
    process_of(out)
    far.tell(Later(0.0, "tick"))
    out.expect_message((1, "tick"))
    virtual = VirtualRuntime()
    here = virtual.spawn(Hosted, Hosted.Args(virtual.probe().ref), name="far")
    assert far.ask(Do("random"), timeout=PATIENCE) == here.ask(Do("random"), timeout=1.0)


def test_a_timer_that_raises_is_the_actors_failure(threads: ThreadRuntime) -> None:
    """S12.2"""
    out = threads.probe()
    far = spawned(threads, out)
    process_of(out)
    down = end_of(threads, far, lambda: far.tell(Later(0.0, Boom())))
    assert (down.reason, str(down.error)) == ("failed", "boom")
    assert not len(threads.dead_letters)


def test_what_is_lost_inside_its_process_is_a_dead_letter_outside(threads: ThreadRuntime) -> None:
    """S12.2"""
    far = spawned(threads, threads.probe())
    end_of(threads, far, lambda: far.tell(Do("tell itself", Boom("own"))))
    (letter,) = threads.dead_letters.recent
    assert (letter.reason, letter.target, letter.message, letter.error) == (
        "failed",
        "far",
        Boom("own"),
        "ValueError: own",
    )


def test_it_watches_and_is_watched(threads: ThreadRuntime) -> None:
    """S12.1"""
    out = threads.probe()
    near = threads.spawn(Teller, Teller.Args(), name="near")
    far = spawned(threads, out, target=near)
    process_of(out)
    near.tell(Boom("near"))
    _, down = out.expect(tuple)
    assert (down.name, down.tag, down.reason, str(down.error)) == ("near", ("any", {"thing"}), "failed", "near")
    ended = end_of(threads, far, far.stop)
    assert (ended.reason, ended.error) == ("normal", None)
    out.expect_message("stopped")


def test_it_offers_and_is_refused_where_there_is_no_room(threads: ThreadRuntime) -> None:
    """S12.1"""
    out, closed = threads.probe(), threads.probe()
    far = spawned(threads, out, target=closed.ref)
    process_of(out)
    far.tell(Offer("one"))
    out.expect_message(True)
    closed.expect_message("one")
    closed.ref.mailbox.close()
    far.tell(Offer("two"))
    out.expect_message(False)
    assert not len(threads.dead_letters)


def test_nobody_is_asked_from_a_process(threads: ThreadRuntime) -> None:
    """S12.1"""
    far = spawned(threads, threads.probe())
    with pytest.raises(ActorFailed, match="nobody cannot be asked"):
        far.ask(Do("ask"), timeout=PATIENCE)


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (Do("signal", signal.SIGSEGV), "the process of far ended with SIGSEGV"),
        (Do("signal", signal.SIGKILL), "the process of far ended with SIGKILL"),
        (Do("exit", 3), "the process of far ended with exit code 3"),
        (Do("exit", 0), "the process of far ended with exit code 0"),
        (Do("raise exit", 3), "3"),
        (Do("garbage", b"\xff" * 64), "sent what cannot be read, and was killed: a frame says that it has 4294967295"),
        (Do("garbage", b"\0\0\0\3xyz"), "sent what cannot be read, and was killed: UnpicklingError"),
        (Do("foreign"), "nowhere_else.Mine is no message or value that the daemon knows"),
    ],
)
def test_whatever_ends_its_process_is_its_failure_in_one_sentence(
    threads: ThreadRuntime, act: Do, sentence: str
) -> None:
    """S12.5"""
    out = threads.probe()
    far = spawned(threads, out)
    pid = process_of(out)
    down = end_of(threads, far, lambda: far.tell(act))
    assert down.reason == "failed"
    assert sentence in str(down.error)
    until(lambda: gone(pid), PATIENCE, "the end of the process")


def test_a_memory_limit_ends_the_actor_and_names_itself(threads: ThreadRuntime) -> None:
    """S12.6"""
    out = threads.probe()
    far = spawned(threads, out, process=OwnProcess(memory_mb=100))
    process_of(out)
    far.ask(Do("grow", 10), timeout=PATIENCE)
    down = end_of(threads, far, lambda: far.tell(Do("grow", 200)))
    assert "may allocate 100 MiB" in str(down.error)
    assert "memory_mb" in str(down.error)


def test_a_supervisor_restarts_it_in_a_new_process_and_what_waited_is_handled_there(threads: ThreadRuntime) -> None:
    """S12.5"""
    out = threads.probe()
    far = supervised(threads, out, limit=Limit(restarts=1, seconds=100.0))
    first = process_of(out)
    far.tell(Do("exit", 1))
    far.tell("waits")
    second = process_of(out)
    out.expect_message((2, "waits"))
    assert first != second
    os.kill(second, signal.SIGKILL)
    until(lambda: state(threads, "far").state == "parked", PATIENCE, "the parking")
    assert "ended with SIGKILL" in state(threads, "far").parked


def test_a_start_that_never_ends_is_killed_at_its_deadline_and_delays_nobody(threads: ThreadRuntime) -> None:
    """S12.7"""
    out, events = threads.probe(), list[object]()
    threads.on_event.append(events.append)
    hangs = Hosted.Args(out.ref, at_start=Do("wait"))
    settings: Any = {"limit": Limit(restarts=0, seconds=1.0), "start_deadline": 2.0, "process": OWN}
    supervised(threads, out, ChildSpec(name="hangs", actor=Hosted, args=hangs, **settings))
    process_of(out)
    until(lambda: state(threads, "hangs").state == "parked", PATIENCE, "the parking")
    kinds = [type(event) for event in events if getattr(event, "name", "") in ("far", "hangs")]
    assert kinds.index(ChildStarted) < kinds.index(ChildFailed) < kinds.index(ChildParked)
    assert threads.ref("far").is_alive()


def test_an_abandoned_one_is_killed(threads: ThreadRuntime) -> None:
    """S12.7"""
    out = threads.probe()
    far = supervised(threads, out, stop_deadline=0.2)
    pid = process_of(out)
    far.tell(Do("wait"))
    until(lambda: not len(far.mailbox), PATIENCE, "the message in hand")
    down = end_of(threads, far, lambda: threads.ref("root").tell(StopChild("far")))  # type: ignore[arg-type]
    assert down.reason == "abandoned"
    until(lambda: gone(pid), PATIENCE, "the end of the process")


def test_one_that_is_abandoned_before_it_has_a_process_never_lives_in_one(
    threads: ThreadRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S12.7"""
    asked, answer, forks, fork = Event(), Event(), list[Forked](), ForkServer.fork

    def slow_fork(server: ForkServer, module: str) -> Forked:
        asked.set()
        assert answer.wait(PATIENCE)
        forks.append(fork(server, module))
        return forks[-1]

    monkeypatch.setattr(ForkServer, "fork", slow_fork)
    out = threads.probe()
    far = supervised(threads, out, stop_deadline=0.01)
    assert asked.wait(PATIENCE)
    down = end_of(threads, far, lambda: threads.ref("root").tell(StopChild("far")))  # type: ignore[arg-type]
    assert down.reason == "abandoned"
    answer.set()
    until(lambda: bool(forks) and gone(forks[0].pid), PATIENCE, "the end of the process")
    out.expect_nothing()


def test_a_followed_clock_goes_on_in_a_process() -> None:
    """S12.4"""
    runtime = ThreadRuntime(clock=FollowedClock())
    try:
        runtime.clock.advance(5_000)
        out = runtime.probe()
        far = spawned(runtime, out)
        process_of(out)
        assert far.ask(Do("time"), timeout=PATIENCE) == 5_000
        runtime.clock.advance(7_000)
        assert far.ask(Do("time"), timeout=PATIENCE) == 7_000
    finally:
        runtime.stop(PATIENCE)


def test_a_slow_handler_is_told_with_the_stacks_of_its_process_in_the_log() -> None:
    """S12.7"""
    runtime, events = ThreadRuntime(slow_seconds=0.2), list[object]()
    runtime.on_event.append(events.append)
    out = runtime.probe()
    with structlog.testing.capture_logs() as lines:
        far = supervised(runtime, out)
        process_of(out)
        far.tell(Do("wait"))
        until(lambda: any("hosted.py" in line.get("text", "") for line in lines), PATIENCE, "the stack")
    (slow,) = (event for event in events if isinstance(event, HandlerSlow))
    assert (slow.name, slow.message) == ("far", "Do")
    assert slow.stack == "in the process of far, whose stacks are printed to the log under that name"
    runtime.stop(1.0)


def test_those_that_name_one_process_share_it_and_its_end(threads: ThreadRuntime) -> None:
    """S12.8"""
    out, pair = threads.probe(), OwnProcess(name="pair")
    one, two = (spawned(threads, out, name, pair) for name in ("one", "two"))
    assert process_of(out) == process_of(out)
    three = spawned(threads, out, "three", pair)
    pid = process_of(out)
    down = end_of(threads, one, lambda: one.tell(Boom()))
    assert str(down.error) == "boom"
    assert two.ask("there", timeout=PATIENCE) == "there"
    assert "the process pair ended with SIGABRT" in str(
        end_of(threads, three, lambda: os.kill(pid, signal.SIGABRT)).error
    )
    until(lambda: not two.is_alive(), PATIENCE, "the end of the other one")


def test_what_it_prints_and_logs_is_logged_within_a_limit(threads: ThreadRuntime) -> None:
    """S12.9"""
    out = threads.probe()
    with structlog.testing.capture_logs() as lines:
        far = spawned(threads, out)
        process_of(out)
        far.ask(Do("print", 20), timeout=PATIENCE)
        far.ask(Do("log", 2000), timeout=PATIENCE)
        end_of(threads, far, far.stop)
        until(lambda: any("lines were not logged" in line["event"] for line in lines), PATIENCE, "the count")
    assert sum(line["event"] == "printed" for line in lines) == 40
    assert sum(line["event"] == "a line" for line in lines) == 600
    (missed,) = (line["event"] for line in lines if "lines were not logged" in line["event"])
    assert missed.startswith("far printed 20.0 MiB so far; 20440 lines")


def test_a_line_limit_counts_what_it_holds_back_and_opens_again_after_a_minute() -> None:
    """S12.9"""
    now = [0.0]
    limit = LineLimit(2, lambda: now[0])
    assert [limit.passes() for _ in range(4)] == [True, True, False, False]
    assert (limit.waiting, limit.seconds_left) == (True, 60.0)
    now[0] = 60.0
    assert limit.passes()
    assert (limit.missed(), limit.waiting) == (2, False)


PARENT = """
import sys, threading
from mats.runtime import OwnProcess, ThreadRuntime
from tests.runtime.hosted import Do, Hosted

runtime = ThreadRuntime()
out = runtime.probe()
far = runtime.spawn(Hosted, Hosted.Args(out.ref), name="far", process=OwnProcess())
print("pid", out.expect(tuple)[2], flush=True)
far.tell(Do("wait"))
sys.stdin.read()
"""


def test_a_process_ends_with_its_runtime_however_that_ends() -> None:
    """S12.10"""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = next(int(line.split()[1]) for line in parent.stdout if line.startswith(b"pid "))
    assert not gone(pid)
    parent.kill()
    parent.communicate()
    until(lambda: gone(pid), PATIENCE, "the end of the process")


def test_a_stopped_runtime_leaves_no_process(threads: ThreadRuntime) -> None:
    """S12.10"""
    out = threads.probe()
    spawned(threads, out)
    pid = process_of(out)
    assert threads.stop(PATIENCE).clean
    until(lambda: gone(pid), PATIENCE, "the end of the process")


def test_an_actor_on_a_loop_cannot_move(threads: ThreadRuntime) -> None:
    """S12.11"""
    looped = type("Looped", (Hosted,), {"host": "loop"})
    with pytest.raises(ValueError, match="Looped lives on a loop; only actors on a thread can move"):
        ChildSpec(name="far", actor=looped, args=Hosted.Args(threads.probe().ref), process=OWN)
