"""Events of a session: one frozen struct for each reported fact, in the order of the wire."""

import msgspec

from mats.ib.error_codes import Meaning
from mats.model import (
    AccountValue,
    Bar,
    BrokerError,
    BrokerOrder,
    BrokerPosition,
    BrokerStatus,
    Commission,
    Execution,
    IntentId,
    Quote,
    StreamNotice,
    UndecodedMessage,
)


class ExecutionReported(msgspec.Struct, frozen=True):
    """An execution; `live` is False where it is part of a pending snapshot. The same one may be reported again."""

    execution: Execution
    live: bool


class CommissionReported(msgspec.Struct, frozen=True):
    """The cost of an execution, which is reported later, or not at all on this connection."""

    commission: Commission


class OrderReported(msgspec.Struct, frozen=True):
    """openOrder or completedOrder."""

    order: BrokerOrder


class OrderStatusReported(msgspec.Struct, frozen=True):
    """orderStatus: a hint."""

    status: BrokerStatus


class ErrorReceived(msgspec.Struct, frozen=True):
    """Any error or notice. `notice` is set where it concerns streams of market data."""

    error: BrokerError
    meaning: Meaning
    notice: StreamNotice | None = None


class PositionReported(msgspec.Struct, frozen=True):
    """A net position at the broker, also when it becomes zero."""

    position: BrokerPosition


class AccountValueReported(msgspec.Struct, frozen=True):
    """One value of a subscribed account."""

    value: AccountValue


class BarReported(msgspec.Struct, frozen=True):
    """A finished five-second bar."""

    bar: Bar


class QuoteReported(msgspec.Struct, frozen=True):
    """The top of book after one packet; at most one per instrument and packet."""

    quote: Quote


class LinkDegraded(msgspec.Struct, frozen=True):
    """The gateway lost IB's servers; the socket is open, answers cannot be trusted until `LinkRestored`."""

    reason: str


class LinkRestored(msgspec.Struct, frozen=True):
    """The gateway reached IB's servers again; `data_lost`: every market data subscription must be requested again."""

    data_lost: bool
    reason: str = ""


class Unsent(msgspec.Struct, frozen=True):
    """An order message that never left this process; `action` is `place`, `modify` or `cancel`.

    `intent_id` is empty for a cancel. `children` are the intents that were to leave with it, under the ids that follow.
    """

    order_id: int
    action: str
    intent_id: IntentId = ""
    children: tuple[IntentId, ...] = ()

    @property
    def child_ids(self) -> range:
        """The order ids of its children."""
        return range(self.order_id + 1, self.order_id + 1 + len(self.children))


class SessionLost(msgspec.Struct, frozen=True):
    """The socket is gone, reported exactly once for each opened session. What is not `unsent` may have arrived."""

    reason: str
    unsent: tuple[Unsent, ...] = ()


class DecodeFailed(msgspec.Struct, frozen=True):
    """A message could not be decoded: its content and why. It comes again in every snapshot that holds it."""

    message: UndecodedMessage


class PacketEnd(msgspec.Struct, frozen=True):
    """All events of one TCP packet have been reported."""


SessionEvent = (
    ExecutionReported
    | CommissionReported
    | OrderReported
    | OrderStatusReported
    | ErrorReceived
    | PositionReported
    | AccountValueReported
    | BarReported
    | QuoteReported
    | LinkDegraded
    | LinkRestored
    | SessionLost
    | DecodeFailed
    | PacketEnd
)
"""Every event of a session."""
