"""The order manager: intents become orders. It owns order ids and order states, and the first stage of every fill."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import FollowerDown, Publisher, Stage, Trial
from actors.messages.addresses import (
    FillLogMessage,
    IbPoolMessage,
    OrderManagerMessage,
    PersistenceWriterMessage,
)
from actors.messages.broker import (
    CancelOrder,
    ModifyOrder,
    NotSent,
    OrderAction,
    OrderEvents,
    Ready,
    RequestSnapshot,
    SubmitOrder,
)
from actors.messages.fill_log import ApplyEntries, ReportCursor
from actors.messages.ib_pool import LeaseConnection
from actors.messages.order_manager import (
    ALL,
    AllOrders,
    ModifyIntent,
    OrderChanged,
    OrderOrRouteChanged,
    OrderSettled,
    ReadOrders,
    RouteChanged,
    SettlementRefused,
    SettleOrder,
    SubmitIntent,
    SubscribeAllOrders,
    SubscribeOrders,
    WorkingOrders,
)
from actors.messages.subscription import Republish, Unsubscribe
from mats.model import (
    CancelRequest,
    Entry,
    IntentId,
    OrderIntent,
    OrderModification,
    OrderState,
    OrderView,
    StrategyName,
    opening_view,
)
from mats.orders import Names, Order, OrderIds, OrderTracker, SettlementPolicy, amended, amendment_fault
from mats.orders import order_events as ev
from mats.runtime import Down, MailboxSpec, Ref
from mats.runtime.testing import chaos
from mats.store.journal import Journal


class Route(msgspec.Struct, frozen=True):
    """The connection of one client id in one session. Another session refuses what is sent with it."""

    ref: Ref[OrderAction | RequestSnapshot]
    session: str
    ids: OrderIds

    def submit(self, order_id: int, intent: OrderIntent) -> None:
        self.ref.tell(SubmitOrder(session=self.session, order_id=order_id, intent=intent))

    def modify(self, order_id: int, intent: OrderIntent, parent_id: int) -> None:
        self.ref.tell(ModifyOrder(session=self.session, order_id=order_id, intent=intent, parent_id=parent_id))


class Routes:
    """Open routes by client id; each hands out order ids above all that the gateway or the journal has seen."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[int, Route] = {}

    def __contains__(self, client_id: object) -> bool:
        return client_id in self._open

    def get(self, client_id: int) -> Route | None:
        return self._open.get(client_id)

    def open(self, ready: Ready) -> bool:
        """Take a connection's session; False when it is the one that is open already."""
        client_id, known = ready.client_id, self._open.get(ready.client_id)
        if known is not None and known.session == ready.session:
            return False
        first = max(ready.next_order_id, self._journal.order_id_mark(client_id) + 1)
        ids = OrderIds(first, partial(self._journal.raise_order_id_mark, client_id))
        self._open[client_id] = Route(ready.ref, ready.session, ids)
        return True

    @property
    def clients(self) -> frozenset[int]:
        """Whose routes are open."""
        return frozenset(self._open)

    def resync(self, client_id: int) -> None:
        """Ask the broker for everything about a client's orders, if its route is open."""
        if (route := self.get(client_id)) is not None:
            route.ref.tell(RequestSnapshot())

    def close(self, client_id: int) -> None:
        """The connection is lost."""
        self._open.pop(client_id, None)

    def cancel(self, order: Order) -> None:
        """Send the cancel of an order; one that is not known in the open session is cancelled when it is."""
        route = self.get(order.view.client_id)
        if route and order.view.order_id and order.session == route.session:
            route.ref.tell(CancelOrder(session=route.session, order_id=order.view.order_id))


SWEEP_SECONDS = 1.0
REPUBLISHED = 1_000
"""How many of the newest orders are sent to the store again when it, or the order manager, (re)starts."""


CONTROL = (ApplyEntries, ReportCursor, OrderEvents, NotSent, Ready, CancelRequest)
"""Fills, what the broker says about orders, and cancels overtake new orders; they keep their order among each other.

What risk has approved counts as exposure there, so it is never refused here.
"""
CANCELS_KEPT = 1_000
"""How many cancels of orders that have not come yet are remembered."""


class Sweep(msgspec.Struct, frozen=True):
    pass


class OrderManager(Stage[OrderManagerMessage | Sweep | Down]):
    """First stage. Sends every change to the store, and to risk and the strategy, which follow orders."""

    stage = "orders"
    mailbox = MailboxSpec(capacity=20_000, never_full=(SubmitIntent, ModifyIntent), urgent=CONTROL)

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        journal_path: Path
        fill_log: Ref[FillLogMessage]
        store: Ref[PersistenceWriterMessage]
        pool: Ref[IbPoolMessage]
        settlement: SettlementPolicy = SettlementPolicy()

    def __init__(self, args: Args) -> None:
        self._path, self.fill_log = args.journal_path, args.fill_log
        self._store, self._pool = args.store, args.pool
        self._settlement = args.settlement

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        self.defer(self._journal.release)
        self.recall()
        self._routes = Routes(self._journal)
        self._waiting: list[Ready] = []
        self._overtaken: dict[IntentId, None] = {}
        self._unrecorded: list[Names] = []
        self._followers = Publisher[WorkingOrders, OrderChanged](self, "orders", self._working_orders)
        self._overview = Publisher[AllOrders, OrderOrRouteChanged](self, "all orders", self._all_orders)
        self._tracker = OrderTracker(self._journal, self._settlement)
        for strategy in self._tracker.recover(self.clock.now()):
            self._pool.tell(LeaseConnection(strategy))
        self._tell_changes()
        self.resume_at((self._journal.load_snapshot(self.stage) or (0, b""))[0])
        self.report_cursor()
        if self.incarnation > 1:  # a store that starts as well asks for them
            self._republish()
        self._pool.tell(Republish())
        self.every(SWEEP_SECONDS, Sweep())

    def on_receive(self, message: OrderManagerMessage | Sweep | Down) -> object:
        match message:
            case ApplyEntries():
                self.receive_entries(message)
                self._merge_ready()
            case OrderEvents(client_id=client_id, events=events):
                for foreign in self._tracker.on_reports(events, client_id, self.clock.now()):
                    self.log.info("event of an order that is not ours", broker_event=str(foreign))
            case SubmitIntent(intent=intent):
                self._submit(intent)
            case CancelRequest(intent_id=intent_id):
                self._cancel(intent_id)
            case ModifyIntent(modification=modification):
                self._modify(modification)
            case NotSent(intent_id=intent_id, reason=reason):
                self._tracker.not_sent(intent_id, reason, self.clock.now())
            case Ready():
                self._waiting.append(message)
                self._merge_ready()
            case Down():
                self._lose(message)
            case Sweep():
                for client_id in self._tracker.due(self._routes, self.clock.monotonic()):
                    self._routes.resync(client_id)
                self._flush()
            case Unsubscribe():
                self._followers.unsubscribe(message)
            case SubscribeAllOrders():
                self._overview.subscribe(message)
            case SubscribeOrders():
                self._followers.subscribe(message)
            case ReadOrders():
                return message.answer(self._tracker.views())
            case SettleOrder():
                return message.answer(self._settle(message))
            case Republish():
                self._republish()
            case ReportCursor():
                self.report_cursor()
            case _:
                assert_never(message)
        self._tell_changes()
        return None

    def _lose(self, down: Down) -> None:
        """A strategy or a connection has ended."""
        match down.tag:
            case FollowerDown() as follower:
                self._followers.drop(follower)
                self._overview.drop(follower)
            case int(client_id):
                self._routes.close(client_id)
                self._overview.publish(ALL, RouteChanged(client_id, False))
                self._tracker.lose(client_id, self.clock.now())

    def _republish(self) -> None:
        """One of the two has (re)started: the store may lack the newest orders, or never have been told of them."""
        self._flush()
        for journaled in self._journal.recent_orders(REPUBLISHED):
            self._store.tell(OrderChanged(journaled.view))

    def _working_orders(self, strategy: StrategyName) -> WorkingOrders:
        return WorkingOrders(self._tracker.views(strategy))

    def _all_orders(self, topic: str) -> AllOrders:
        return AllOrders(self._tracker.views(), self._routes.clients)

    def _tell_changes(self) -> None:
        while changed := self._tracker.take_changed():
            for view in changed:
                self._tell_change(view)
                for intent_id in self._tracker.stranded_by(view):
                    self._cancel(intent_id)
        for view in self._tracker.take_contradicted():
            self.log.warning(
                "an order that was settled was not over; compare the books with `mats breaks`",
                intent=view.intent_id,
                strategy=view.strategy,
                state=view.state,
                note=view.note,
            )

    def _tell_change(self, view: OrderView) -> None:
        changed = OrderChanged(view)
        self._overview.publish(ALL, changed)
        self._followers.publish(view.strategy, changed)
        self._store.tell(changed)  # last, because nobody waits for what is stored

    # From intent to order

    def _submit(self, intent: OrderIntent) -> None:
        """Journal, then send. Without a route, or a journal that takes it, nothing is sent and it is rejected."""
        if not self.writes.attempt(lambda: self._record_and_send(intent)):
            self._reject_unrecorded(intent)

    def _record_and_send(self, intent: OrderIntent) -> None:
        client_id = self._journal.client_id(intent.strategy)
        route = self._routes.get(client_id)
        session = route.session if route else ""
        family = [(one, self._opened(one, client_id, route)) for one in intent.family]
        if not self._journal.record_intents(family, session):
            self.log.error("intent is in the journal already; not sent again", intent=intent.intent_id)
            return
        chaos.point("orders: after the intent is durable, before it is sent")
        orders = [self._tracker.open(one, view, session, self.clock.monotonic()) for one, view in family]
        if intent.intent_id in self._overtaken:
            self._tracker.not_sent(intent.intent_id, "it was cancelled before it was sent", self.clock.now())
        elif route is None:
            self._tracker.not_sent(intent.intent_id, "its connection is not ready", self.clock.now())
        else:
            self._send(orders, intent, route)

    def _opened(self, intent: OrderIntent, client_id: int, route: Route | None) -> OrderView:
        """The order as it is about to be sent, under an id of its own: those of a family follow each other."""
        order_id = route.ids.take() if route else 0
        return msgspec.structs.replace(opening_view(intent), client_id=client_id, order_id=order_id)

    def _send(self, orders: Sequence[Order], intent: OrderIntent, route: Route) -> None:
        route.submit(orders[0].view.order_id, intent)
        chaos.point("orders: after it is sent, before its state says so")
        for order in orders:
            ids = order.view.client_id, order.view.order_id
            self._tracker.happen(order, ev.OrderSent(time=self.clock.now(), client_id=ids[0], order_id=ids[1]))
        for child in intent.children:
            if child.intent_id in self._overtaken:
                self._cancel(child.intent_id)

    def _reject_unrecorded(self, intent: OrderIntent) -> None:
        """No order may leave whose intent is not durable: nobody has it but those who are told now."""
        self.log.error("order not sent", intent=intent.intent_id, reason=self.writes.fault)
        for one in intent.family:
            view = msgspec.structs.replace(
                opening_view(one),
                state=OrderState.REJECTED,
                updated=self.clock.now(),
                note=f"not sent: {self.writes.fault}",
            )
            self._tell_change(view)

    def _cancel(self, intent_id: IntentId) -> None:
        order = self._tracker.cancel(intent_id, self.clock.now(), self.clock.monotonic())
        if order is None:
            self._overtaken[intent_id] = None
            if len(self._overtaken) > CANCELS_KEPT:
                del self._overtaken[next(iter(self._overtaken))]
            self.log.info("cancel request of no working order; an order that is still on its way is not sent",
                          intent=intent_id)  # fmt: skip
        else:
            self._routes.cancel(order)

    def _modify(self, change: OrderModification) -> None:
        """Send the order again under its own id; until the broker confirms it, risk counts the larger quantity."""
        order = self._tracker.orders.get(change.intent_id)
        if order is None:
            self.log.warning("order modification discarded: no such working order", intent=change.intent_id)
            return
        route = self._routes.get(order.view.client_id)
        fault = amendment_fault(order, route.session if route else None)
        if route is None or fault:
            unchanged = OrderChanged(msgspec.structs.replace(order.view, note=f"not changed: {fault}"))
            self._overview.publish(ALL, unchanged)
            self._followers.publish(order.view.strategy, unchanged)
        else:
            parent = self._tracker.order(order.view.parent) if order.view.parent else None
            changed = amended(order.intent, order.view, change)
            route.modify(order.view.order_id, changed, parent.view.order_id if parent else 0)

    # Orders whose end the broker does not say

    def _settle(self, command: SettleOrder) -> OrderSettled | SettlementRefused:
        """An operator's word ends an order; the answer says so when the journal has it."""
        now = self.clock.now()
        settled = self._tracker.settle(command.intent_id, command.state, command.reason, now)
        if isinstance(settled, str):
            return SettlementRefused(settled)
        self._tell_changes()
        self._flush()
        if self.writes.fault:
            return SettlementRefused(f"it is settled, but a restart would undo that: {self.writes.fault}")
        return OrderSettled(settled)

    def _cancel_parked(self, ready: Ready) -> None:
        """What the broker has parked for too long is asked to be cancelled; until it confirms, it counts."""
        for order in self._tracker.take_parked(ready.client_id, ready.asked_at):
            self.log.warning("order stays parked at the broker; its cancel is sent", intent=order.view.intent_id,
                             strategy=order.view.strategy, note=order.view.note)  # fmt: skip
            self._routes.cancel(order)

    # Events of the broker

    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Changes are sent before the acknowledgement, which lets risk have the entries."""
        self._tracker.book(entries)
        self._tell_changes()

    def rehearse(self) -> Trial:
        return self._tracker.rehearse

    def _merge_ready(self) -> None:
        """A snapshot is compared only after every execution in it has passed this stage.

        What a gateway has kept that is cut off from the broker may be in none of its lists: it proves nothing.
        """
        comparable = [ready for ready in self._waiting if ready.through <= self.cursor]
        self._waiting = [ready for ready in self._waiting if ready.through > self.cursor]
        for ready in comparable:
            if self._routes.open(ready):
                self._tracker.orders.begin_session(ready.client_id, ready.session)
                self.watch(ready.ref, tag=ready.client_id)
                self._overview.publish(ALL, RouteChanged(ready.client_id, True))
            if ready.linked:
                self._tracker.compare(
                    ready.replay, ready.client_id, ready.asked_at, self.clock.now(), unsent=ready.unsent
                )
            self._rebind_order_ids(ready)
            self._cancel_parked(ready)

    def _rebind_order_ids(self, ready: Ready) -> None:
        """Adopt the order ids of this session, then repeat the cancels that may have been lost with the last one."""
        for order, names in self._tracker.rebind_order_ids(ready.replay, ready.client_id, ready.session):
            if names is not None:
                self._unrecorded.append(names)
            if order.view.state is OrderState.CANCELLING:
                self._routes.cancel(order)
        self._record_aliases()

    # What a crash must not lose

    def _record_aliases(self) -> None:
        """Ids under which a broker knows an order; after a crash it is found by its orderRef as well."""
        while self._unrecorded and self.writes.attempt(lambda: self._journal.record_alias(*self._unrecorded[0])):
            self._unrecorded.pop(0)

    def _flush(self) -> None:
        """Views first, cursor second: after a crash in between, entries that the views contain are applied again."""
        self._record_aliases()
        if unsaved := self._tracker.take_unsaved():
            if not self.writes.attempt(lambda: self._journal.record_views(unsaved)):
                self._tracker.keep_unsaved(unsaved)
                return
            chaos.point("orders: between views and cursor")
        if self.save_due():
            self.save(b"")

    def on_stop(self) -> None:
        self._flush()
