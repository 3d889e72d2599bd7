"""Orders ⇄ ib_async: what we send, and what the broker echoes."""

from decimal import Decimal

from ib_async.order import Order, OrderState

from mats.ib.conversion.contracts import amount, or_zero
from mats.model import (
    PRICES,
    ZERO,
    AccountId,
    BrokerOrder,
    BrokerOrderStatus,
    InstrumentId,
    OrderTicket,
    OrderType,
    Side,
)

MAX_REFERENCE_LENGTH = 128
UNKNOWN_CLIENT_ID = -1
"""The client id of an order whose message does not carry one (completedOrder)."""

_STATUSES = {
    "ApiPending": BrokerOrderStatus.PENDING_SUBMIT,
    "PendingSubmit": BrokerOrderStatus.PENDING_SUBMIT,
    "PreSubmitted": BrokerOrderStatus.WORKING,
    "Submitted": BrokerOrderStatus.WORKING,
    "PendingCancel": BrokerOrderStatus.PENDING_CANCEL,
    "Cancelled": BrokerOrderStatus.CANCELLED,
    "ApiCancelled": BrokerOrderStatus.CANCELLED,
    "Filled": BrokerOrderStatus.FILLED,
    "Inactive": BrokerOrderStatus.INACTIVE,
}

_LIMITED = frozenset(kind for kind, prices in PRICES.items() if "limit_price" in prices)
_STOPPED = frozenset(kind for kind, prices in PRICES.items() if "stop_price" in prices)


def to_order(side: Side, quantity: Decimal, ticket: OrderTicket, order_ref: str, account: AccountId) -> Order:
    """The order as it is sent, nothing left to a preset of the gateway: time in force, account, reference, transmit.

    Numbers are sent as the decimal text that they are. An invalid order is a `ValueError`.
    """
    if not quantity.is_finite() or quantity <= ZERO:
        raise ValueError(f"quantity {quantity} of order {order_ref!r} must be positive; the side gives the direction")
    _check_text("order reference", order_ref)
    _check_text("account", account)
    order = Order()
    order.action = side.value
    order.orderType = ticket.order_type.value
    order.lmtPrice = _price("limit", ticket.limit_price, ticket, _LIMITED)
    order.auxPrice = _price("stop", ticket.stop_price, ticket, _STOPPED)
    order.totalQuantity = Decimal(format(quantity, "f"))  # type: ignore[assignment]  # sent as the text it is
    order.tif = ticket.tif.value
    order.outsideRth = ticket.outside_rth
    order.account = account
    order.orderRef = order_ref
    order.transmit = True
    return order


def to_broker_order(instrument: InstrumentId, order: Order, state: OrderState) -> BrokerOrder:
    """openOrder as plain data."""
    return _broker_order(instrument, order, state, client_id=order.clientId, completed=False)


def to_completed_order(instrument: InstrumentId, order: Order, state: OrderState) -> BrokerOrder:
    """completedOrder as plain data; it carries neither order id nor client id, only permanent id and reference."""
    return _broker_order(instrument, order, state, client_id=UNKNOWN_CLIENT_ID, completed=True)


def side_of(text: str) -> Side:
    """Orders say BUY and SELL, executions BOT and SLD; short sales count as sales."""
    match text:
        case "BUY" | "BOT":
            return Side.BUY
        case "SELL" | "SLD" | "SSHORT":
            return Side.SELL
    raise ValueError(f"side {text!r} is none of BUY, SELL, SSHORT, BOT, SLD")


def status_of(word: str) -> BrokerOrderStatus:
    """What IB's word for the status of an order means."""
    return _STATUSES.get(word, BrokerOrderStatus.UNKNOWN)


def _broker_order(
    instrument: InstrumentId, order: Order, state: OrderState, *, client_id: int, completed: bool
) -> BrokerOrder:
    return BrokerOrder(
        order_ref=order.orderRef,
        client_id=client_id,
        order_id=order.orderId,
        perm_id=order.permId,
        account=order.account,
        instrument=instrument,
        side=side_of(order.action),
        quantity=or_zero(order.totalQuantity),
        order_type=order.orderType,
        status=status_of(state.status),
        status_text=state.status,
        limit_price=amount(order.lmtPrice) if order.orderType in _LIMITED else None,
        stop_price=amount(order.auxPrice) if order.orderType in _STOPPED else None,
        filled=or_zero(order.filledQuantity),
        completed=completed,
        note=state.completedStatus or state.warningText,
    )


def _price(name: str, price: Decimal | None, ticket: OrderTicket, wanted_by: frozenset[OrderType]) -> Decimal | None:
    if ticket.order_type not in wanted_by:
        return None
    if price is None or not price.is_finite():
        raise ValueError(f"{ticket.order_type.value} order has {name} price {price}; give it one")
    return Decimal(format(price, "f"))


def _check_text(what: str, text: str) -> None:
    if not text or not text.isascii() or not text.isprintable() or len(text) > MAX_REFERENCE_LENGTH:
        raise ValueError(f"{what} {text!r} must be 1 to {MAX_REFERENCE_LENGTH} printable ASCII characters")
