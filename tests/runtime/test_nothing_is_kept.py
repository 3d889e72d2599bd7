"""What has ended is collected as garbage; nothing grows with what was cancelled, unanswered or dropped."""

import asyncio
import gc
import threading
import weakref

import msgspec
import pytest

from mats.runtime import Actor, FollowedClock, Ref, ThreadRuntime, Timer, VirtualRuntime
from mats.runtime.timers import TimerQueue
from tests.patience import PATIENCE


class Armed(Actor[object]):
    """Arms timers that are due in an hour."""

    class Args(msgspec.Struct, frozen=True):
        lives: list["weakref.ref[Armed]"]

    def __init__(self, args: Args) -> None:
        args.lives.append(weakref.ref(self))

    def on_start(self) -> None:
        self.every(3600, "tick")
        self.after(3600, self)

    def on_receive(self, message: object) -> object:
        if message == "raise":
            raise ValueError("ends")
        return self.incarnation


def test_a_cancelled_timer_keeps_nothing_of_its_actor(threads: ThreadRuntime) -> None:
    """S6.5"""
    lives: list[weakref.ref[Armed]] = []
    probe = threads.probe()
    for _ in range(5):
        ref = threads.spawn(Armed, Armed.Args(lives), name="a")
        assert ref.ask("who", timeout=PATIENCE)
        probe.watch(ref)
        ref.stop()
        probe.expect_down(ref)
    for thread in threading.enumerate():
        if thread.name == "a":
            thread.join(PATIENCE)
    gc.collect()
    assert [life() for life in lives] == [None] * 5


def test_cancelled_timers_do_not_pile_up() -> None:
    """S6.5: nobody waits an hour for each"""
    queue, owner = TimerQueue(), set[Timer]()
    for n in range(10_000):
        timer = Timer(3600.0 + n, None, n, lambda _timer: None, owner)
        queue.add(timer)
        if n % 100:
            timer.cancel()
        assert len(queue) <= 2 * len(owner) + 64
    assert sum(queue.pop().message is not None for _ in range(len(queue))) == 100


def test_timers_come_in_their_order_after_the_cancelled_ones_have_left() -> None:
    """S6.5, S6.1"""
    queue, owner = TimerQueue(), set[Timer]()
    timers = [Timer(float(n * 7919 % 503), None, n, lambda _timer: None, owner) for n in range(400)]
    for timer in timers:
        queue.add(timer)
    for timer in timers[::3]:
        timer.cancel()
    for n in range(200):
        queue.add(Timer(600.0 + n, None, n, lambda _timer: None, owner))
    dues = []
    while queue.next_due() is not None:
        dues.append(queue.pop().due)
    assert dues == sorted(dues)
    assert len(dues) == len(owner)


class Holding(Actor[object]):
    def on_receive(self, message: object) -> None:
        return


@pytest.mark.parametrize("handled", [True, False])
def test_a_virtual_runtime_that_is_dropped_without_a_stop_is_collected(handled: bool) -> None:
    """S11.9: a message may hold the ref of its own mailbox"""

    def once() -> "weakref.ref[VirtualRuntime]":
        runtime = VirtualRuntime()
        ref: Ref[object] = runtime.spawn(Holding, name="a")
        ref.tell(ref)
        if handled:
            runtime.run_until_idle()
        return weakref.ref(runtime)

    dropped = [once() for _ in range(5)]
    gc.collect()
    assert [runtime() for runtime in dropped] == [None] * 5


class InThread(Actor[object]):
    """Has work done in a thread of the loop's own pool."""

    host = "loop"

    class Args(msgspec.Struct, frozen=True):
        workers: list[threading.Thread]

    def __init__(self, args: Args) -> None:
        self.args = args

    async def on_receive(self, message: object) -> object:
        self.args.workers.append(await asyncio.to_thread(threading.current_thread))
        if isinstance(message, BaseException):
            raise message
        return None


def test_the_threads_of_a_loop_that_has_ended_end(threads: ThreadRuntime) -> None:
    """S11.9"""
    workers: list[threading.Thread] = []
    probe = threads.probe()
    for error in (ValueError("1"), SystemExit(2), ValueError("3")):
        ref = threads.spawn(InThread, InThread.Args(workers), name="i")
        probe.watch(ref)
        ref.tell(error)
        probe.expect_down(ref)
    assert len(workers) == 3
    for worker in workers:
        worker.join(PATIENCE)
        assert not worker.is_alive()


def test_a_followed_clock_does_not_go_back_when_two_threads_give_the_time() -> None:
    """S11.6: the second one comes between the look and the step of the first"""
    clock = FollowedClock()
    clock.advance(1)

    class Instant(int):
        """Another thread gives a later instant while this one is compared."""

        def __gt__(self, other: int) -> bool:
            later.start()
            later.join(0.05)
            return int.__gt__(self, other)

    later = threading.Thread(target=lambda: clock.advance(9))
    clock.advance(Instant(5))
    later.join(PATIENCE)
    assert clock.now() == 9
