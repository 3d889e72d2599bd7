"""The life of an order as a table: what each event makes of each state.

Executions of the log are the only facts about fills; statuses, errors and replays are evidence about whether the
order is alive. What the evidence does not settle becomes `UNKNOWN`, with the doubt that says why, and asks for a
query. An end that the broker never spoke of is `SETTLED`: what contradicts it counts. Nothing here raises: an event
that means nothing in a state leaves the order as it is, and the outcome says so.

The rules change a record in place. `happen` picks the rule of an event; who has no event at hand asks the rule itself.
`transition` does the same for those who keep views.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

import msgspec
from msgspec.structs import replace

from mats.model import ZERO, BrokerOrderStatus, Nanos, OrderDoubt, OrderErrorMeaning, OrderState, OrderView
from mats.orders import order_events as ev
from mats.orders.record import OrderRecord, record_of

PENDING, SENT, WORKING, CANCELLING = OrderState.PENDING, OrderState.SENT, OrderState.WORKING, OrderState.CANCELLING
UNKNOWN, FILLED, CANCELLED, REJECTED = OrderState.UNKNOWN, OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED

ALIVE = (BrokerOrderStatus.WORKING, BrokerOrderStatus.PENDING_SUBMIT)
DEAD = BrokerOrderStatus.CANCELLED
LOOKS_THAT_PROVE_ABSENCE = 2
"""How many complete replays must miss an order that nobody acknowledged before it is held to be lost on the way."""


class Outcome(msgspec.Struct, frozen=True):
    """What an event left: `ignored` says why it changed nothing, `query` that the broker must be asked."""

    ignored: str = ""
    query: bool = False


TAKEN = Outcome()
ASK = Outcome(query=True)


class Transition(msgspec.Struct, frozen=True):
    """The order after an event; `ignored` says why the event changed nothing, `query` that the broker must be asked."""

    order: OrderView
    ignored: str = ""
    query: bool = False


def happen(order: OrderRecord, event: ev.OrderEvent) -> Outcome:
    """Let an event happen to an order."""
    return _RULES[type(event)](order, event)


def apply(order: OrderView, event: ev.OrderEvent) -> OrderView:
    """The order after `event`."""
    return transition(order, event).order


def transition(order: OrderView, event: ev.OrderEvent) -> Transition:
    """The order after `event`, and what is left to ask or to say about it. What only repeats is no update."""
    record = record_of(order)
    outcome = happen(record, event)
    after = record.view()
    if replace(after, updated=order.updated) == order:
        after = order
    return Transition(after, outcome.ignored, outcome.query)


def _to(
    order: OrderRecord,
    time: Nanos,
    state: OrderState,
    note: str = "",
    query: bool = False,
    doubt: OrderDoubt = OrderDoubt.NONE,
) -> Outcome:
    order.state, order.note, order.doubt = state, note, doubt
    if time > order.updated:
        order.updated = time
    return ASK if query else TAKEN


def _stays(order: OrderRecord, time: Nanos, note: str, query: bool = False) -> Outcome:
    """The state is as it was, whatever is to be noted about it."""
    return _to(order, time, order.state, note, query, order.doubt)


def _ignored(order: OrderRecord, event: type[ev.OrderEvent], query: bool = False) -> Outcome:
    return Outcome(f"{event.__name__} means nothing to a {order.state} order", query)


def _heard(order: OrderRecord, perm_id: int) -> None:
    """The broker knows the order; the first permId that is not 0 is its own for life."""
    order.acknowledged = True
    order.perm_id = order.perm_id or perm_id


def _unclear(order: OrderRecord, time: Nanos, note: str, doubt: OrderDoubt) -> Outcome:
    """The evidence contradicts or runs out."""
    return _to(order, time, UNKNOWN, note, query=True, doubt=doubt)


# Our own acts ------------------------------------------------------------------------------------------------------


def sent(order: OrderRecord, time: Nanos, client_id: int, order_id: int) -> Outcome:
    """It is on the socket."""
    if order.state is not PENDING:
        return _ignored(order, ev.OrderSent)
    order.client_id, order.order_id = client_id, order_id
    return _to(order, time, SENT)


def _refused(order: OrderRecord, event: ev.OrderRefused) -> Outcome:
    if order.acknowledged or order.state.final:
        return _ignored(order, type(event), query=order.acknowledged)
    state = CANCELLED if order.state is CANCELLING else REJECTED
    return _to(order, event.time, state, f"not sent: {event.reason}")


def _cancel(order: OrderRecord, event: ev.CancelRequested) -> Outcome:
    match order.state:
        case OrderState.PENDING:
            return _to(order, event.time, CANCELLED, "cancelled before it was sent")
        case OrderState.SENT | OrderState.WORKING:
            return _to(order, event.time, CANCELLING, "cancel requested")
        case _:
            return _ignored(order, type(event))


def _modified(order: OrderRecord, event: ev.OrderModified) -> Outcome:
    if order.state.final:
        return _ignored(order, type(event), query=True)
    order.acknowledged = True
    order.quantity, order.ticket = event.quantity, event.ticket
    if order.filled and order.filled >= order.quantity:
        return _to(order, event.time, FILLED)
    if order.state is SENT:
        return _to(order, event.time, WORKING, order.note)
    return _stays(order, event.time, order.note)


def _settled(order: OrderRecord, event: ev.OrderSettled) -> Outcome:
    if order.state.final:
        return _ignored(order, type(event))
    return _to(order, event.time, event.state, event.reason, doubt=OrderDoubt.SETTLED)


# Facts: the fill log -----------------------------------------------------------------------------------------------


def _filled(order: OrderRecord, event: ev.FillBooked) -> Outcome:
    return booked(order, event.time, event.quantity, event.quantity * event.price)


def _replaced(order: OrderRecord, event: ev.FillReplaced) -> Outcome:
    notional = event.quantity * event.price - event.old_quantity * event.old_price
    return booked(order, event.time, event.quantity - event.old_quantity, notional)


def booked(order: OrderRecord, time: Nanos, quantity: Decimal, notional: Decimal) -> Outcome:
    """Fills count in every state: late ones after a cancel too. A shrunken fill does not revive a finished order."""
    order.acknowledged = True
    order.filled = filled = order.filled + quantity
    order.notional += notional
    if filled > order.quantity:
        return _to(order, time, FILLED, f"filled {filled} of {order.quantity}: more than was ordered", query=True)
    settled = order.doubt is OrderDoubt.SETTLED
    before = f"settled as {order.state} before, and executed after all" if settled else ""
    if filled == order.quantity:
        return _to(order, time, FILLED, before)
    if settled and quantity > 0:
        return _unclear(order, time, f"{before}: {filled} of {order.quantity}", OrderDoubt.CONTRADICTED)
    match order.state:
        case OrderState.FILLED:
            return _to(order, time, FILLED, f"a correction left {filled} of {order.quantity} filled")
        case OrderState.CANCELLED | OrderState.REJECTED:
            return _to(order, time, CANCELLED, f"{filled} of {order.quantity} filled before it ended")
        case OrderState.PENDING | OrderState.SENT:
            return _to(order, time, WORKING)
        case _:
            return _stays(order, time, order.note)


# Hints: statuses and errors ----------------------------------------------------------------------------------------


def status(
    order: OrderRecord,
    time: Nanos,
    reported: BrokerOrderStatus,
    perm_id: int = 0,
    filled: Decimal = ZERO,
    why_held: str = "",
    wording: str = "",
) -> Outcome:
    """The broker says how the order stands; `wording` is its own word for it."""
    if order.state.final:
        order.perm_id = order.perm_id or perm_id
        if order.doubt is OrderDoubt.SETTLED and reported in ALIVE:
            note = f"the broker reports {wording or reported}, here it was settled as {order.state}"
            return _unclear(order, time, note, OrderDoubt.CONTRADICTED)
        contradicts = order.state is not FILLED and (reported in ALIVE or filled > order.filled)
        return Outcome(f"{wording or reported} changes nothing: the order is {order.state}", contradicts)
    _heard(order, perm_id)
    if reported in ALIVE:
        if order.state is UNKNOWN:
            order.said = ""
        return _to(order, time, CANCELLING if order.state is CANCELLING else WORKING)
    if reported is DEAD:
        missing = filled > order.filled
        note = f"the broker reports {filled} filled, {order.filled} are booked" if missing else _reason(order)
        return _to(order, time, CANCELLED, note, query=missing)
    match reported:
        case BrokerOrderStatus.PENDING_CANCEL:
            return _to(order, time, CANCELLING, "cancel pending at the broker")
        case BrokerOrderStatus.FILLED:
            return _awaiting_executions(order, time)
        case BrokerOrderStatus.INACTIVE if why_held:
            return _to(order, time, CANCELLING if order.state is CANCELLING else WORKING, f"held: {why_held}")
        case BrokerOrderStatus.INACTIVE:
            note = f"the broker reports {wording or reported}: refused, or held and able to come back"
            return _unclear(order, time, note, OrderDoubt.INACTIVE)
        case _:
            note = f"the broker reports {wording or reported}: a word that is not known here"
            return _unclear(order, time, note, OrderDoubt.UNREADABLE)


def _reason(order: OrderRecord) -> str:
    """What the broker first said against an order that is in doubt; the words of its end are often empty."""
    return order.said if order.state is UNKNOWN else ""


def _speaks_against(order: OrderRecord, meaning: OrderErrorMeaning) -> bool:
    """Whether an error is about the life of the order; what fails validation leaves one that works as it was."""
    match meaning:
        case OrderErrorMeaning.REJECTED | OrderErrorMeaning.CANCELLED | OrderErrorMeaning.UNCLEAR:
            return not order.state.final
        case OrderErrorMeaning.INVALID:
            return not order.state.final and not order.acknowledged
    return False


def _awaiting_executions(order: OrderRecord, time: Nanos) -> Outcome:
    state = CANCELLING if order.state is CANCELLING else WORKING
    return _to(order, time, state, "reported filled: awaiting executions", query=True)


def _error(order: OrderRecord, event: ev.ErrorReported) -> Outcome:
    text = f"{event.code}: {event.text}"
    if _speaks_against(order, event.meaning):
        order.said = order.said or text
    match event.meaning:
        case OrderErrorMeaning.INFORMATION:
            return Outcome(f"{text} (changes nothing)")
        case _ if order.state.final:
            return Outcome(f"{text} (the order is {order.state})")
        case OrderErrorMeaning.REJECTED if not order.acknowledged:
            return _to(order, event.time, REJECTED, text)
        case OrderErrorMeaning.INVALID if not order.acknowledged:
            return _to(order, event.time, REJECTED, text)
        case OrderErrorMeaning.CANCELLED:
            return _to(order, event.time, CANCELLED, text)
        case OrderErrorMeaning.WARNING | OrderErrorMeaning.INVALID | OrderErrorMeaning.MODIFY_REFUSED:
            return _stays(order, event.time, text)
        case OrderErrorMeaning.CANCEL_REFUSED:
            return _stays(order, event.time, text, query=True)
        case _ if order.doubt is OrderDoubt.UNLISTED:  # what is refused to an order in no list is no sign of it
            return _stays(order, event.time, text, query=True)
        case _:
            return _unclear(order, event.time, text, OrderDoubt.REFUSED)


# The connection and its replays ------------------------------------------------------------------------------------


def _lost(order: OrderRecord, event: ev.ConnectionLost) -> Outcome:
    match order.state:
        case OrderState.SENT:
            note = "the connection was lost before the broker answered"
            return _unclear(order, event.time, note, OrderDoubt.UNANSWERED)
        case OrderState.WORKING | OrderState.CANCELLING:
            return _stays(order, event.time, "not verified since the connection was lost")
        case _:
            return _ignored(order, type(event))


def _restarted(order: OrderRecord, event: ev.Restarted) -> Outcome:
    match order.state:
        case OrderState.PENDING | OrderState.SENT:
            note = "the daemon restarted before the broker answered"
            return _unclear(order, event.time, note, OrderDoubt.UNANSWERED)
        case OrderState.WORKING | OrderState.CANCELLING:
            return _stays(order, event.time, "not verified since the daemon restarted")
        case _:
            return _ignored(order, type(event))


def _open(order: OrderRecord, event: ev.FoundOpen) -> Outcome:
    """A listing proves life; one that contradicts a final state may be older than it: count the order, ask again."""
    executed = order.state is FILLED and order.doubt is not OrderDoubt.SETTLED
    if executed or (order.state.final and event.status not in ALIVE):
        return _ignored(order, type(event))
    _heard(order, event.perm_id)
    if order.state.final:
        note = f"the broker lists it as open, here it was {order.state}"
        return _unclear(order, event.time, note, OrderDoubt.CONTRADICTED)
    if order.state is CANCELLING:
        order.state = WORKING
    return status(order, event.time, event.status, wording=event.wording)


def _completed(order: OrderRecord, event: ev.FoundCompleted) -> Outcome:
    if order.state.final:
        return _ignored(order, type(event), query=order.state is not FILLED and event.filled > order.filled)
    _heard(order, event.perm_id)
    if event.status is BrokerOrderStatus.FILLED:
        return _filled_by_replay(order, event)
    if event.status is BrokerOrderStatus.INACTIVE and not order.filled and not event.filled:
        note = _reason(order) or event.note or f"the broker completed it as {event.wording}"
        return _to(order, event.time, REJECTED, note)
    if event.status is DEAD or event.status is BrokerOrderStatus.INACTIVE:
        return _to(order, event.time, CANCELLED, _reason(order) or event.note, query=event.filled > order.filled)
    return _unclear(order, event.time, f"the broker completed it as {event.wording}", OrderDoubt.UNREADABLE)


def _filled_by_replay(order: OrderRecord, event: ev.FoundCompleted) -> Outcome:
    """What a second look does not bring will not come: a correction took it back, or it is older than any replay."""
    if event.looks < LOOKS_THAT_PROVE_ABSENCE:
        return _awaiting_executions(order, event.time)
    return _to(order, event.time, FILLED, f"the broker reports {event.filled} filled, {order.filled} are booked")


def _absent(order: OrderRecord, event: ev.NotFound) -> Outcome:
    """A second look is proof for an order that nobody ever acknowledged; one that the broker knew needs more."""
    if order.state.final or order.state is PENDING:
        return _ignored(order, type(event))
    if order.acknowledged and event.proof:
        reason = f" (before: {order.said})" if order.said else ""
        return _to(order, event.time, CANCELLED, f"{event.proof}{reason}", doubt=OrderDoubt.SETTLED)
    if order.acknowledged:
        return _unclear(order, event.time, "the broker knew it and lists it nowhere now", OrderDoubt.UNLISTED)
    if event.looks < LOOKS_THAT_PROVE_ABSENCE:
        return _unclear(order, event.time, "not at the broker at the first look", OrderDoubt.UNANSWERED)
    note = f"not at the broker, which said {order.said}" if order.said else "never reached the broker"
    return _to(order, event.time, REJECTED, note, doubt=OrderDoubt.SETTLED)


_RULES = cast(
    dict[type[ev.OrderEvent], Callable[[OrderRecord, ev.OrderEvent], Outcome]],
    {
        ev.OrderSent: lambda order, event: sent(order, event.time, event.client_id, event.order_id),
        ev.OrderRefused: _refused,
        ev.CancelRequested: _cancel,
        ev.OrderModified: _modified,
        ev.FillBooked: _filled,
        ev.FillReplaced: _replaced,
        ev.StatusReported: lambda order, event: status(
            order, event.time, event.status, event.perm_id, event.filled, event.why_held, event.wording
        ),
        ev.ErrorReported: _error,
        ev.ConnectionLost: _lost,
        ev.Restarted: _restarted,
        ev.FoundOpen: _open,
        ev.FoundCompleted: _completed,
        ev.NotFound: _absent,
        ev.OrderSettled: _settled,
    },
)
