"""What the runtime itself sends to actors."""

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

import msgspec

DownReason = Literal["normal", "failed", "start_failed", "abandoned", "noproc"]

T = TypeVar("T")


class Down(msgspec.Struct, frozen=True):
    """Incarnation `incarnation` of `name` has ended. Sent once for each watch; `noproc`: it was gone already."""

    name: str
    incarnation: int
    tag: object
    reason: DownReason
    error: BaseException | None = None


class Started(msgspec.Struct, frozen=True):
    """A child's `on_start` has returned (a supervisor: all its children have had their turn)."""

    name: str
    incarnation: int


class Stop(msgspec.Struct, frozen=True):
    """End after the message in hand. `restart`: a successor will take over, so mailboxes stay as their policy says.

    `within` is how many seconds a supervisor and all below it have; None: as many as their deadlines give.
    """

    why: Literal["shutdown", "restart"] = "shutdown"
    within: float | None = None


class Drain(msgspec.Struct, frozen=True):
    """End after everything that was sent before; `within` as in `Stop`."""

    within: float | None = None


class Crash(msgspec.Struct, frozen=True):
    """For tests: raise `TestCrash(reason)` in the handler's turn. `tell` it in line, or `signal` it past the line."""

    reason: str = "crash by a test"


class Fault(msgspec.Struct, frozen=True):
    """An error that happened outside a handler (a task, a library callback) and is this actor's failure."""

    error: BaseException


class Outcome(msgspec.Struct, Generic[T], frozen=True):
    """How a task ended; `result()` returns its value or raises its error."""

    value: T | None = None
    error: BaseException | None = None

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class TaskEnded(msgspec.Struct, frozen=True):
    """A task of the actor has ended; `then` takes the outcome in the actor's turn."""

    then: Callable[[Outcome[object]], object]
    outcome: Outcome[object]


SystemMessage = Down | Started | Stop | Drain | Crash | Fault
"""What goes in the system lane, before all messages of users."""
