"""Actors in virtual time: one thread, one seed, one trace."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from threading import Event as Flag
from typing import Any, Never

from mats.model import Nanos
from mats.runtime.actor_slot import ActorSlot
from mats.runtime.clock import VirtualClock
from mats.runtime.errors import AskTimeout, Deadlock
from mats.runtime.hosts.virtual_loop import VirtualLoop
from mats.runtime.hosts.virtual_slot import VirtualMailbox, VirtualRef, VirtualReply
from mats.runtime.incarnation import Incarnation
from mats.runtime.messaging import Envelope, Mailbox, Ref, Reply
from mats.runtime.runtime import Runtime
from mats.runtime.task_runner import turn_context
from mats.runtime.testing import chaos
from mats.runtime.timers import Timer, TimerQueue


class VirtualRuntime(Runtime):
    """Runs all actors in the caller's thread, when the caller lets it.

    Without a seed messages are handled in the order they were sent, over all actors: what backtests use. With a seed
    the next mailbox is drawn; each mailbox keeps its order. The clock starts at `start` and jumps to the next timer
    when nothing else can run and a caller waits (ask, probe, `run_until`, `advance`).
    """

    clock: VirtualClock

    def __init__(
        self, seed: int | None = None, start: Nanos = 0, name: str = "mats", plan: chaos.ChaosPlan | None = None
    ) -> None:
        clock = VirtualClock(start)
        self._fifo: deque[ActorSlot] = deque()
        self._drawn: list[ActorSlot] = []
        self.ready: deque[ActorSlot] | list[ActorSlot] = self._fifo if seed is None else self._drawn
        self._next_slot = self._first_slot if seed is None else self._drawn_slot
        self.turn: Incarnation | None = None
        self._loop = VirtualLoop(clock)
        self._timers = TimerQueue()
        self._draw = Random(f"interleaving/{seed}").random
        self._plan = plan
        self._paused: dict[str, int] = {}
        super().__init__(seed or 0, clock, name)

    # Letting time pass

    def run_until_idle(self) -> None:
        """Handle everything that can be handled now; the clock does not move."""
        with self._plan_in_force():
            while self._loop.runnable or self.ready:
                self._step()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, with everything that is due in them."""
        end = self.clock.seconds + seconds
        with self._plan_in_force():
            while self._step_or_jump(end):
                continue
        self.clock.set(end)

    def run_until(self, predicate: Callable[[], bool], timeout: float | None = None) -> None:
        """Run, and jump from timer to timer, until `predicate` holds.

        Raises TimeoutError after `timeout` virtual seconds, Deadlock if nothing can run and no timer is set.
        """
        end = None if timeout is None else self.clock.seconds + timeout
        with self._plan_in_force():
            while not predicate():
                if not self._step_or_jump(end):
                    if end is None:
                        raise Deadlock(f"nothing can run and no timer is set at {self.clock.seconds} s")
                    self.clock.set(end)
                    raise TimeoutError(f"not within {timeout} virtual seconds")

    def _until(self, done: Callable[[], bool], timeout: float) -> bool:
        end = self.clock.seconds + timeout
        with self._plan_in_force():
            while not done():
                if not self._step_or_jump(end):
                    self.clock.set(end)
                    return done()
        return True

    @contextmanager
    def _plan_in_force(self) -> Iterator[None]:
        before = chaos.install(self._plan)
        try:
            yield
        finally:
            chaos.install(before)

    def _step_or_jump(self, end: float | None) -> bool:
        if self._loop.runnable or self.ready:
            self._step()
            return True
        dues = [due for due in (self._timers.next_due(), self._loop.next_due()) if due is not None]
        if not dues or (end is not None and min(dues) > end):
            return False
        self.clock.set(max(self.clock.seconds, min(dues)))
        self._fire()
        return True

    def _fire(self) -> None:
        now = self.clock.seconds
        while (due := self._timers.next_due()) is not None and due <= now:
            timer = self._timers.pop()
            if timer.fire(now):
                self._timers.add(timer)
        due = self._loop.next_due()
        if due is not None and due <= now:
            self._loop.spin()

    # One step

    def _step(self) -> None:
        if self._loop.runnable:
            self._loop.spin()
            return
        slot = self._next_slot()
        incarnation = slot.incarnation
        if incarnation is None:
            return
        if self._paused and slot.name in self._paused:
            self._paused[slot.name] += 1
        elif incarnation.handler is not None:
            incarnation.owed += 1
        elif not incarnation.begun:
            incarnation.begun = True
            self.turn = incarnation
            pending = incarnation.begin()
            self.turn = None
            self._after(incarnation, pending)
        elif (envelope := slot.mailbox.poll()) is not None:
            if self.trace.on:
                self.trace.record(slot.name, envelope, self.clock.seconds)
            self.turn = incarnation
            pending = incarnation.step(envelope)
            self.turn = None
            if pending is not None or incarnation.exit is not None:
                self._after(incarnation, pending)

    def _first_slot(self) -> ActorSlot:
        return self._fifo.popleft()

    def _drawn_slot(self) -> ActorSlot:
        """One of the waiting tokens, each as likely as the others."""
        drawn = self._drawn
        place = int(self._draw() * len(drawn))
        slot, drawn[place] = drawn[place], drawn[-1]
        drawn.pop()
        return slot

    def _after(self, incarnation: Incarnation, pending: Awaitable[None] | None) -> None:
        """Go on after a step: wait for its coroutine, or end the incarnation if it is to end."""
        if pending is not None:
            self._suspend(incarnation, pending, self._resume)
        elif incarnation.exit is not None:
            self._end(incarnation)

    def _suspend(self, incarnation: Incarnation, pending: Awaitable[None], then: Callable[[Incarnation], None]) -> None:
        async def finish() -> None:
            await pending
            incarnation.handler = None
            if not incarnation.fenced:
                then(incarnation)

        incarnation.handler = self._loop.create_task(finish(), context=turn_context(incarnation))

    def _resume(self, incarnation: Incarnation) -> None:
        owed, incarnation.owed = incarnation.owed, 0
        incarnation.envelope = None
        self.ready.extend([self.slot(incarnation.name)] * owed)
        if incarnation.exit is not None:
            self._end(incarnation)

    def _end(self, incarnation: Incarnation) -> None:
        for task in tuple(incarnation.tasks):
            task.cancel()
        self.turn = incarnation
        pending = incarnation.end()
        self.turn = None
        if pending is not None:
            self._suspend(incarnation, pending, Incarnation.over)
        else:
            incarnation.over()

    # Faults

    def kill(self, ref: Ref[Never]) -> None:
        """Take an actor away at once, as a lost process would go: no hook runs, even in the middle of an await."""
        self.abandon(ref.name)

    def pause(self, ref: Ref[Never]) -> None:
        """Let an actor handle nothing, as if it hung, until `resume`."""
        self._paused.setdefault(ref.name, 0)

    def resume(self, ref: Ref[Never]) -> None:
        """Let a paused actor go on."""
        self.ready.extend([self.slot(ref.name)] * self._paused.pop(ref.name, 0))

    # What the runtime asks of its host

    def new_mailbox(self, slot: ActorSlot) -> Mailbox:
        return VirtualMailbox(slot, self.ready)

    def new_ref(self, slot: ActorSlot) -> Ref[Any]:
        return VirtualRef(slot, self)

    def new_reply(self) -> Reply:
        return VirtualReply(self)

    def in_handler(self) -> bool:
        return self.turn is not None

    def run(self, slot: ActorSlot, incarnation: Incarnation) -> None:
        if incarnation.actor_class.host == "pykka":
            raise TypeError(f"{slot.name} is a plain pykka actor, which may block; run it in real time")
        waiting = 1 + slot.mailbox.pending
        if incarnation.actor_class.host == "loop":
            incarnation.loop = self._loop
        self.ready.extend([slot] * waiting)

    def interrupt(self, incarnation: Incarnation) -> None:
        for task in (*incarnation.tasks, incarnation.handler):
            if task is not None:
                task.cancel()
        incarnation.resources.release()
        self._paused.pop(incarnation.slot.name, None)

    def add_timer(self, timer: Timer) -> None:
        self._timers.add(timer)

    def wait(self, flag: Flag, timeout: float) -> bool:
        return self._until(flag.is_set, timeout)

    def receive(self, mailbox: Mailbox, timeout: float) -> Envelope | None:
        self._until(lambda: mailbox.pending > 0, timeout)
        return mailbox.poll()

    def pump(self, reply: Reply, timeout: float) -> None:
        """Run until the reply is there; raises AskTimeout at exactly the virtual deadline."""
        if not self._until(lambda: reply.settled, timeout) and reply.give_up():
            raise AskTimeout(f"no reply within {timeout} virtual seconds")
