"""What a name is made of in virtual time: mailbox, ref and reply without locks or waiting."""

from collections import deque
from typing import Generic, Protocol

from mats.runtime.actor_slot import ActorSlot
from mats.runtime.clock import VirtualClock
from mats.runtime.messaging import CURRENT, Delivery, Envelope, M_contra, Mailbox, Ref, Refusal, Reply, Turn


class VirtualTime(Delivery, Protocol):
    """The virtual runtime as its refs and replies see it."""

    clock: VirtualClock

    @property
    def turn(self) -> Turn | None: ...

    def pump(self, reply: Reply, timeout: float) -> None: ...


class VirtualMailbox(Mailbox):
    """No locks: there is one thread. Each message leaves a token in the run queue."""

    __slots__ = ("_ready_slots", "_slot")

    def __init__(self, slot: ActorSlot, ready: deque[ActorSlot] | list[ActorSlot]) -> None:
        self._slot = slot
        self._ready_slots = ready
        super().__init__(slot)

    def put(self, envelope: Envelope) -> Refusal | None:
        if self._plain and len(self._user) < self._mark:
            self._user.append(envelope)
            self._ready_slots.append(self._slot)
            return None
        waiting = self.conflated
        refusal = self._accept(envelope, None if self._conflate is None else self._key(envelope))
        if refusal is None and self.conflated == waiting:
            self._ready_slots.append(self._slot)
        if self._report_due:
            self._report()
        return refusal

    def post(self, envelope: Envelope) -> Refusal | None:
        if self._closed:
            return "closed"
        self._system.append(envelope)
        self._ready_slots.append(self._slot)
        return None


class VirtualRef(Ref[M_contra], Generic[M_contra]):
    """Knows the turn from its runtime, which is quicker than from the context."""

    def __init__(self, slot: ActorSlot, runtime: VirtualTime) -> None:
        super().__init__(slot, runtime)
        self._virtual = runtime
        self._clock = runtime.clock

    def tell(self, message: M_contra) -> None:
        if self._virtual.turn is None:
            # An edge, or a coroutine, which may belong to an abandoned actor.
            super().tell(message)
            return
        envelope = self.envelope(message)
        if (refusal := self._slot.mailbox.put(envelope)) is not None:
            self._virtual.lose(self.name, envelope, self._reason(refusal))

    def envelope(self, message: object, reply: Reply | None = None, only: int = 0) -> Envelope:
        runtime = self._virtual
        number = runtime.next_id()
        turn = runtime.turn or CURRENT.get()
        if turn is None or (cause := turn.envelope) is None:
            return Envelope(message, reply, number, 0, number, self._clock.seconds, only)
        return Envelope(message, reply, number, cause.id, cause.root, self._clock.seconds, only)


class VirtualReply(Reply):
    """Waiting for it lets the actors run."""

    def __init__(self, runtime: VirtualTime) -> None:
        super().__init__()
        self._runtime = runtime

    def get(self, *, timeout: float | None = None) -> object:
        if not self.settled and timeout is not None:
            self._runtime.pump(self, timeout)
        return super().get(timeout=0)
