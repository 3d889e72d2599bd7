"""Actors in real time, each on a daemon thread of its own."""

import sys
from collections.abc import Callable, Coroutine
from threading import Event as Flag
from threading import Thread, get_ident

from mats.runtime.cell import Cell
from mats.runtime.clock import Clock, SystemClock
from mats.runtime.envelope import CURRENT, Envelope
from mats.runtime.hosts.loop import cancel_all, live_on_loop
from mats.runtime.incarnation import Incarnation
from mats.runtime.mailbox import Mailbox
from mats.runtime.messages import Outcome
from mats.runtime.ref import Ref
from mats.runtime.reply import Reply
from mats.runtime.runtime import Runtime, StopReport
from mats.runtime.spec import SupervisorSpec
from mats.runtime.tasks import start_task
from mats.runtime.timers import Timer, TimerThread
from mats.runtime.watchdog import Watchdog

SWITCH_INTERVAL = 0.001
"""Seconds. With the interpreter's default of 5 ms, one busy thread delays every other actor by tens of them."""


SLOW_SECONDS = 1.0
"""A handler that holds its actor so long is said to be slow."""


class ThreadRuntime(Runtime):
    """The runtime of the daemon. `seed` feeds the actors' random numbers and the jitter of restarts."""

    def __init__(
        self, seed: int = 0, clock: Clock | None = None, name: str = "mats", slow_seconds: float = SLOW_SECONDS
    ) -> None:
        super().__init__(seed, clock or SystemClock(), name)
        self._timers = TimerThread(self.clock)
        self._watchdog = Watchdog(slow_seconds, self.clock, self._launched, self.emit)

    def start(self, spec: SupervisorSpec) -> Ref:
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._watchdog.start()
        return super().start(spec)

    def stop(self, timeout: float = 30.0) -> StopReport:
        report = super().stop(timeout)
        self._timers.stop()
        self._watchdog.stop()
        return report

    def new_mailbox(self, cell: Cell) -> Mailbox:
        return Mailbox(cell.high_water)

    def new_ref(self, cell: Cell) -> Ref:
        return Ref(cell)

    def new_reply(self) -> Reply:
        return Reply()

    def in_handler(self) -> bool:
        return False

    def run(self, incarnation: Incarnation) -> None:
        live = live_on_loop if incarnation.actor_class.host == "loop" else live_on_thread
        Thread(target=live, args=(incarnation,), name=incarnation.cell.name, daemon=True).start()

    def interrupt(self, incarnation: Incarnation) -> None:
        if incarnation.loop is not None:
            cancel_all(incarnation.loop)

    def add_timer(self, timer: Timer) -> None:
        self._timers.add(timer)

    def spawn_task(
        self,
        incarnation: Incarnation,
        coroutine: Coroutine[object, object, object],
        then: Callable[[Outcome], object] | None,
    ) -> object:
        return start_task(incarnation, coroutine, then)

    def wait(self, flag: Flag, timeout: float) -> bool:
        return flag.wait(timeout)

    def receive(self, mailbox: Mailbox, timeout: float) -> Envelope | None:
        return mailbox.get(timeout)


def live_on_thread(incarnation: Incarnation) -> None:
    """The life of an actor that blocks in its mailbox."""
    CURRENT.set(incarnation)
    incarnation.thread_id = get_ident()
    incarnation.begin()
    cell = incarnation.cell
    mailbox, step, trace = cell.mailbox, incarnation.step, cell.runtime.trace
    while incarnation.exit is None:
        envelope = mailbox.poll()
        if envelope is None:
            # The actor is idle: nothing may keep its last message alive, or be taken for its cause.
            incarnation.envelope = None
            envelope = mailbox.get()
            if envelope is None:
                break
        if incarnation.fenced:
            cell.runtime.lose(cell.name, envelope, "unprocessed")
            break
        if trace.on:
            trace.record(cell.name, envelope, cell.runtime.monotonic())
        step(envelope)
    incarnation.end()
    incarnation.over()
