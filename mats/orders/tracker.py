"""The order manager's knowledge: all orders, what must be asked about them, and which of them have changed.

Nothing is sent here. Every change waits in `take_changed` for those who follow orders, and in `take_unsaved` for the
journal.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from typing import Protocol

from mats.model import (
    BrokerError,
    BrokerOrder,
    BrokerSnapshot,
    BrokerStatus,
    Entry,
    IntentId,
    Nanos,
    OrderDoubt,
    OrderIntent,
    OrderState,
    OrderView,
    StrategyName,
    parse_order_ref,
)
from mats.orders import order_events as ev
from mats.orders.order_queries import OrderQueries
from mats.orders.order_state import Transition, transition
from mats.orders.registry import (
    Order,
    Orders,
    entries_of_orders,
    fill_event,
    found_open,
    replay_events,
    report_events,
    restored,
)
from mats.orders.settlement import SettlementPolicy

SETTLE_SECONDS = 2.0
"""An order younger than this may have passed the question on its way; its absence in the answer says nothing.

Nor does that of an order that the answer before this one lacked, when they were asked for in shorter succession: what
came over a lost connection the gateway may read later.
"""

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

    def __init__(self, archive: Archive, policy: SettlementPolicy = SettlementPolicy()) -> None:  # noqa: B008
        self.orders, self._inquiries = Orders(), OrderQueries()
        self._archive, self._policy = archive, policy
        self._changed: list[OrderView] = []
        self._contradicted: list[OrderView] = []
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

    def take_contradicted(self) -> list[OrderView]:
        """The orders that were settled and then shown to be otherwise, since the last call."""
        contradicted, self._contradicted = self._contradicted, []
        return contradicted

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
        """The order was not put on a socket, and never will be; nor will the children that were to go out with it."""
        for order in filter(None, (self.orders.get(intent_id), *self.orders.children(intent_id))):
            self.happen(order, ev.OrderRefused(time=now, reason=reason))

    def cancel(self, intent_id: IntentId, now: Nanos, monotonic: float) -> Order | None:
        """The order, which is to be cancelled from now on; None when there is nothing to cancel."""
        order = self.orders.get(intent_id)
        if order is None or order.view.state.final:
            return None
        order.waits_since = monotonic
        self.happen(order, ev.CancelRequested(time=now))
        return order

    def stranded_by(self, view: OrderView) -> list[IntentId]:
        """The rest of a bracket one order of which was refused before any was passed on: it would wait for ever."""
        if not view.parent or view.state is not OrderState.REJECTED:
            return []
        family = filter(None, (self.orders.get(view.parent), *self.orders.children(view.parent)))
        return [o.view.intent_id for o in family if not (o.view.state.final or o.view.acknowledged)]

    def settle(self, intent_id: IntentId, state: OrderState, reason: str, now: Nanos) -> OrderView | str:
        """An operator says how an order of unknown state has ended: the order, or why it is not settled."""
        order = self.order(intent_id)
        if order is None:
            return f"there is no order {intent_id}; `mats orders` lists those whose end is not known"
        if fault := settlement_fault(order.view):
            return fault
        self.happen(order, ev.OrderSettled(time=now, state=state, reason=reason))
        return order.view

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
        if order.view.doubt is not before.doubt:
            order.doubted_since = None
            if before.doubt is OrderDoubt.SETTLED:
                self._contradicted.append(order.view)
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

    def compare(
        self,
        replay: BrokerSnapshot,
        client_id: int,
        asked_at: float,
        now: Nanos,
        *,
        unsent: Collection[IntentId] = (),
    ) -> None:
        """Hold the client's orders against a complete answer to a question asked at `asked_at` (monotonic seconds).

        `unsent` had not left by then. A cancel that the broker does not know of is wished for again.
        """
        for order in self._of_client(client_id):
            if order.sent_at >= asked_at - SETTLE_SECONDS or order.view.intent_id in unsent:
                continue
            cancelling = order.view.state is OrderState.CANCELLING
            self._look(order, replay, asked_at, now)
            if cancelling and order.view.state is OrderState.WORKING:
                self.happen(order, ev.CancelRequested(time=now))
            if order.doubted_since is None:
                order.doubted_since = asked_at
        self._revive(replay, client_id, now)

    def _look(self, order: Order, replay: BrokerSnapshot, asked_at: float, now: Nanos) -> None:
        """What the answer says about one order; one that lacks it again too soon is no second look.

        The proof is a span of its own: the answer that completes it counts, however soon it follows another.
        """
        for event in replay_events(replay, order, now, self._absence_proof(order, asked_at)):
            if isinstance(event, ev.NotFound):
                if order.missed_at > asked_at - SETTLE_SECONDS and not event.proof:
                    continue
                order.missed_at = asked_at
            order.looks = event.looks if isinstance(event, ev.NotFound | ev.FoundCompleted) else 0
            self.happen(order, event)

    def _absence_proof(self, order: Order, asked_at: float) -> str:
        if order.view.doubt is not OrderDoubt.UNLISTED or order.doubted_since is None:
            return ""
        return self._policy.absence_proof(asked_at - order.doubted_since)

    def _revive(self, replay: BrokerSnapshot, client_id: int, now: Nanos) -> None:
        """An order that was settled without the broker's word and is listed as open counts again."""
        for found in replay.open_orders:
            order = self.orders.named_by(found, client_id) or self._archived(found)
            if order is not None and order.view.state.final and order.view.doubt is OrderDoubt.SETTLED:
                self.happen(order, found_open(found, now))

    def _archived(self, found: BrokerOrder) -> Order | None:
        """The order that had left memory and that the broker means."""
        strategy, intent_id = parse_order_ref(found.order_ref) or ("", "")
        order = self.order(intent_id) if intent_id else None
        return order if order is not None and order.view.strategy == strategy else None

    def take_parked(self, client_id: int, asked_at: float) -> list[Order]:
        """The client's orders that stayed parked for too long by the answer asked for at `asked_at`.

        Each is given another span: where its cancel does not take, it is asked for again.
        """
        parked = []
        for order in self._of_client(client_id):
            inactive = order.view.doubt is OrderDoubt.INACTIVE
            if inactive and order.doubted_since is not None and self._policy.gives_up(asked_at - order.doubted_since):
                order.doubted_since = asked_at
                parked.append(order)
        return parked

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


def settlement_fault(view: OrderView) -> str:
    """Why an operator cannot settle the order; empty when it can."""
    if view.state.final:
        return f"order {view.intent_id} is {view.state} already; there is nothing to settle"
    if view.state is not OrderState.UNKNOWN:
        return (
            f"order {view.intent_id} is {view.state}, which the broker has said or will say within seconds; end it with"
            f" `mats cancel {view.intent_id}`"
        )
    return ""


def amendment_fault(order: Order, session: str | None) -> str:
    """Why a change of the order cannot be sent over the session (None: there is none); empty when it can."""
    if order.view.state is not OrderState.WORKING:
        return f"a {order.view.state} order cannot be changed"
    return "" if order.session == session else "its connection is not ready"
