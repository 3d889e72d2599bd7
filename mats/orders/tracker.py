"""The order manager's knowledge: all orders, what must be asked about them, and which of them have changed.

Nothing is sent here. Every change waits in `take_changed` for those who follow orders, and in `take_unsaved` for the
journal.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Protocol

from mats.model import (
    BrokerError,
    BrokerOrder,
    BrokerSnapshot,
    BrokerStatus,
    Entry,
    IntentId,
    Nanos,
    OrderIntent,
    OrderState,
    OrderView,
    StrategyName,
)
from mats.orders import order_events as ev
from mats.orders.order_queries import OrderQueries
from mats.orders.order_state import Transition, transition
from mats.orders.registry import Order, Orders, entries_of_orders, fill_event, replay_events, report_events, restored

SETTLE_SECONDS = 2.0
"""An order younger than this may have passed the question on its way; its absence in the answer says nothing."""

Names = tuple[IntentId, str, int, int, int]
"""An order to us and to the broker: intent, session, client id, order id, permanent id."""

OrderReport = BrokerOrder | BrokerStatus | BrokerError


class Kept(Protocol):
    """An order as it was written down; the ids of its view hold in `session`."""

    @property
    def intent(self) -> OrderIntent: ...
    @property
    def view(self) -> OrderView: ...
    @property
    def session(self) -> str: ...


class Archive(Protocol):
    """Where orders are written down; the journal is one."""

    def open_orders(self) -> Sequence[Kept]: ...
    def order(self, intent_id: IntentId) -> Kept | None: ...


class OrderTracker:
    """Orders and the open questions about them."""

    def __init__(self, archive: Archive) -> None:
        self.orders, self._inquiries = Orders(), OrderQueries()
        self._archive = archive
        self._changed: list[OrderView] = []
        self._unsaved: set[IntentId] = set()

    def recover(self, now: Nanos) -> tuple[StrategyName, ...]:
        """Find every order again that was not final, and name their strategies.

        Whether a pending one was sent only the broker knows.
        """
        found = self._archive.open_orders()
        for kept in found:
            order = restored(kept.intent, kept.view, kept.session)
            self.orders.add(order)
            self.happen(order, ev.Restarted(time=now))
        return tuple(dict.fromkeys(kept.view.strategy for kept in found))

    def order(self, intent_id: IntentId) -> Order | None:
        """The order of an intent that the log names; one that had left memory is brought back by such a late report.

        None where the journal has the fill and not the intent: it was lost, and its fill was recovered from the tables.
        """
        known = self.orders.get(intent_id)
        if known is not None:
            return known
        kept = self._archive.order(intent_id)
        if kept is None:
            return None
        order = restored(kept.intent, kept.view, kept.session)
        self.orders.restore(order)
        return order

    def views(self, strategy: StrategyName = "") -> tuple[OrderView, ...]:
        """Every order that is not final, of one strategy or (empty) of all; oldest first."""
        return tuple(order.view for order in self.orders.live() if strategy in ("", order.view.strategy))

    def take_changed(self) -> list[OrderView]:
        """Every change since the last call, in order."""
        changed, self._changed = self._changed, []
        return changed

    def take_unsaved(self) -> list[OrderView]:
        """The orders that have changed since the last call, as they are now."""
        orders = [self.orders.get(intent_id) for intent_id in self._unsaved]
        self._unsaved = set()
        return [order.view for order in orders if order is not None]

    def keep_unsaved(self, views: Iterable[OrderView]) -> None:
        """These could not be written down: they are unsaved still."""
        self._unsaved.update(view.intent_id for view in views)

    # What happens to one order

    def open(self, intent: OrderIntent, view: OrderView, session: str, monotonic: float) -> Order:
        """A new order, about to be sent in the session under the ids of its view."""
        order = Order(intent, view, session, sent_at=monotonic, waits_since=monotonic)
        self.orders.add(order)
        return order

    def not_sent(self, intent_id: IntentId, reason: str, now: Nanos) -> None:
        """The order was not put on a socket, and never will be."""
        if (order := self.orders.get(intent_id)) is not None:
            self.happen(order, ev.OrderRefused(time=now, reason=reason))

    def cancel(self, intent_id: IntentId, now: Nanos, monotonic: float) -> Order | None:
        """The order, which is to be cancelled from now on; None when there is nothing to cancel."""
        order = self.orders.get(intent_id)
        if order is None or order.view.state.final:
            return None
        order.waits_since = monotonic
        self.happen(order, ev.CancelRequested(time=now))
        return order

    def happen(self, order: Order, event: ev.OrderEvent) -> None:
        """Let an event happen to an order."""
        before = order.view
        self._note(order, before, self.orders.change(order, event))

    def book(self, entries: Iterable[Entry]) -> None:
        """Let entries of the log happen to their orders; one that its order contains changes nothing."""
        for entry in entries_of_orders(entries):
            if (order := self.order(entry.intent_id)) is None:
                continue
            before = order.view
            if (result := self.orders.book(order, entry)) is not None:
                self._note(order, before, result)

    def rehearse(self, entry: Entry) -> None:
        """Raise what `book` would raise, and change no order."""
        for booked in entries_of_orders((entry,)):
            if (order := self.order(booked.intent_id)) is not None:
                transition(order.view, fill_event(booked))

    def _note(self, order: Order, before: OrderView, result: Transition) -> None:
        if result.query:
            self._inquiries.ask(order.view)
        elif order.view.state is OrderState.FILLED is not before.state:
            self._inquiries.answered(order.view)
        if order.view != before:
            self._unsaved.add(order.view.intent_id)
            self._changed.append(order.view)

    # What the broker says

    def due(self, reachable: Container[int], monotonic: float) -> list[int]:
        """The clients whose connections are to be asked now, for orders that are unknown or unanswered for too long."""
        self._inquiries.review(self.orders.live(), monotonic)
        return self._inquiries.take_due(reachable, monotonic)

    def on_reports(self, reports: Iterable[OrderReport], client_id: int, now: Nanos) -> list[OrderReport]:
        """Live reports over the connection of `client_id`; those about none of our orders are returned."""
        foreign = []
        for report in reports:
            if (order := self.orders.named_by(report, client_id)) is None:
                foreign.append(report)
                continue
            for event in report_events(report, order.view, now):
                self.happen(order, event)
        return foreign

    def compare(self, replay: BrokerSnapshot, client_id: int, asked_at: float, now: Nanos) -> None:
        """Hold the client's orders against a complete answer to a question asked at `asked_at` (monotonic seconds).

        A cancel that the broker does not know of is wished for again.
        """
        for order in self._of_client(client_id):
            if order.sent_at >= asked_at - SETTLE_SECONDS:
                continue
            cancelling = order.view.state is OrderState.CANCELLING
            for event in replay_events(replay, order, now):
                order.looks = event.looks if isinstance(event, ev.NotFound | ev.FoundCompleted) else 0
                self.happen(order, event)
            if cancelling and order.view.state is OrderState.WORKING:
                self.happen(order, ev.CancelRequested(time=now))

    def rebind_order_ids(
        self, replay: BrokerSnapshot, client_id: int, session: str
    ) -> Iterator[tuple[Order, Names | None]]:
        """Each open order of the client under its ids of this session; its names where they are new."""
        for found in replay.open_orders:
            order = self.orders.named_by(found, client_id)
            if order is not None and found.client_id == client_id and found.order_id > 0:
                new = self.orders.rename(order, session, found)
                names = (order.view.intent_id, session, client_id, found.order_id, found.perm_id)
                yield order, names if new else None

    def lose(self, client_id: int, now: Nanos) -> None:
        """The client's connection is lost."""
        for order in self._of_client(client_id):
            self.happen(order, ev.ConnectionLost(time=now))

    def _of_client(self, client_id: int) -> list[Order]:
        return [order for order in self.orders.live() if order.view.client_id == client_id]


def amendment_fault(order: Order, session: str | None) -> str:
    """Why a change of the order cannot be sent over the session (None: there is none); empty when it can."""
    if order.view.state is not OrderState.WORKING:
        return f"a {order.view.state} order cannot be changed"
    return "" if order.session == session else "its connection is not ready"
