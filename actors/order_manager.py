"""The order manager: intents become orders. It owns order ids and order states, and the first stage of every fill."""

from pathlib import Path

import msgspec

from actors.followers import FollowerDown, Followers, call_followers
from actors.messages.broker import AmendOrder, CancelOrder, NotSent, OrderNews, Ready, Resync, SubmitOrder
from actors.messages.fill_log import Apply, SayHello
from actors.messages.following import Leave
from actors.messages.ib_pool import LeaseConnection, ResyncAll
from actors.messages.order_manager import (
    AllOrders,
    AmendIntent,
    CancelAll,
    FollowAllOrders,
    FollowOrders,
    OrderChanged,
    ReadOrders,
    RouteChanged,
    SubmitIntent,
    WorkingOrders,
)
from actors.messages.persistence_writer import Republish
from actors.stage import Stage
from mats.ledger import order_events as ev
from mats.ledger.inquiries import Inquiries
from mats.ledger.order_state import Transition
from mats.ledger.orders import (
    Order,
    Orders,
    amended,
    entries_of_orders,
    news_events,
    opening_view,
    replay_events,
    restored,
)
from mats.model.executions import Entry
from mats.model.orders import (
    CancelRequest,
    IntentId,
    OrderIntent,
    OrderModification,
    OrderState,
    OrderView,
)
from mats.runtime import Down, MailboxSpec, Ref, chaos
from mats.store.journal import Journal

SWEEP_SECONDS = 1.0
REPUBLISHED = 1_000
"""How many orders the store is told again when it (re)starts."""
SETTLE_SECONDS = 2.0
"""An order younger than this may have passed the question on its way; its absence in the answer says nothing."""
IDS_RESERVED = 100
"""Order ids are reserved in the journal in blocks, so that most orders cost one durable write and not two."""


class Sweep(msgspec.Struct, frozen=True):
    pass


class Route:
    """The way to the broker of one client id."""

    def __init__(self, ready: Ready, next_id: int) -> None:
        self.ref, self.client_id, self.session = ready.ref, ready.client_id, ready.session
        self.next_id = self.reserved = next_id


class OrderManager(Stage):
    """First stage. Tells risk, the store and the strategy of every change."""

    stage = "orders"
    mailbox = MailboxSpec(capacity=20_000, never_full=(Apply, OrderNews, Ready, NotSent, CancelRequest, CancelAll))

    def __init__(self, journal_path: Path, fill_log: Ref, risk: Ref, store: Ref, pool: Ref) -> None:
        self.fill_log = fill_log
        self._path, self._risk, self._store, self._pool = journal_path, risk, store, pool

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        self._routes: dict[int, Route] = {}
        self._waiting: list[Ready] = []
        self._inquiries = Inquiries()
        self._dirty: set[IntentId] = set()
        self._flushed = -1
        self._followers = Followers(self)
        self._orders = Orders()
        self._recover()
        self._risk.tell(AllOrders(self._views()))
        self.say_hello()
        self._pool.tell(ResyncAll())
        call_followers(self)
        self.every(SWEEP_SECONDS, Sweep())

    def on_receive(self, message: object) -> object:
        match message:
            case Apply():
                self.receive_entries(message)
                self._merge_ready()
            case OrderNews():
                self._hear(message)
            case SubmitIntent(intent=intent):
                self._submit(intent)
            case CancelRequest(intent_id=intent_id):
                self._cancel(intent_id)
            case AmendIntent(modification=modification):
                self._amend(modification)
            case CancelAll(strategy=strategy):
                for view in [v for v in self._views() if strategy in ("", v.strategy)]:
                    self._cancel(view.intent_id)
            case NotSent(intent_id=intent_id, reason=reason):
                if (order := self._orders.get(intent_id)) is not None:
                    self._change(order, ev.OrderRefused(time=self.clock.now(), reason=reason))
            case Ready():
                self._waiting.append(message)
                self._merge_ready()
            case Down(tag=int(client_id)):
                self._lose(client_id)
            case Down(tag=FollowerDown(strategy=strategy)):
                self._followers.drop(strategy)
            case Leave():
                self._followers.leave(message)
            case FollowAllOrders(follower=follower):
                follower.tell(AllOrders(self._views()))
                for client_id in self._routes:
                    follower.tell(RouteChanged(client_id, True))
            case FollowOrders(strategy=strategy, follower=follower):
                self._followers.add(strategy, follower)
                follower.tell(WorkingOrders(tuple(view for view in self._views() if view.strategy == strategy)))
            case ReadOrders():
                return self._views()
            case Republish():
                self._flush()
                for journaled in self._journal.recent_orders(REPUBLISHED):
                    self._store.tell(OrderChanged(journaled.view))
            case SayHello():
                self.say_hello()
            case Sweep():
                self._sweep()
            case _:
                return super().on_receive(message)
        return None

    # From intent to order

    def _submit(self, intent: OrderIntent) -> None:
        """Journal, then send. Without a route nothing is sent and the order is refused at once."""
        client_id = self._journal.client_id(intent.strategy)
        route = self._routes.get(client_id)
        order_id, session = (self._next_order_id(route), route.session) if route else (0, "")
        view = msgspec.structs.replace(opening_view(intent), client_id=client_id, order_id=order_id)
        if not self._journal.record_intent(intent, view, session):
            self.log.error("intent is in the journal already; not sent again", intent=intent.intent_id)
            return
        chaos.point("orders: after the intent is durable, before it is sent")
        now = self.clock.monotonic()
        order = Order(intent, view, session, sent_at=now, waits_since=now)
        self._orders.add(order)
        if route is None:
            self._change(order, ev.OrderRefused(time=self.clock.now(), reason="its connection is not ready"))
            return
        route.ref.tell(SubmitOrder(session=session, order_id=order_id, intent=intent, reply_to=self.ref))
        chaos.point("orders: after it is sent, before its state says so")
        self._change(order, ev.OrderSent(time=self.clock.now(), client_id=client_id, order_id=order_id))

    def _next_order_id(self, route: Route) -> int:
        if route.next_id >= route.reserved:
            route.reserved = route.next_id + IDS_RESERVED
            self._journal.raise_order_id_mark(route.client_id, route.reserved)
        route.next_id += 1
        return route.next_id - 1

    def _cancel(self, intent_id: IntentId) -> None:
        order = self._orders.get(intent_id)
        if order is None or order.view.state.final:
            self.log.info("nothing to cancel", intent=intent_id)
            return
        order.waits_since = self.clock.monotonic()
        self._change(order, ev.CancelRequested(time=self.clock.now()))
        self._send_cancel(order)

    def _send_cancel(self, order: Order) -> None:
        route = self._routes.get(order.view.client_id)
        if route and order.view.order_id and order.session == route.session:
            route.ref.tell(CancelOrder(session=route.session, order_id=order.view.order_id))

    def _amend(self, change: OrderModification) -> None:
        """Send the order again under its own id; the books change when the broker has echoed it.

        Until then risk counts the larger of both. A change that cannot be sent leaves the order as it is, and says so.
        """
        order = self._orders.get(change.intent_id)
        route = self._routes.get(order.view.client_id) if order else None
        if order is None:
            self.log.warning("no such order to change", intent=change.intent_id)
        elif order.view.state is not OrderState.WORKING:
            self._refuse_change(order, f"a {order.view.state} order cannot be changed")
        elif route is None or order.session != route.session:
            self._refuse_change(order, "its connection is not ready")
        else:
            wanted = amended(order.intent, order.view, change)
            route.ref.tell(AmendOrder(session=route.session, order_id=order.view.order_id, intent=wanted))

    def _refuse_change(self, order: Order, reason: str) -> None:
        told = OrderChanged(msgspec.structs.replace(order.view, note=f"not changed: {reason}"))
        self._risk.tell(told)
        self._followers.offer(order.view.strategy, told)

    # What the broker says

    def _hear(self, news: OrderNews) -> None:
        for event in news.events:
            order = self._orders.named_by(event, news.client_id)
            if order is None:
                self.log.info("news of an order that is not ours", news=str(event))
                continue
            for change in news_events(event, order.view, self.clock.now()):
                self._change(order, change)

    def apply(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries_of_orders(entries):
            order = self._orders.get(entry.intent_id) or self._reopen(entry.intent_id)
            before = order.view
            result = self._orders.book(order, entry)
            if result is not None:
                self._publish(order, before, result)

    def _merge_ready(self) -> None:
        """A replay is judged only when every execution it contained has passed this stage."""
        ripe = [ready for ready in self._waiting if ready.through <= self.cursor]
        self._waiting = [ready for ready in self._waiting if ready.through > self.cursor]
        for ready in ripe:
            self._settle(ready)

    def _settle(self, ready: Ready) -> None:
        client_id = ready.client_id
        route = self._routes.get(client_id)
        if route is None or route.session != ready.session:
            self._orders.begin_session(client_id, ready.session)
            mark = self._journal.order_id_mark(client_id)
            self._routes[client_id] = Route(ready, max(ready.next_order_id, mark + 1))
            self.watch(ready.ref, tag=client_id)
            self._risk.tell(RouteChanged(client_id, True))
        for order in [o for o in self._orders.live() if o.view.client_id == client_id and _settled(o, ready)]:
            self._compare(order, ready)
        self._name_again(ready)

    def _compare(self, order: Order, ready: Ready) -> None:
        cancelling = order.view.state is OrderState.CANCELLING
        for event in replay_events(ready.replay, order, self.clock.now()):
            order.looks = event.looks if isinstance(event, ev.NotFound | ev.FoundCompleted) else 0
            self._change(order, event)
        if cancelling and order.view.state is OrderState.WORKING:
            self._change(order, ev.CancelRequested(time=self.clock.now()))

    def _name_again(self, ready: Ready) -> None:
        """Adopt the order ids of this session, then repeat the cancels that the last one may have lost."""
        for found in ready.replay.open_orders:
            order = self._orders.named_by(found, ready.client_id)
            if order is None or found.client_id != ready.client_id or found.order_id <= 0:
                continue
            if self._orders.rename(order, ready.session, found):
                self._journal.record_alias(
                    order.view.intent_id, ready.session, found.client_id, found.order_id, found.perm_id
                )
            if order.view.state is OrderState.CANCELLING:
                self._send_cancel(order)

    def _lose(self, client_id: int) -> None:
        self._routes.pop(client_id, None)
        self._risk.offer(RouteChanged(client_id, False))
        for order in [o for o in self._orders.live() if o.view.client_id == client_id]:
            self._change(order, ev.ConnectionLost(time=self.clock.now()))

    # One change of one order

    def _change(self, order: Order, event: ev.OrderEvent) -> None:
        before = order.view
        self._publish(order, before, self._orders.change(order, event))

    def _publish(self, order: Order, before: OrderView, result: Transition) -> None:
        if result.query:
            self._inquiries.ask(order.view)
        elif order.view.state is OrderState.FILLED is not before.state:
            self._inquiries.answered(order.view)
        if order.view == before:
            return
        self._dirty.add(order.view.intent_id)
        changed = OrderChanged(order.view)
        self._risk.offer(changed)  # one that is down for good needs no news; one that comes back asks for all
        self._store.tell(changed)
        self._followers.offer(order.view.strategy, changed)

    def _views(self) -> tuple[OrderView, ...]:
        return tuple(order.view for order in self._orders.live())

    # What a crash must not lose

    def _recover(self) -> None:
        """Every order that was not final is found again; whether a pending one was sent only the broker knows."""
        self.cursor = (self._journal.load_snapshot(self.stage) or (0, b""))[0]
        for journaled in self._journal.open_orders():
            order = restored(journaled.intent, journaled.view, journaled.session)
            self._orders.add(order)
            self._change(order, ev.Restarted(time=self.clock.now()))
            self._pool.tell(LeaseConnection(order.view.strategy))

    def _reopen(self, intent_id: IntentId) -> Order:
        """An order that had left memory, brought back by late news."""
        journaled = self._journal.order(intent_id)
        if journaled is None:
            raise LookupError(f"the log attributes a fill to intent {intent_id}, which the journal does not have")
        order = restored(journaled.intent, journaled.view, journaled.session)
        self._orders.restore(order)
        return order

    def _sweep(self) -> None:
        now = self.clock.monotonic()
        self._inquiries.review(self._orders.live(), now)
        for client_id in self._inquiries.take_due(self._routes, now):
            self._routes[client_id].ref.tell(Resync())
        self._flush()

    def _flush(self) -> None:
        """Views first, cursor second: a crash between the two only folds again what the views contain already."""
        if self._dirty:
            orders = (self._orders.get(intent_id) for intent_id in self._dirty)
            self._journal.record_views([order.view for order in orders if order is not None])
            self._dirty.clear()
            chaos.point("orders: between views and cursor")
        if self.cursor != self._flushed:
            self._journal.save_snapshot(self.stage, self.cursor, b"")
            self._flushed = self.cursor

    def on_stop(self) -> None:
        self._flush()
        self._journal.close()


def _settled(order: Order, ready: Ready) -> bool:
    return order.sent_at < ready.asked_at - SETTLE_SECONDS
