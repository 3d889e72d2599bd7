"""All orders of the system: found by intent, by broker id or by orderRef, and held against a broker's replay."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from mats.model import (
    BrokerError,
    BrokerOrder,
    BrokerSnapshot,
    BrokerStatus,
    Entry,
    FillCorrected,
    FillRecorded,
    IntentId,
    Nanos,
    OrderIntent,
    OrderModification,
    OrderView,
    changed_view,
    order_ref,
    parse_order_ref,
)
from mats.orders import order_events as ev
from mats.orders.order_state import Transition, transition

CLOSED_ORDERS_KEPT = 2_000
"""Final orders stay in memory for late reports about them; older ones are in the journal."""


class Order(msgspec.Struct):
    """An order with what only its owner needs: the intent that goes to the broker, and how often it was not found.

    `sent_at`, `waits_since`, `missed_at` and `doubted_since` are monotonic seconds: when it was sent, since when the
    broker owes an answer, when the newest complete answer was asked for that counts as lacking it, and when the
    first one was that agrees on the present doubt (None: none yet).
    """

    intent: OrderIntent
    view: OrderView
    session: str = ""
    sent_at: float = 0.0
    waits_since: float = 0.0
    looks: int = 0
    missed_at: float = -math.inf
    doubted_since: float | None = None


def restored(intent: OrderIntent, view: OrderView, session: str) -> Order:
    """An order read back: its intent carries the quantity and the prices that it has now, its ids hold in `session`."""
    return Order(replace(intent, quantity=view.quantity, ticket=view.ticket), view, session)


def amended(intent: OrderIntent, view: OrderView, change: OrderModification) -> OrderIntent:
    """The intent as it should work after the change; what the change leaves open stays as it is."""
    changed = changed_view(view, change)
    return replace(intent, quantity=changed.quantity, ticket=changed.ticket)


class Orders:
    """Orders by intent id. Every change goes through the state machine; what comes out is the `Transition`."""

    def __init__(self) -> None:
        self._live: dict[IntentId, Order] = {}
        self._closed: OrderedDict[IntentId, Order] = OrderedDict()
        self._by_id: dict[tuple[int, int], IntentId] = {}
        self._by_perm: dict[int, IntentId] = {}
        self._sessions: dict[int, str] = {}
        self._children: dict[IntentId, dict[IntentId, None]] = {}
        """Children of brackets that are not final, by their parent."""

    def add(self, order: Order) -> None:
        self._keep_live(order)
        self._index(order)

    def restore(self, order: Order) -> None:
        """Take back an order that had left memory."""
        self._index(order)
        self._shelve(order)

    def rename(self, order: Order, session: str, found: BrokerOrder) -> bool:
        """Adopt the ids by which the broker knows the order in `session`; False when they are known."""
        view = replace(
            order.view, client_id=found.client_id, order_id=found.order_id, perm_id=order.view.perm_id or found.perm_id
        )
        known = order.session == session and view == order.view
        order.session, order.view = session, view
        self._index(order)
        return not known

    def get(self, intent_id: IntentId) -> Order | None:
        return self._live.get(intent_id) or self._closed.get(intent_id)

    def live(self) -> Iterator[Order]:
        """Orders that are not final, oldest first."""
        return iter(self._live.values())

    def children(self, parent: IntentId) -> list[Order]:
        """The children of an order that are not final, oldest first."""
        return [self._live[intent_id] for intent_id in self._children.get(parent, ())]

    def change(self, order: Order, event: ev.OrderEvent) -> Transition:
        """Let `event` happen to the order."""
        result = transition(order.view, event)
        order.view = result.order
        self._index(order)
        self._shelve(order)
        return result

    def book(self, order: Order, entry: FillRecorded | FillCorrected) -> Transition | None:
        """Let the log's entry happen to its order, once: None when the order contains it already."""
        if entry.seq <= order.view.applied:
            return None
        result = self.change(order, fill_event(entry))
        order.view = replace(order.view, applied=entry.seq)
        return msgspec.structs.replace(result, order=order.view)

    def named_by(self, report: BrokerOrder | BrokerStatus | BrokerError, client_id: int) -> Order | None:
        """The order that the broker means: by orderRef, then permId, then the ids of this session."""
        intent_id: IntentId | None = None
        match report:
            case BrokerOrder():
                if parsed := parse_order_ref(report.order_ref):
                    order = self.get(parsed[1])
                    return order if order and order.view.strategy == parsed[0] else None
                intent_id = self._by_perm.get(report.perm_id)
            case BrokerStatus():
                intent_id = self._by_perm.get(report.perm_id) or self._by_id.get((report.client_id, report.order_id))
            case BrokerError():
                intent_id = self._by_id.get((client_id, report.request_id))
        return self.get(intent_id) if intent_id else None

    def begin_session(self, client_id: int, session: str) -> None:
        """Order ids of this client from other sessions are void until the broker names them again in this one."""
        self._sessions[client_id] = session
        self._by_id = {key: intent_id for key, intent_id in self._by_id.items() if key[0] != client_id}
        for order in self._live.values():
            self._index(order)

    def _index(self, order: Order) -> None:
        view = order.view
        if view.order_id and order.session == self._sessions.get(view.client_id):
            self._by_id[(view.client_id, view.order_id)] = view.intent_id
        if view.perm_id:
            self._by_perm[view.perm_id] = view.intent_id

    def _shelve(self, order: Order) -> None:
        """Final orders move to the shelf, revived ones back; the shelf forgets the oldest."""
        intent_id = order.view.intent_id
        if not order.view.state.final:
            self._closed.pop(intent_id, None)
            self._keep_live(order)
            return
        self._live.pop(intent_id, None)
        if order.view.parent:
            self._leave_parent(order.view)
        self._closed[intent_id] = order
        while len(self._closed) > CLOSED_ORDERS_KEPT:
            forgotten, old = self._closed.popitem(last=False)
            if self._by_id.get((old.view.client_id, old.view.order_id)) == forgotten:
                del self._by_id[(old.view.client_id, old.view.order_id)]
            self._by_perm.pop(old.view.perm_id, None)

    def _keep_live(self, order: Order) -> None:
        self._live[order.view.intent_id] = order
        if order.view.parent:
            self._children.setdefault(order.view.parent, {})[order.view.intent_id] = None

    def _leave_parent(self, child: OrderView) -> None:
        siblings = self._children.get(child.parent, {})
        siblings.pop(child.intent_id, None)
        if not siblings:
            self._children.pop(child.parent, None)


def fill_event(entry: FillRecorded | FillCorrected) -> ev.FillBooked | ev.FillReplaced:
    """What the log's entry is to its order."""
    now, execution = entry.recorded, entry.execution
    if isinstance(entry, FillRecorded):
        return ev.FillBooked(time=now, quantity=execution.quantity, price=execution.price)
    return ev.FillReplaced(
        time=now,
        old_quantity=entry.previous.quantity,
        old_price=entry.previous.price,
        quantity=execution.quantity,
        price=execution.price,
    )


def report_events(report: BrokerOrder | BrokerStatus | BrokerError, view: OrderView, now: Nanos) -> list[ev.OrderEvent]:
    """What a live report says about an order of ours."""
    match report:
        case BrokerStatus():
            return [
                ev.StatusReported(
                    time=now,
                    status=report.status,
                    status_text=report.status_text,
                    perm_id=report.perm_id,
                    filled=report.filled,
                    why_held=report.why_held,
                )
            ]
        case BrokerError():
            return [ev.ErrorReported(time=now, code=report.code, text=report.text, meaning=report.meaning)]
        case BrokerOrder():
            reported = ev.StatusReported(
                time=now, status=report.status, status_text=report.status_text, perm_id=report.perm_id
            )
            return [*echo(report, view, now), reported]


def echo(report: BrokerOrder, view: OrderView, now: Nanos) -> list[ev.OrderEvent]:
    """The change that the broker's description of a live order confirms, if it differs from ours."""
    ticket = replace(
        view.ticket,
        limit_price=report.limit_price if view.ticket.limit_price is not None else None,
        stop_price=report.stop_price if view.ticket.stop_price is not None else None,
    )
    if view.state.final or (report.quantity == view.quantity and ticket == view.ticket):
        return []
    return [ev.OrderModified(time=now, quantity=report.quantity, ticket=ticket)]


def replay_events(replay: BrokerSnapshot, order: Order, now: Nanos, proof: str = "") -> list[ev.OrderEvent]:
    """What a complete replay says about one order that was sent before the replay was asked for.

    `proof` is why the order has ended, should the replay not have it either.
    """
    reference = order_ref(order.view.strategy, order.view.intent_id)
    for found in _matching(replay.open_orders, reference, order.view.perm_id):
        return [*echo(found, order.view, now), found_open(found, now)]
    for found in _matching(replay.completed_orders, reference, order.view.perm_id):
        return [
            ev.FoundCompleted(
                time=now,
                status=found.status,
                status_text=found.status_text,
                perm_id=found.perm_id,
                filled=found.filled,
                note=found.note,
                looks=order.looks + 1,
            )
        ]
    return [ev.NotFound(time=now, looks=order.looks + 1, proof=proof)]


def found_open(found: BrokerOrder, now: Nanos) -> ev.FoundOpen:
    """That a complete replay lists an order as open."""
    return ev.FoundOpen(time=now, status=found.status, status_text=found.status_text, perm_id=found.perm_id)


def _matching(orders: Iterable[BrokerOrder], reference: str, perm_id: int) -> Iterator[BrokerOrder]:
    return (o for o in orders if o.order_ref == reference or (perm_id and o.perm_id == perm_id))


def entries_of_orders(entries: Iterable[Entry]) -> Iterator[FillRecorded | FillCorrected]:
    """The entries that change an order of ours."""
    return (e for e in entries if isinstance(e, FillRecorded | FillCorrected) and e.intent_id)
