"""What can happen to an order: facts from the log, hints from the broker, our own acts."""

from decimal import Decimal

import msgspec

from mats.model import BrokerOrderStatus, Nanos, OrderErrorMeaning, OrderState, OrderTicket


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is when it was seen."""

    time: Nanos


class _StatusEvent(_Event, frozen=True, kw_only=True):
    """The broker says how the order stands; `status_text` is its own word for it, empty where it has none."""

    status: BrokerOrderStatus
    status_text: str = ""
    perm_id: int = 0

    @property
    def wording(self) -> str:
        """The status as the broker words it, or as we do."""
        return self.status_text or self.status


class OrderSent(_Event, frozen=True):
    """It is on the socket under this client id and order id."""

    client_id: int
    order_id: int


class OrderRefused(_Event, frozen=True):
    """It never went on the socket, for `reason`: certain knowledge of the connection, not a guess."""

    reason: str


class StatusReported(_StatusEvent, frozen=True):
    """A live report of the status, and how much the broker says is filled. A hint."""

    filled: Decimal = Decimal(0)
    why_held: str = ""


class ErrorReported(_Event, frozen=True):
    """An error or notice with the id of this order."""

    code: int
    text: str
    meaning: OrderErrorMeaning


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


class FoundOpen(_StatusEvent, frozen=True):
    """A complete replay lists the order as open, with this status."""


class FoundCompleted(_StatusEvent, frozen=True):
    """A complete replay lists the order as completed, with this status and the broker's own explanation.

    `looks` complete replays in a row, with all their executions booked, have said so.
    """

    filled: Decimal = Decimal(0)
    note: str = ""
    looks: int = 1


class NotFound(_Event, frozen=True):
    """`looks` complete replays in a row since the settle time show it neither open, completed nor executed.

    `proof` says in words why that ends an order that the broker knew; empty where it does not, or not yet.
    """

    looks: int
    proof: str = ""


class OrderSettled(_Event, frozen=True):
    """An operator says how an order of unknown state has ended, and why."""

    state: OrderState
    reason: str


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
    | OrderSettled
)
