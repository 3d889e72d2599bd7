"""The runtime inside a process of actors; supervisors, mailboxes and watchers are at the other end of the link."""

import itertools
import os
import sys
from functools import partial
from typing import Any, TypeVar

import msgspec

from mats.runtime.actor import Actor
from mats.runtime.actor_slot import ActorSlot
from mats.runtime.errors import ActorFailed
from mats.runtime.events import Event
from mats.runtime.hosts.child.far_ref import FarRef, Offers, Watches
from mats.runtime.hosts.child.log import log_to
from mats.runtime.hosts.link import (
    ActorEnded,
    ActorStarted,
    Answered,
    Deliver,
    Described,
    FromProcess,
    Handled,
    Hello,
    Launch,
    Link,
    LostInside,
    Noticed,
    encode,
)
from mats.runtime.hosts.thread import ThreadRuntime
from mats.runtime.incarnation import Incarnation
from mats.runtime.interfaces import ParentSink, RunningActor
from mats.runtime.messaging import Address, Down, Envelope, Reason, Ref, Reply, Started
from mats.runtime.spec import OwnProcess

M = TypeVar("M")

OUT_OF_MEMORY = 72
ORPHANED = 71


class Delivered(Envelope, gc=False):
    """A message that came over the link; what becomes of it is told there."""


class FarReply(Reply):
    """The answer to somebody outside."""

    def __init__(self, runtime: "ChildRuntime", name: str, number: int) -> None:
        super().__init__()
        self._runtime, self._name, self._number = runtime, name, number

    def _settle(self, value: object, error: BaseException | None) -> bool:
        if not self._claim.acquire(blocking=False):
            return False
        self.settled = True
        if not isinstance(error, ActorFailed):  # then the end of the actor is the answer
            described = None if error is None else Described.of(error)
            self._runtime.write(Answered(self._name, self._number, value, described))
        return True


class ChildIncarnation(Incarnation):
    """Says when a message from outside has been handled."""

    def step(self, envelope: Envelope) -> None:
        super().step(envelope)
        if isinstance(envelope, Delivered) and self.error is None:
            self.slot.runtime.write(Handled(self.slot.name, self.exit is not None))  # type: ignore[attr-defined]


class ChildRuntime(ThreadRuntime):
    """Actors on threads; every name but their own is outside."""

    def __init__(self, link: Link, hello: Hello) -> None:
        super().__init__(hello.seed, hello.clock, hello.runtime)
        self._link, self._memory_mb = link, hello.memory_mb
        self.next_id = itertools.count(hello.first_id).__next__
        self.offers, self.watches = Offers(), Watches()
        log_to(self.write, self.monotonic, hello.process)

    def write(self, frame: FromProcess) -> None:
        try:
            self._link.write(encode(frame))
        except OSError:
            os._exit(ORPHANED)

    # Names

    def far_ref(self, name: str) -> Ref[Any]:
        return FarRef(name, self)

    def ref(self, at: Address[M] | str) -> Ref[Any]:
        return FarRef(at if isinstance(at, str) else at.path, self)

    # The actors of this process

    def host(self, launch: Launch) -> None:
        """Let an actor live here, with the number that it has outside."""
        self.slot(launch.name).number = launch.number - 1
        try:
            self.launch(launch.name, launch.actor, launch.args, parent=partial(self._report, launch.name))
        except Exception as error:
            self.write(ActorEnded(launch.name, Described.of(error)))

    def new_incarnation(
        self,
        slot: ActorSlot,
        actor: type[Actor[Any]],
        args: object,
        parent: ParentSink | None,
        process: OwnProcess | None,
    ) -> Incarnation:
        return ChildIncarnation(slot, actor, args, parent)

    def deliver(self, frame: Deliver) -> None:
        """Put a message in its actor's mailbox. One that comes after the actor's end is settled by that."""
        self.clock.advance(frame.now)
        reply = FarReply(self, frame.name, frame.id) if frame.asked else None
        envelope = Delivered(frame.message, reply, frame.id, frame.cause, frame.root, self.monotonic())
        self.slot(frame.name).mailbox.put(envelope)

    def _report(self, name: str, notice: Started | Down) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        match notice:
            case Started():
                self.write(ActorStarted(name))
            case Down(error=None):
                self.write(ActorEnded(name, None))
            case Down(error=BaseException() as error):
                self._report_failure(name, error)

    def _report_failure(self, name: str, error: BaseException) -> None:
        try:
            described = Described.of(error)
            if isinstance(error, MemoryError) and self._memory_mb:
                text = f"{described.text} (the process may allocate {self._memory_mb} MiB, memory_mb)".strip()
                described = msgspec.structs.replace(described, text=text)
            self.write(ActorEnded(name, described))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)

    # Notices

    def incarnation_ended(self, incarnation: RunningActor) -> None:
        """The failure is logged outside, where the supervisor acts on it."""
        incarnation.slot.ended(incarnation, incarnation.exit or "normal", incarnation.error)

    def emit(self, event: Event) -> None:
        self.write(Noticed(event))

    def lose(self, name: str, envelope: Envelope, reason: Reason, error: BaseException | None = None) -> None:
        """What came over the link is lost there, in the mailbox of its name."""
        before = len(self.dead_letters)
        if isinstance(envelope, Delivered):
            return
        super().lose(name, envelope, reason, error)
        if len(self.dead_letters) > before:
            self.write(LostInside(self.dead_letters.recent[-1]))
