"""What the runtime tells actors, and what they and people tell it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from mats.runtime.ref import Ref
    from mats.runtime.spec import ChildSpec, SupervisorSpec

DownReason = Literal["normal", "failed", "start_failed", "abandoned", "noproc"]


class Down(msgspec.Struct, frozen=True):
    """Incarnation `incarnation` of `name` has ended. Told once for each watch; `noproc`: it was gone already."""

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
    """End after the message in hand. `restart`: somebody will take over, so mailboxes stay as their policy says."""

    why: Literal["shutdown", "restart"] = "shutdown"


class Drain(msgspec.Struct, frozen=True):
    """End after everything that was told before."""


class Crash(msgspec.Struct, frozen=True):
    """For tests: raise `TestCrash(reason)` in the handler's turn. `tell` it in line, or `signal` it past the line."""

    reason: str = "crash by a test"


class Fault(msgspec.Struct, frozen=True):
    """An error that happened outside a handler (a task, a library callback) and is this actor's failure."""

    error: BaseException


class Outcome(msgspec.Struct, frozen=True):
    """How a task ended; `result()` returns its value or raises its error."""

    value: object = None
    error: BaseException | None = None

    def result(self) -> object:
        if self.error is not None:
            raise self.error
        return self.value


class TaskEnded(msgspec.Struct, frozen=True):
    """A task of the actor has ended; `then` takes the outcome in the actor's turn."""

    then: Callable[[Outcome], object]
    outcome: Outcome


class StartChild(msgspec.Struct, frozen=True):
    """To a supervisor: start this child too. Answer: ChildStarted, ChildFailed or Refused."""

    spec: "ChildSpec | SupervisorSpec"
    reply_to: "Ref | None" = None


class StopChild(msgspec.Struct, frozen=True):
    """To a supervisor: stop this child and forget it. Answer: ChildStopped or Refused."""

    name: str
    reply_to: "Ref | None" = None


class Park(msgspec.Struct, frozen=True):
    """To a supervisor: stop this child and keep it down, its mailbox closed. Answer: ChildParked or Refused."""

    name: str
    reason: str
    reply_to: "Ref | None" = None


class Unpark(msgspec.Struct, frozen=True):
    """To a supervisor: start a parked child again. Answer: ChildStarted, ChildFailed or Refused."""

    name: str
    reply_to: "Ref | None" = None


class Refused(msgspec.Struct, frozen=True):
    """The supervisor did nothing, and why."""

    name: str
    reason: str
