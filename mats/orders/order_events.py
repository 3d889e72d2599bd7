"""What can happen to an order: facts from the log, hints from the broker, our own acts."""

from decimal import Decimal

import msgspec

from mats.model import Nanos, OrderTicket


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is when it was seen."""

    time: Nanos


class OrderSent(_Event, frozen=True):
    """It is on the socket under this client id and order id."""

    client_id: int
    order_id: int


class OrderRefused(_Event, frozen=True):
    """It never went on the socket, for `reason`: certain knowledge of the connection, not a guess."""

    reason: str


class StatusReported(_Event, frozen=True):
    """openOrder or orderStatus: IB's status word, and how much the broker says is filled. A hint."""

    status: str
    perm_id: int = 0
    filled: Decimal = Decimal(0)
    why_held: str = ""


class ErrorReported(_Event, frozen=True):
    """An error or notice with the id of this order."""

    code: int
    text: str


class FillBooked(_Event, frozen=True):
    """The log booked an execution of this order: a fact."""

    quantity: Decimal
    price: Decimal


class FillReplaced(_Event, frozen=True):
    """The log booked a correction: the new figures in place of the old ones."""

    old_quantity: Decimal
    old_price: Decimal
    quantity: Decimal
    price: Decimal


class CancelRequested(_Event, frozen=True):
    """A cancel is on its way to the broker."""


class OrderModified(_Event, frozen=True):
    """The broker echoed the changed order."""

    quantity: Decimal
    ticket: OrderTicket


class ConnectionLost(_Event, frozen=True):
    """The connection that carries the order is gone; what was on the wire may or may not have arrived."""


class Restarted(_Event, frozen=True):
    """The order was read back from the journal: whether a pending one was sent is not known."""


class FoundOpen(_Event, frozen=True):
    """A complete replay lists the order as open, with this status word."""

    status: str
    perm_id: int = 0


class FoundCompleted(_Event, frozen=True):
    """A complete replay lists the order as completed, with this status word and the broker's own explanation.

    `looks` complete replays in a row, with all their executions booked, have said so.
    """

    status: str
    perm_id: int = 0
    filled: Decimal = Decimal(0)
    note: str = ""
    looks: int = 1


class NotFound(_Event, frozen=True):
    """`looks` complete replays in a row since the settle time show it neither open, completed nor executed."""

    looks: int


OrderEvent = (
    OrderSent
    | OrderRefused
    | StatusReported
    | ErrorReported
    | FillBooked
    | FillReplaced
    | CancelRequested
    | OrderModified
    | ConnectionLost
    | Restarted
    | FoundOpen
    | FoundCompleted
    | NotFound
)
