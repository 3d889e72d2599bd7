"""What happened in the tree, for logs, alarms and the operator's page. `name` is the full path."""

import msgspec


class ChildStarted(msgspec.Struct, frozen=True):
    name: str
    incarnation: int


class ChildFailed(msgspec.Struct, frozen=True):
    """`reason`: `failed`, `start_failed` or `abandoned`; `error` is one line of text."""

    name: str
    incarnation: int
    reason: str
    error: str


class ChildRestarting(msgspec.Struct, frozen=True):
    """Down for `delay` seconds; `attempt` counts the failures since it last ran long enough."""

    name: str
    delay: float
    attempt: int


class ChildRestarted(msgspec.Struct, frozen=True):
    name: str
    incarnation: int


class ChildStopped(msgspec.Struct, frozen=True):
    name: str


class ChildParked(msgspec.Struct, frozen=True):
    name: str
    reason: str


class Abandoned(msgspec.Struct, frozen=True):
    """An actor that did not end in time; its thread may live on, fenced. `stack` is where it was."""

    name: str
    incarnation: int
    stack: str


class Escalated(msgspec.Struct, frozen=True):
    """The supervisor `name` gave up."""

    name: str
    reason: str


class HighWater(msgspec.Struct, frozen=True):
    """A mailbox reached its mark of `depth` messages; reported once until it has been empty again."""

    name: str
    depth: int


class MessagesRefused(msgspec.Struct, frozen=True):
    """A full mailbox refused a message of this class: its actor is behind, and lacks it.

    Reported once for each class until the mailbox has been empty again; the status counts all of them.
    """

    name: str
    message: str
    depth: int


class HandlerSlow(msgspec.Struct, frozen=True):
    """The handler of a message of this class holds its actor for `seconds` already; `stack` is where it is."""

    name: str
    message: str
    seconds: float
    stack: str


Event = (
    ChildStarted
    | ChildFailed
    | ChildRestarting
    | ChildRestarted
    | ChildStopped
    | ChildParked
    | Abandoned
    | Escalated
    | HighWater
    | MessagesRefused
    | HandlerSlow
)
