"""Commands of managers and operators to supervisors, and their answers."""

import msgspec

from mats.runtime.events import ChildFailed, ChildParked, ChildStarted, ChildStopped
from mats.runtime.messaging import Question, Ref
from mats.runtime.spec import Spec


class Refused(msgspec.Struct, frozen=True):
    """The supervisor did nothing, and why."""

    name: str
    reason: str


CommandResult = ChildStarted | ChildStopped | ChildParked | ChildFailed | Refused
"""What became of a command. A stop or a failure of the child on the way can answer any of them."""


class StartChild(Question[CommandResult], frozen=True):
    """Start this child too. Answer: ChildStarted, ChildFailed or Refused."""

    spec: Spec
    reply_to: Ref[CommandResult] | None = None


class StopChild(Question[CommandResult], frozen=True):
    """Stop this child and forget it. Answer: ChildStopped or Refused."""

    name: str
    reply_to: Ref[CommandResult] | None = None


class Park(Question[CommandResult], frozen=True):
    """Stop this child and keep it down, its mailbox closed. Answer: ChildParked or Refused."""

    name: str
    reason: str
    reply_to: Ref[CommandResult] | None = None


class Unpark(Question[CommandResult], frozen=True):
    """Start a parked child again. Answer: ChildStarted, ChildFailed or Refused."""

    name: str
    reply_to: Ref[CommandResult] | None = None


SupervisorMessage = StartChild | StopChild | Park | Unpark
