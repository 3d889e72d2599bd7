"""The ref of an actor: an address that outlives every incarnation, typed by the messages that are understood there."""

from collections.abc import Callable
from typing import Generic, Literal, NamedTuple, NoReturn, Protocol, Self, TypeVar, cast

import msgspec
import pykka

from mats.runtime.errors import ActorDeadError, AskInHandler
from mats.runtime.messaging.dead_letters import Reason
from mats.runtime.messaging.envelope import ANYONE, CURRENT, WHOEVER, Envelope, Reply
from mats.runtime.messaging.mailbox import Mailbox, Refusal
from mats.runtime.messaging.messages import Down, Drain, SystemMessage

M_contra = TypeVar("M_contra", contravariant=True)
M_co = TypeVar("M_co", covariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Address(msgspec.Struct, Generic[M_contra], frozen=True):
    """Where an actor runs, and which messages it understands: `Address[RiskManagerMessage]("core/risk")`."""

    path: str


class Life(NamedTuple):
    """One incarnation of a name."""

    name: str
    number: int


class Slot(Protocol):
    """What a ref needs of the name that it refers to."""

    name: str
    number: int
    mailbox: Mailbox

    @property
    def live(self) -> bool: ...

    def watch(self, sink: Callable[[Down], object], tag: object, watcher: Life | None = None) -> None: ...


class Delivery(Protocol):
    """What a ref needs of the runtime."""

    next_id: Callable[[], int]
    monotonic: Callable[[], float]

    def in_handler(self) -> bool: ...

    def new_reply(self) -> Reply: ...

    def lose(self, name: str, envelope: Envelope, reason: Reason) -> None: ...


class Question(msgspec.Struct, Generic[R], frozen=True):
    """A message that is asked: `class ReadHalts(Question[dict[str, str]], frozen=True)` is answered by such a dict."""

    def answer(self, value: R) -> R:
        """`value`, as a handler returns it: `return message.answer(halts)`. The type checker compares it."""
        return value

    def _asked_of(self, ref: "Ref[Self]", /) -> R:
        """For the type checker only: a ref that understands this question answers it with an R."""
        raise NotImplementedError


class Askable(Protocol[M_co, R_co]):
    """A question that a `Ref[M]` understands, answered by an R."""

    def _asked_of(self, ref: "Ref[M_co]", /) -> R_co: ...


class Ref(pykka.ActorRef[pykka.Actor], Generic[M_contra]):
    """Sends what its actor understands. Refs are equal when their names are; they are made by the runtime only.

    A ref of many messages can be given where one of fewer is wanted. `Ref[Never]` is any ref: to watch and to compare.
    """

    def __init__(self, slot: Slot, runtime: Delivery) -> None:
        self._slot = slot
        self._runtime = runtime
        self.name = slot.name
        self.actor_urn = f"mats:{slot.name}"

    @property
    def incarnation(self) -> int:
        """How many times the actor has been launched; 0 before the first time."""
        return self._slot.number

    @property
    def mailbox(self) -> Mailbox:
        return self._slot.mailbox

    def tell(self, message: M_contra) -> None:
        """Send. Never raises, never blocks; what cannot be delivered becomes a dead letter."""
        envelope = self.envelope(message)
        if (refusal := self._fence() or self.deliver(envelope)) is not None:
            self._runtime.lose(self.name, envelope, self._reason(refusal))

    def offer(self, message: M_contra) -> bool:
        """Send if there is room. A refusal is the caller's to handle, and no dead letter."""
        return (self._fence() or self.deliver(self.envelope(message))) is None

    def ask(self, question: Askable[M_contra, R], *, timeout: float) -> R:  # type: ignore[override]
        """Send and wait for the reply, from outside of actors only; a plain pykka actor may wait, too.

        Raises AskTimeout after `timeout` seconds, ActorFailed if the handler raised, ActorDeadError if the actor is
        closed or its mailbox full, NotUnderstood if it has no use for the question, AskInHandler inside an actor.
        """
        turn = CURRENT.get()
        if (turn is not None and not turn.sender.may_wait) or self._runtime.in_handler():
            raise AskInHandler(
                f"{self.name} was asked inside a handler; send it a message and get the answer as a message"
            )
        reply = self._runtime.new_reply()
        self.request(question, reply)
        return cast(R, reply.get(timeout=timeout))

    def request(self, question: object, reply: Reply) -> None:
        """Send what `reply` is to answer; at once with an ActorDeadError where it cannot be delivered."""
        envelope = self.envelope(question, reply)
        if (refusal := self._fence() or self.deliver(envelope)) is not None:
            reply.fail(ActorDeadError(f"{self.name} does not take {type(question).__name__}: {self._reason(refusal)}"))

    def signal(self, message: SystemMessage, only: int = WHOEVER) -> bool:
        """Send in the system lane, before all user messages; False if the mailbox is closed."""
        while True:
            mailbox = self._slot.mailbox
            if mailbox.post(self.envelope(message, None, only)) is None:
                return True
            if mailbox is self._slot.mailbox:
                return False

    def stop(self, only: int = WHOEVER, within: float | None = None) -> None:  # type: ignore[override]
        """Let the actor end after everything sent so far. Returns at once; watch to know when.

        A supervisor and all below it have `within` seconds, if given.
        """
        self.deliver(self.envelope(Drain(within), None, only))

    def watch(self, sink: Callable[[Down], object], tag: object, watcher: Life | None = None) -> None:
        """Hand `sink` exactly one Down: at the end of the incarnation that runs (or will be the first), or now.

        With a `watcher`, the watches of its ended incarnations are dropped.
        """
        self._slot.watch(sink, tag, watcher)

    def is_alive(self) -> bool:
        """Whether an incarnation is starting or running now."""
        return self._slot.live

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

    def _fence(self) -> Literal["stale"] | None:
        """An abandoned actor may still run, but its messages are not delivered any more."""
        turn = CURRENT.get()
        return "stale" if turn is not None and turn.sender.fenced else None

    def _reason(self, refusal: Refusal | Literal["stale"]) -> Reason:
        return "no such actor" if refusal == "closed" and not self._slot.number else refusal

    def deliver(self, envelope: Envelope) -> Refusal | None:
        """Put an envelope as it is in the mailbox; None, or why not."""
        while True:
            mailbox = self._slot.mailbox
            refusal = mailbox.put(envelope)
            # A closed mailbox may have a successor by now.
            if refusal is None or refusal == "full" or mailbox is self._slot.mailbox:
                return refusal

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Callable[[str], NoReturn], tuple[str]]:
        """Between processes a ref is its name; who reads it makes a ref of its own runtime."""
        return ref_named, (self.name,)

    def __repr__(self) -> str:
        return f"Ref({self.name!r})"

    __str__ = __repr__


def ref_named(name: str) -> NoReturn:
    """What a pickled ref says. Only the link between a runtime and its processes can read it."""
    raise TypeError(f"the ref of {name} was read outside of a runtime; only a runtime makes refs")
