"""What is said between a runtime and a process of actors. `name` is the actor that a frame is about."""

from typing import Any

import msgspec

from mats.model import Nanos
from mats.runtime.actor import ActorClass
from mats.runtime.clock import Clock
from mats.runtime.events import Event
from mats.runtime.hosts.link.errors import Described
from mats.runtime.messaging import DeadLetter, DownReason, Drain, Ref, Stop

# To the process


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame: what the process needs to be like its runtime. Its own ids count from `first_id`."""

    process: str
    runtime: str
    seed: int
    clock: Clock
    first_id: int
    memory_mb: int


class Launch(msgspec.Struct, frozen=True):
    """Let this incarnation of the name live; answered by `ActorStarted` or `ActorEnded`."""

    name: str
    number: int
    actor: ActorClass[Any, Any]
    args: object


class Deliver(msgspec.Struct, frozen=True, kw_only=True):
    """Handle this message; `Handled` says when that is done, and the next one comes only then.

    `id`, `cause` and `root` are those of its envelope. `asked`: an `Answered` is owed. `now` is the runtime's time.
    """

    name: str
    message: object
    id: int
    cause: int
    root: int
    asked: bool
    now: Nanos


class WatchEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an actor that was watched by `Watched` with this number."""

    name: str
    watch: int
    target: str
    incarnation: int
    reason: DownReason
    error: Described | None


class Offered(msgspec.Struct, frozen=True):
    """Whether the message was taken that was offered with this number."""

    offer: int
    taken: bool


class End(msgspec.Struct, frozen=True):
    """The actor is to end; answered by `ActorEnded`."""

    name: str
    request: Stop | Drain


# From the process


class ActorStarted(msgspec.Struct, frozen=True):
    """The actor's `on_start` has returned."""

    name: str


class Handled(msgspec.Struct, frozen=True):
    """The delivered message has been handled; `last`: the actor ends with it, and `ActorEnded` follows."""

    name: str
    last: bool


class Answered(msgspec.Struct, frozen=True):
    """The answer to the delivered message with this id."""

    name: str
    id: int
    value: object
    error: Described | None


class ActorEnded(msgspec.Struct, frozen=True):
    """The actor is over: normally, or for an error."""

    name: str
    error: Described | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A message for an actor elsewhere. With an `offer` other than 0 it may be refused, and `Offered` is the answer."""

    to: Ref[Any]
    message: object
    id: int
    cause: int
    root: int
    offer: int = 0


class Watched(msgspec.Struct, frozen=True):
    """The actor wants to know when `target` ends; answered by `WatchEnded` with the same number."""

    name: str
    target: Ref[Any]
    watch: int


class LostInside(msgspec.Struct, frozen=True):
    """A message that never left the process was lost in it."""

    letter: DeadLetter


class Noticed(msgspec.Struct, frozen=True):
    """A supervision event about an actor of the process."""

    event: Event


class Logged(msgspec.Struct, frozen=True):
    """A line for the log."""

    level: str
    event: str
    fields: dict[str, object]


ToProcess = Hello | Launch | Deliver | WatchEnded | Offered | End
FromProcess = ActorStarted | Handled | Answered | ActorEnded | Told | Watched | LostInside | Noticed | Logged
