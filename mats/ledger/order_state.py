"""The life of an order as a table: what each event makes of each state.

Executions of the log are the only facts about fills; status words, errors and replays are evidence about whether the
order is alive. What the evidence does not settle becomes `UNKNOWN` and asks for a query. Nothing here raises: an event
that means nothing in a state leaves the order as it is, and the transition says so.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

import msgspec
from msgspec.structs import replace

from mats.ledger import order_events as ev
from mats.ledger.error_codes import ErrorMeaning, order_error
from mats.model import ZERO, OrderState, OrderView

PENDING, SENT, WORKING, CANCELLING = OrderState.PENDING, OrderState.SENT, OrderState.WORKING, OrderState.CANCELLING
UNKNOWN, FILLED, CANCELLED, REJECTED = OrderState.UNKNOWN, OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED

ALIVE = frozenset({"ApiPending", "PendingSubmit", "PreSubmitted", "Submitted"})
DEAD = frozenset({"Cancelled", "ApiCancelled"})
LOOKS_THAT_PROVE_ABSENCE = 2
"""How many complete replays must miss an order that nobody acknowledged before it is held to be lost on the way."""


class Transition(msgspec.Struct, frozen=True):
    """The order after an event; `ignored` says why the event changed nothing, `query` that the broker must be asked."""

    order: OrderView
    ignored: str = ""
    query: bool = False


def apply(order: OrderView, event: ev.OrderEvent) -> OrderView:
    """The order after `event`."""
    return transition(order, event).order


def transition(order: OrderView, event: ev.OrderEvent) -> Transition:
    """The order after `event`, and what is left to ask or to say about it. What only repeats is no update."""
    result = _RULES[type(event)](order, event)
    repeated = result.order.state is order.state and replace(result.order, updated=order.updated) == order
    return Transition(order, result.ignored, result.query) if repeated else result


def _to(order: OrderView, event: ev.OrderEvent, state: OrderState, note: str = "", query: bool = False) -> Transition:
    return Transition(replace(order, state=state, note=note, updated=max(order.updated, event.time)), query=query)


def _ignored(order: OrderView, event: ev.OrderEvent, query: bool = False) -> Transition:
    return Transition(order, f"{type(event).__name__} means nothing to a {order.state} order", query)


def _heard(order: OrderView, perm_id: int) -> OrderView:
    """The broker knows the order; the first permId that is not 0 is its own for life."""
    if order.acknowledged and (order.perm_id or not perm_id):
        return order
    return replace(order, acknowledged=True, perm_id=order.perm_id or perm_id)


def _unclear(order: OrderView, event: ev.OrderEvent, note: str) -> Transition:
    """The evidence contradicts or runs out: UNKNOWN, unless the order is final, which only facts undo."""
    if order.state.final:
        return _ignored(order, event, query=True)
    return _to(order, event, UNKNOWN, note, query=True)


# Our own acts ------------------------------------------------------------------------------------------------------


def _sent(order: OrderView, event: ev.OrderSent) -> Transition:
    placed = replace(order, client_id=event.client_id, order_id=event.order_id)
    return _to(placed, event, SENT) if order.state is PENDING else _ignored(order, event)


def _refused(order: OrderView, event: ev.OrderRefused) -> Transition:
    if order.acknowledged or order.state.final:
        return _ignored(order, event, query=order.acknowledged)
    return _to(order, event, REJECTED, f"not sent: {event.reason}")


def _cancel(order: OrderView, event: ev.CancelRequested) -> Transition:
    match order.state:
        case OrderState.PENDING:
            return _to(order, event, CANCELLED, "cancelled before it was sent")
        case OrderState.SENT | OrderState.WORKING:
            return _to(order, event, CANCELLING, "cancel requested")
        case _:
            return _ignored(order, event)


def _modified(order: OrderView, event: ev.OrderModified) -> Transition:
    if order.state.final:
        return _ignored(order, event, query=True)
    changed = replace(_heard(order, 0), quantity=event.quantity, ticket=event.ticket)
    if changed.filled and changed.filled >= changed.quantity:
        return _to(changed, event, FILLED)
    return _to(changed, event, WORKING if order.state is SENT else order.state, order.note)


# Facts: the fill log -----------------------------------------------------------------------------------------------


def _filled(order: OrderView, event: ev.FillBooked) -> Transition:
    return _booked(order, event, event.quantity, event.quantity * event.price)


def _replaced(order: OrderView, event: ev.FillReplaced) -> Transition:
    notional = event.quantity * event.price - event.old_quantity * event.old_price
    return _booked(order, event, event.quantity - event.old_quantity, notional)


def _booked(order: OrderView, event: ev.OrderEvent, quantity: Decimal, notional: Decimal) -> Transition:
    """Fills count in every state: late ones after a cancel too. A shrunken fill does not revive a finished order."""
    filled, total = order.filled + quantity, order.notional + notional
    grown = replace(
        _heard(order, 0), filled=filled, notional=total, average_price=total / filled if filled > 0 else ZERO
    )
    if filled > order.quantity:
        return _to(grown, event, FILLED, f"filled {filled} of {order.quantity}: more than was ordered", query=True)
    if filled == order.quantity:
        return _to(grown, event, FILLED)
    match order.state:
        case OrderState.FILLED:
            return _to(grown, event, FILLED, f"a correction left {filled} of {order.quantity} filled")
        case OrderState.CANCELLED | OrderState.REJECTED:
            return _to(grown, event, CANCELLED, f"{filled} of {order.quantity} filled before it ended")
        case OrderState.PENDING | OrderState.SENT:
            return _to(grown, event, WORKING)
        case _:
            return _to(grown, event, order.state, order.note)


# Hints: status words and errors ------------------------------------------------------------------------------------


def _status(order: OrderView, event: ev.StatusReported) -> Transition:
    if order.state.final:
        known = replace(order, perm_id=order.perm_id or event.perm_id)
        contradicts = order.state is not FILLED and (event.status in ALIVE or event.filled > order.filled)
        return Transition(known, f"{event.status} changes nothing: the order is {order.state}", contradicts)
    order = _heard(order, event.perm_id)
    if event.status in ALIVE:
        return _to(order, event, CANCELLING if order.state is CANCELLING else WORKING)
    if event.status in DEAD:
        missing = event.filled > order.filled
        note = f"the broker reports {event.filled} filled, {order.filled} are booked" if missing else ""
        return _to(order, event, CANCELLED, note, query=missing)
    match event.status:
        case "PendingCancel":
            return _to(order, event, CANCELLING, "cancel pending at the broker")
        case "Filled":
            return _awaiting_executions(order, event)
        case "Inactive" if event.why_held:
            return _to(order, event, CANCELLING if order.state is CANCELLING else WORKING, f"held: {event.why_held}")
        case _:
            return _unclear(order, event, f"the broker reports {event.status}: refused, or held and able to come back")


def _awaiting_executions(order: OrderView, event: ev.OrderEvent) -> Transition:
    state = CANCELLING if order.state is CANCELLING else WORKING
    return _to(order, event, state, "reported filled: awaiting executions", query=True)


def _error(order: OrderView, event: ev.ErrorReported) -> Transition:
    text = f"{event.code}: {event.text}"
    match order_error(event.code):
        case ErrorMeaning.INFORMATION:
            return Transition(order, f"{text} (changes nothing)")
        case _ if order.state.final:
            return Transition(order, f"{text} (the order is {order.state})")
        case ErrorMeaning.REJECTED if not order.acknowledged:
            return _to(order, event, REJECTED, text)
        case ErrorMeaning.INVALID if not order.acknowledged:
            return _to(order, event, REJECTED, text)
        case ErrorMeaning.CANCELLED:
            return _to(order, event, CANCELLED, text)
        case ErrorMeaning.WARNING | ErrorMeaning.INVALID | ErrorMeaning.MODIFY_REFUSED:
            return _to(order, event, order.state, text)
        case ErrorMeaning.CANCEL_REFUSED if event.code != 10147:
            return _to(order, event, order.state, text, query=True)
        case _:
            return _unclear(order, event, text)


# The connection and its replays ------------------------------------------------------------------------------------


def _lost(order: OrderView, event: ev.ConnectionLost) -> Transition:
    match order.state:
        case OrderState.SENT:
            return _to(order, event, UNKNOWN, "the connection was lost before the broker answered", query=True)
        case OrderState.WORKING | OrderState.CANCELLING:
            return _to(order, event, order.state, "not verified since the connection was lost")
        case _:
            return _ignored(order, event)


def _restarted(order: OrderView, event: ev.Restarted) -> Transition:
    match order.state:
        case OrderState.PENDING | OrderState.SENT:
            return _to(order, event, UNKNOWN, "the daemon restarted before the broker answered", query=True)
        case OrderState.WORKING | OrderState.CANCELLING:
            return _to(order, event, order.state, "not verified since the daemon restarted")
        case _:
            return _ignored(order, event)


def _open(order: OrderView, event: ev.FoundOpen) -> Transition:
    """A listing proves life; one that contradicts a final state may be older than it: count the order, ask again."""
    if order.state is FILLED or (order.state.final and event.status not in ALIVE):
        return _ignored(order, event)
    found = _heard(order, event.perm_id)
    if order.state.final:
        return _to(found, event, UNKNOWN, f"the broker lists it as open, here it was {order.state}", query=True)
    return _status(replace(found, state=WORKING), ev.StatusReported(time=event.time, status=event.status))


def _completed(order: OrderView, event: ev.FoundCompleted) -> Transition:
    if order.state.final:
        return _ignored(order, event, query=order.state is not FILLED and event.filled > order.filled)
    found = _heard(order, event.perm_id)
    if event.status == "Filled":
        return _filled_by_replay(found, event)
    if event.status == "Inactive" and not order.filled and not event.filled:
        return _to(found, event, REJECTED, event.note or "the broker completed it as Inactive")
    if event.status in DEAD or event.status == "Inactive":
        return _to(found, event, CANCELLED, event.note, query=event.filled > order.filled)
    return _unclear(found, event, f"the broker completed it as {event.status}")


def _filled_by_replay(order: OrderView, event: ev.FoundCompleted) -> Transition:
    """What a second look does not bring will not come: a correction took it back, or it is older than any replay."""
    if event.looks < LOOKS_THAT_PROVE_ABSENCE:
        return _awaiting_executions(order, event)
    return _to(order, event, FILLED, f"the broker reports {event.filled} filled, {order.filled} are booked")


def _absent(order: OrderView, event: ev.NotFound) -> Transition:
    """Absence is proof only for an order that nobody ever acknowledged, and only after a second look."""
    if order.state.final or order.state is PENDING:
        return _ignored(order, event)
    if order.acknowledged or order.filled:
        return _unclear(order, event, "the broker knew it and lists it nowhere now")
    if event.looks < LOOKS_THAT_PROVE_ABSENCE:
        return _unclear(order, event, "not at the broker at the first look")
    return _to(order, event, REJECTED, "never reached the broker")


_RULES = cast(
    dict[type[ev.OrderEvent], Callable[[OrderView, ev.OrderEvent], Transition]],
    {
        ev.OrderSent: _sent,
        ev.OrderRefused: _refused,
        ev.CancelRequested: _cancel,
        ev.OrderModified: _modified,
        ev.FillBooked: _filled,
        ev.FillReplaced: _replaced,
        ev.StatusReported: _status,
        ev.ErrorReported: _error,
        ev.ConnectionLost: _lost,
        ev.Restarted: _restarted,
        ev.FoundOpen: _open,
        ev.FoundCompleted: _completed,
        ev.NotFound: _absent,
    },
)
