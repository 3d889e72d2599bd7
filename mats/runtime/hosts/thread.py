"""Actors in real time, each hosted by a pykka actor with a daemon thread of its own."""

import sys
from threading import Event as Flag
from threading import Thread
from typing import Any

from mats.runtime.actor import Actor, HostKind
from mats.runtime.actor_slot import ActorSlot
from mats.runtime.clock import Clock, SystemClock
from mats.runtime.hosts.loop import LoopHost, cancel_all
from mats.runtime.hosts.process import Placement, Processes, StandInIncarnation, stand_in_for
from mats.runtime.hosts.thread_host import PlainHost, ThreadHost
from mats.runtime.hosts.watchdog import Watchdog
from mats.runtime.incarnation import Incarnation
from mats.runtime.interfaces import ParentSink
from mats.runtime.messaging import Envelope, Mailbox, Ref, Reply
from mats.runtime.runtime import Runtime, StopReport
from mats.runtime.spec import OwnProcess, SupervisorSpec
from mats.runtime.supervisor import SupervisorMessage
from mats.runtime.timers import Timer, TimerThread

SWITCH_INTERVAL = 0.001
"""Seconds. With the interpreter's default of 5 ms, one busy thread delays every other actor by tens of them."""

SLOW_SECONDS = 1.0
"""A handler that holds its actor so long is said to be slow."""

HOSTS: dict[HostKind, type[ThreadHost]] = {"thread": ThreadHost, "loop": LoopHost, "pykka": PlainHost}

RELEASE_SECONDS = 1.0
"""How long the end of the runtime waits for the release of what an abandoned actor held."""


class ThreadRuntime(Runtime):
    """The runtime of the daemon. `seed` feeds the actors' random numbers and the jitter of restarts."""

    def __init__(
        self, seed: int = 0, clock: Clock | None = None, name: str = "mats", slow_seconds: float = SLOW_SECONDS
    ) -> None:
        super().__init__(seed, clock or SystemClock(), name)
        self._timers = TimerThread(self.clock)
        self._releasing: list[Thread] = []
        self._watchdog = Watchdog(slow_seconds, self.clock, self._launched, self.emit)
        self._processes = Processes(self)

    def new_incarnation(
        self,
        slot: ActorSlot,
        actor: type[Actor[Any]],
        args: object,
        parent: ParentSink | None,
        process: OwnProcess | None,
    ) -> Incarnation:
        """An actor for a process gets a stand-in here."""
        if process is None:
            return Incarnation(slot, actor, args, parent)
        return StandInIncarnation(slot, stand_in_for(actor), Placement(actor, args, process, self._processes), parent)

    def prepare_processes(self, actor: type[Actor[Any]]) -> None:
        """Get ready to start actors of this class in processes, beside what else is done; later that takes no time."""
        self._processes.prepare(actor.__module__)

    def start(self, spec: SupervisorSpec) -> Ref[SupervisorMessage]:
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._watchdog.start()
        return super().start(spec)

    def stop(self, timeout: float = 30.0) -> StopReport:
        report = super().stop(timeout)
        for thread in self._releasing:
            thread.join(RELEASE_SECONDS)
        self._timers.stop()
        self._watchdog.stop()
        self._processes.stop()
        return report

    def new_mailbox(self, slot: ActorSlot) -> Mailbox:
        return Mailbox(slot)

    def new_ref(self, slot: ActorSlot) -> Ref[Any]:
        return Ref(slot, self)

    def new_reply(self) -> Reply:
        return Reply()

    def in_handler(self) -> bool:
        return False

    def run(self, slot: ActorSlot, incarnation: Incarnation) -> None:
        HOSTS[incarnation.actor_class.host].start(incarnation, self.trace)

    def interrupt(self, incarnation: Incarnation) -> None:
        if (loop := incarnation.loop) is not None:
            cancel_all(loop)
        # A release may wait, for the end of a process for instance; the supervisor that abandons must not.
        thread = Thread(target=incarnation.resources.release, name=f"{incarnation.name} released", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            incarnation.resources.release()
        else:
            self._releasing = [*(other for other in self._releasing if other.is_alive()), thread]
        if isinstance(incarnation, StandInIncarnation):
            incarnation.actor.kill()

    def add_timer(self, timer: Timer) -> None:
        self._timers.add(timer)

    def wait(self, flag: Flag, timeout: float) -> bool:
        return flag.wait(timeout)

    def receive(self, mailbox: Mailbox, timeout: float) -> Envelope | None:
        return mailbox.get(timeout)
