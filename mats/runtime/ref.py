"""The address of an actor: a name that outlives every incarnation."""

from typing import TYPE_CHECKING, Literal, NoReturn

import pykka

from mats.runtime.envelope import ANYONE, CURRENT, WHOEVER, Envelope
from mats.runtime.errors import ActorDeadError, AskInHandler
from mats.runtime.messages import Drain
from mats.runtime.reply import Reply

if TYPE_CHECKING:
    from mats.runtime.cell import Cell
    from mats.runtime.mailbox import Mailbox, Refusal


class Ref(pykka.ActorRef[pykka.Actor]):
    """Refs are equal when their names are; they are made by the runtime only."""

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._runtime = cell.runtime
        self.name = cell.name
        self.actor_urn = f"mats:{cell.name}"

    @property
    def incarnation(self) -> int:
        """How many times the actor has been launched; 0 before the first time."""
        return self._cell.number

    @property
    def mailbox(self) -> "Mailbox":
        return self._cell.mailbox

    def tell(self, message: object) -> None:
        """Send. Never raises, never blocks; what cannot be delivered becomes a dead letter."""
        envelope = self.envelope(message)
        if (refusal := self._fence() or self._deliver(envelope)) is not None:
            self._runtime.lose(self.name, envelope, refusal)

    def offer(self, message: object) -> bool:
        """Send if there is room. A refusal is the caller's to handle, and no dead letter."""
        return (self._fence() or self._deliver(self.envelope(message))) is None

    def ask(self, message: object, *, timeout: float) -> object:  # type: ignore[override]
        """Send and wait for the reply, from outside of actors only.

        Raises AskTimeout after `timeout` seconds, ActorFailed if the handler raised, ActorDeadError if the actor is
        closed or its mailbox full, AskInHandler inside an actor.
        """
        if CURRENT.get() is not None or self._runtime.in_handler():
            raise AskInHandler(f"{self.name} was asked inside a handler; tell it, and be told the answer")
        reply = self._runtime.new_reply()
        envelope = self.envelope(message, reply)
        if (refusal := self._deliver(envelope)) is not None:
            raise ActorDeadError(f"{self.name} does not take {type(message).__name__}: {refusal}")
        return reply.get(timeout=timeout)

    def signal(self, message: object, only: int = WHOEVER) -> bool:
        """Send in the system lane, before all user messages; False if the mailbox is closed."""
        while True:
            mailbox = self._cell.mailbox
            if mailbox.post(self.envelope(message, None, only)) is None:
                return True
            if mailbox is self._cell.mailbox:
                return False

    def stop(self, only: int = WHOEVER) -> None:  # type: ignore[override]
        """Let the actor end after everything told so far. Returns at once; watch to know when."""
        self._deliver(self.envelope(Drain(), None, only))

    def is_alive(self) -> bool:
        """Whether an incarnation is starting or running now."""
        return self._cell.incarnation is not None

    def proxy(self) -> NoReturn:
        """Refused: proxies hide the names of messages and pin actors."""
        raise TypeError(f"{self.name} has no proxy; tell it a message")

    def envelope(self, message: object, reply: Reply | None = None, only: int = ANYONE) -> Envelope:
        """Wrap a message, with the message that is being handled here as its cause."""
        runtime = self._runtime
        number = runtime.next_id()
        turn = CURRENT.get()
        if turn is None or (cause := turn.envelope) is None:
            return Envelope(message, reply, number, 0, number, runtime.monotonic(), only)
        return Envelope(message, reply, number, cause.id, cause.root, runtime.monotonic(), only)

    def _fence(self) -> "Literal['stale'] | None":
        """An abandoned actor may still run, but nobody listens to it any more."""
        turn = CURRENT.get()
        return "stale" if turn is not None and turn.incarnation.fenced else None

    def _deliver(self, envelope: Envelope) -> "Refusal | None":
        while True:
            mailbox = self._cell.mailbox
            refusal = mailbox.put(envelope)
            # A closed mailbox may have a successor by now.
            if refusal is None or refusal == "full" or mailbox is self._cell.mailbox:
                return refusal

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Ref({self.name!r})"

    __str__ = __repr__
