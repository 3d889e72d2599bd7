"""The stand-in of an actor that lives in a process: it has the name, the mailbox and the supervisor.

It hands one message after the other to the process and waits until each is handled, so that bounds, order, conflation,
dead letters, answers and slow handlers are those of any actor.
"""

from queue import SimpleQueue
from typing import Any

import msgspec

from mats.runtime.actor import Actor
from mats.runtime.hosts.link import (
    ActorStarted,
    Answered,
    Deliver,
    Described,
    End,
    Handled,
    Launch,
    Watched,
    WatchEnded,
)
from mats.runtime.hosts.process.process import Process
from mats.runtime.hosts.process.processes import Processes
from mats.runtime.incarnation import Incarnation
from mats.runtime.messaging import Down, Drain, Envelope, Fault, Life, Reply, Stop
from mats.runtime.spec import OwnProcess


class Placement(msgspec.Struct, frozen=True):
    """Which actor lives where."""

    actor: type[Actor[Any]]
    args: object
    place: OwnProcess
    processes: Processes


class _Ended(msgspec.Struct, frozen=True):
    error: Exception | None


class StandIn(Actor[Any]):
    """Fails as the actor fails, and when its process does. Who abandons it kills the process."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._process: Process | None = None
        self._reports: SimpleQueue[ActorStarted | Handled | _Ended] = SimpleQueue()
        self._asks: dict[int, Reply] = {}
        self._over = self._killed = False

    def on_start(self) -> None:
        actor = self._placement.actor
        self._process = self._placement.processes.enter(self._placement.place, self, actor.__module__)
        if self._killed:  # while the process was asked for, when there was nothing to kill
            self._process.kill()
        self._process.write(Launch(self.name, self.incarnation, actor, self._placement.args))
        self._await()

    def on_receive(self, message: object) -> object:
        if isinstance(message, Down):
            self._write_down(message)
            return None
        envelope = self._incarnation.envelope
        assert envelope is not None
        reply = self._expect_answer(envelope) if envelope.reply is not None else None
        self._link.write(
            Deliver(
                name=self.name,
                message=message,
                id=envelope.id,
                cause=envelope.cause,
                root=envelope.root,
                asked=reply is not None,
                now=self.clock.now(),
            )
        )
        if not self._await():
            self._incarnation.slot.runtime.lose(self.name, envelope, "unprocessed")
        return reply

    def _expect_answer(self, envelope: Envelope) -> Reply:
        self._asks = {number: reply for number, reply in self._asks.items() if not reply.settled}
        reply = self._asks[envelope.id] = self.reply_later()
        return reply

    def _write_down(self, down: Down) -> None:
        error = None if down.error is None else Described.of(down.error)
        self._link.write(
            WatchEnded(
                name=self.name,
                watch=int(str(down.tag)),
                target=down.name,
                incarnation=down.incarnation,
                reason=down.reason,
                error=error,
            )
        )

    @property
    def _link(self) -> Process:
        assert self._process is not None
        return self._process

    def _await(self) -> bool:
        """Wait for the next report; False when it is the normal end. Raises the error of another end."""
        report = self._reports.get()
        if isinstance(report, _Ended):
            if report.error is not None:
                raise report.error
            self.stop()
            return False
        if isinstance(report, Handled) and report.last:
            self._await()
        return True

    # The end

    def on_stop_asked(self, request: Stop | Drain) -> None:
        if not self._over:
            self._link.write(End(self.name, request))
        self._await()

    def on_stop(self) -> None:
        self._link.leave(self, over=True)

    def on_failure(self, error: BaseException) -> None:
        if self._process is not None:
            self._process.leave(self, over=self._over)

    @property
    def has_process(self) -> bool:
        """Whether its process was started; called from other threads, too."""
        return self._process is not None

    def kill(self) -> None:
        """End the process, whatever it does; called from other threads."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def where(self) -> str:
        """Called from other threads, too."""
        if self._process is None:
            return ""
        self._process.print_stacks()
        return f"in the process of {self.name}, whose stacks are printed to the log under that name"

    # Reports of the process, in its thread

    def progressed(self, frame: ActorStarted | Handled) -> None:
        self._reports.put(frame)

    def answered(self, frame: Answered) -> None:
        reply = self._asks.pop(frame.id, None)
        if reply is not None:
            if frame.error is None:
                reply.set(frame.value)
            else:
                reply.fail(frame.error.error())

    def watch_for(self, frame: Watched) -> None:
        number = self.incarnation
        frame.target.watch(lambda down: self.ref.signal(down, number), frame.watch, Life(self.name, number))

    def ended(self, error: Exception | None) -> None:
        """Wakes a turn that waits for the process, or the mailbox when there is none."""
        self._over = True
        self._reports.put(_Ended(error))
        self.ref.signal(Stop() if error is None else Fault(error), self.incarnation)


class StandInIncarnation(Incarnation):
    """Where it is, its process says."""

    actor: StandIn

    @property
    def is_born(self) -> bool:
        return self.actor.has_process

    def stack(self) -> str:
        return self.actor.where()


def stand_in_for(actor: type[Actor[Any]]) -> type[Actor[Any]]:
    """The class of stand-ins with the mailbox and the vocabulary of an actor class, and its name."""
    made = type(actor.__name__, (StandIn,), {"mailbox": actor.mailbox, "__module__": actor.__module__})
    made.vocabulary = actor.vocabulary  # type: ignore[attr-defined]
    return made
