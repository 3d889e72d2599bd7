"""The order manager: journaled before sent, sent once, reported to all, and asked about where an answer is missing."""

from decimal import Decimal
from functools import partial

import pytest
from msgspec.structs import replace

from actors.messages.broker import (
    CancelOrder,
    ModifyOrder,
    NotSent,
    OrderEvents,
    RequestSnapshot,
    SubmitOrder,
)
from actors.messages.fill_log import Acknowledge, ApplyEntries, ReportCursor, StageCursor
from actors.messages.ib_pool import LeaseConnection
from actors.messages.order_manager import (
    ALL,
    AllOrders,
    ModifyIntent,
    OrderChanged,
    ReadOrders,
    RouteChanged,
    SubmitIntent,
    SubscribeAllOrders,
    SubscribeOrders,
    WorkingOrders,
)
from actors.messages.subscription import Republish, Unsubscribe, Unsubscribed, Version
from actors.order_manager import OrderManager
from mats.model.broker_reports import BrokerError, BrokerOrderStatus, OrderErrorMeaning
from mats.model.orders import CancelRequest, OrderModification, OrderState, Side
from mats.orders.tracker import SETTLE_SECONDS
from mats.runtime import Crash, VirtualRuntime
from mats.runtime.testing import ChaosPlan
from mats.store.journal.journal import Journal
from tests.actors.samples import a_fill, a_snapshot, an_intent, at_broker, launch_relay, since_last_look

D = Decimal


def start(runtime, journal_path, actor=OrderManager):
    """Start the order manager, or start it again."""
    args = OrderManager.Args(
        journal_path=journal_path,
        fill_log=runtime.ref("fill-log"),
        store=runtime.ref("store"),
        pool=runtime.ref("pool"),
    )
    runtime.launch("orders", actor, args, supervised=True)
    return runtime.ref("orders")


class World:
    """The order manager among probes, with one connection, `ib-1`, that belongs to the strategy `trend`."""

    def __init__(self, runtime, journal_path, a_ready, received):
        self.runtime, self.journal_path, self.received, self._a_ready = runtime, journal_path, received, a_ready
        names = ("fill-log", "risk", "store", "pool", "inbox", "trend")
        self.log, self.risk, self.store, self.pool, self.line, self.strategy = map(runtime.probe, names)
        self.connection = runtime.ref("ib-1")
        self.ref = start(runtime, journal_path)
        self.tell(SubscribeAllOrders(ALL, self.risk.ref))

    def tell(self, *messages):
        for message in messages:
            self.ref.tell(message)
            self.runtime.run_until_idle()

    def connect(self, session="1", *open_orders, through=0, next_order_id=1, linked=True):
        """The connection comes up (anew) and has the broker's complete answer, which was just asked for."""
        if not self.connection.is_alive():
            launch_relay(self.runtime, "ib-1", self.line)
        ready = self._a_ready(self.connection, session, through)
        now = self.runtime.clock.monotonic()
        self.tell(
            replace(
                ready,
                client_id=1,
                replay=a_snapshot(*open_orders),
                asked_at=now + 10.0,
                next_order_id=next_order_id,
                linked=linked,
            )
        )

    def lose_connection(self):
        self.connection.stop()
        self.runtime.run_until_idle()

    def submit(self, name="i1", quantity=10):
        """A new order that has reached the connection; the id under which it is sent."""
        self.tell(SubmitIntent(an_intent(name, quantity)))
        (sent,) = self.received(self.line, SubmitOrder)
        return sent.order_id

    def work(self, name="i1", quantity=10):
        """A new order that the broker has acknowledged, and that everybody has been informed of."""
        order_id = self.submit(name, quantity)
        self.tell(OrderEvents(1, "1", (at_broker(order_id, name=name, quantity=quantity),)))
        self.forget()
        return order_id

    def forget(self):
        """What was sent so far is of no interest to the test."""
        for probe in (self.log, self.risk, self.store, self.pool, self.line, self.strategy):
            self.received(probe)

    def states(self, probe):
        """The state of each changed order that a probe was sent since the last look."""
        return [message.order.state for message in self.received(probe, OrderChanged)]

    def crash(self):
        self.ref.signal(Crash())
        self.runtime.run_until_idle()
        self.forget()

    def journaled(self, name="i1"):
        journal = Journal(self.journal_path)
        try:
            return journal.order(name)
        finally:
            journal.close()


@pytest.fixture
def world(runtime, journal_path, a_ready, received):
    return World(runtime, journal_path, a_ready, received)


@pytest.fixture
def connected(world):
    """With an open connection and a strategy that follows its orders."""
    world.connect()
    world.tell(SubscribeOrders("trend", world.strategy.ref))
    world.forget()
    return world


# The beginning, and connections


def test_it_has_no_orders_at_first_says_how_far_it_is_and_calls_the_connections(world):
    assert world.received(world.risk) == [AllOrders(())]
    assert world.received(world.log) == [StageCursor("orders", 0)]
    assert world.received(world.pool) == [Republish()]


def test_a_connection_that_is_ready_opens_a_route_once_for_each_session(world):
    world.received(world.risk)
    world.connect("1")
    world.connect("1")
    assert world.received(world.risk) == [RouteChanged(1, True)]
    world.connect("2")
    assert world.received(world.risk) == [RouteChanged(1, True)]


def test_a_connection_is_not_ready_before_the_fills_of_its_answer_have_been_applied(world):
    world.received(world.risk)
    world.connect("1", through=1)
    world.tell(SubmitIntent(an_intent("i0")))
    assert RouteChanged(1, True) not in world.received(world.risk)
    assert world.received(world.line) == []
    world.tell(ApplyEntries((a_fill(1, name=""),)))
    assert world.received(world.risk) == [RouteChanged(1, True)]


def test_a_lost_connection_closes_the_route_and_the_outcome_of_what_was_sent_is_unknown(connected):
    connected.submit("i1")
    connected.tell(OrderEvents(1, "1", (at_broker(1),)))
    connected.submit("i2")
    connected.forget()
    connected.lose_connection()
    changes = connected.received(connected.risk)
    assert changes[0] == RouteChanged(1, False)
    assert [(message.order.intent_id, message.order.state) for message in changes[1:]] == [
        ("i1", OrderState.WORKING),
        ("i2", OrderState.UNKNOWN),
    ]
    connected.tell(SubmitIntent(an_intent("i3")))
    assert connected.states(connected.store)[-1] is OrderState.REJECTED


# From intent to order


def a_bracket():
    """An entry with two orders that protect it."""
    children = (replace(an_intent(f"i1.{name}", side=Side.SELL), parent="i1") for name in ("stop", "profit"))
    return replace(an_intent("i1"), children=tuple(children))


FAMILY = ("i1", "i1.stop", "i1.profit")


def test_a_bracket_is_journaled_as_three_orders_and_sent_in_one(connected):
    connected.tell(SubmitIntent(a_bracket()))
    assert connected.received(connected.line) == [SubmitOrder(session="1", order_id=1, intent=a_bracket())]
    changes = [message.order for message in connected.received(connected.risk)]
    assert [(order.intent_id, order.state, order.order_id, order.parent) for order in changes] == [
        ("i1", OrderState.SENT, 1, ""), ("i1.stop", OrderState.SENT, 2, "i1"), ("i1.profit", OrderState.SENT, 3, "i1"),
    ]  # fmt: skip
    assert [connected.journaled(name).intent for name in FAMILY] == list(a_bracket().family)
    assert connected.submit("i2") == 4
    connected.tell(SubmitIntent(a_bracket()))
    assert connected.received(connected.line, SubmitOrder) == [], "it is in the journal already"


@pytest.mark.parametrize("lacking", ["a connection", "a place in the queue", "its entry, which was cancelled"])
def test_what_protects_an_entry_that_was_not_sent_is_not_sent_either(world, lacking):
    if lacking != "a connection":
        world.connect()
    if lacking == "its entry, which was cancelled":
        world.tell(CancelRequest(intent_id="i1", strategy="trend", time=1))
    world.tell(SubmitIntent(a_bracket()))
    if lacking == "a place in the queue":
        world.tell(NotSent("i1", "the queue is full"))
    world.runtime.advance(2.0)
    views = [world.journaled(name).view for name in FAMILY]
    assert {view.state for view in views} <= {OrderState.REJECTED, OrderState.CANCELLED}
    assert len({view.note for view in views}) == 1


def test_one_that_is_refused_takes_back_what_waits_for_it_at_the_gateway(connected):
    connected.tell(SubmitIntent(a_bracket()))
    connected.forget()
    off_grid = BrokerError(request_id=3, code=110, text="off the grid", meaning=OrderErrorMeaning.INVALID)
    connected.tell(OrderEvents(1, "1", (off_grid,)))
    assert connected.received(connected.line) == [CancelOrder(session="1", order_id=n) for n in (1, 2)]
    changes = connected.received(connected.risk, OrderChanged)
    assert [(message.order.intent_id, message.order.state) for message in changes] == [
        ("i1.profit", OrderState.REJECTED), ("i1", OrderState.CANCELLING), ("i1.stop", OrderState.CANCELLING),
    ]  # fmt: skip


def test_one_that_is_refused_when_all_work_leaves_the_others_alone(connected):
    connected.tell(SubmitIntent(a_bracket()))
    reports = [at_broker(n, name=name) for n, name in enumerate(FAMILY[:2], 1)]
    refused = BrokerError(request_id=3, code=201, text="no", meaning=OrderErrorMeaning.REJECTED)
    connected.tell(OrderEvents(1, "1", (*reports, refused)))
    assert connected.received(connected.line, CancelOrder) == []


def test_a_change_of_an_order_that_protects_names_its_entry(connected):
    connected.tell(SubmitIntent(a_bracket()))
    connected.tell(OrderEvents(1, "1", (replace(at_broker(2, name="i1.stop"), side=Side.SELL),)))
    connected.forget()
    connected.tell(ModifyIntent(OrderModification(intent_id="i1.stop", strategy="trend", time=1, quantity=D(5))))
    (change,) = connected.received(connected.line)
    assert (change.order_id, change.parent_id, change.intent.quantity) == (2, 1, D(5))


def test_the_cancel_of_one_that_overtakes_the_bracket_is_sent_after_it(connected):
    connected.tell(CancelRequest(intent_id="i1.stop", strategy="trend", time=1))
    connected.tell(SubmitIntent(a_bracket()))
    assert [type(message) for message in connected.received(connected.line)] == [SubmitOrder, CancelOrder]


def test_after_a_crash_the_three_of_a_bracket_are_found_again(connected):
    connected.tell(SubmitIntent(a_bracket()))
    connected.crash()
    start(connected.runtime, connected.journal_path)
    found = connected.ref.ask(ReadOrders(), timeout=1.0)
    assert {(view.intent_id, view.state) for view in found} == {(name, OrderState.UNKNOWN) for name in FAMILY}


def test_an_order_is_sent_under_the_next_id_of_its_session_and_reported_to_risk_store_and_strategy(connected):
    connected.tell(SubmitIntent(an_intent("i1")), SubmitIntent(an_intent("i2")))
    assert connected.received(connected.line) == [
        SubmitOrder(session="1", order_id=1, intent=an_intent("i1")),
        SubmitOrder(session="1", order_id=2, intent=an_intent("i2")),
    ]
    for informed in (connected.risk, connected.store, connected.strategy):
        changes = [message.order for message in connected.received(informed)]
        assert [(order.intent_id, order.state, order.order_id) for order in changes] == [
            ("i1", OrderState.SENT, 1),
            ("i2", OrderState.SENT, 2),
        ]


def test_without_a_connection_an_order_is_journaled_and_rejected_at_once(world):
    world.tell(SubscribeOrders("trend", world.strategy.ref), SubmitIntent(an_intent()))
    (change,) = world.received(world.strategy, OrderChanged)
    assert (change.order.state, change.order.note) == (OrderState.REJECTED, "not sent: its connection is not ready")
    assert world.journaled().intent == an_intent()
    world.connect()
    assert world.received(world.line) == []


def test_an_intent_that_comes_twice_is_sent_once(connected):
    connected.tell(SubmitIntent(an_intent()), SubmitIntent(an_intent()))
    assert len(connected.received(connected.line)) == 1
    assert connected.states(connected.risk) == [OrderState.SENT]


def test_an_order_that_the_connection_could_not_send_is_rejected(connected):
    connected.submit()
    connected.forget()
    connected.tell(NotSent("i1", "its connection was lost before it was sent"))
    for informed in (connected.risk, connected.store, connected.strategy):
        assert connected.states(informed) == [OrderState.REJECTED]


# Cancels and changes


def test_a_cancel_goes_to_the_connection_under_the_ids_of_its_session(connected):
    order_id = connected.work()
    connected.tell(CancelRequest(intent_id="i1", strategy="trend", time=0))
    assert connected.received(connected.line) == [CancelOrder(session="1", order_id=order_id)]
    assert connected.states(connected.risk) == [OrderState.CANCELLING]


@pytest.mark.parametrize("name", ["i1", "nobody"])
def test_what_has_ended_or_was_never_there_is_not_cancelled(connected, name):
    order_id = connected.work()
    connected.tell(OrderEvents(1, "1", (at_broker(order_id, BrokerOrderStatus.CANCELLED),)))
    connected.forget()
    connected.tell(CancelRequest(intent_id=name, strategy="trend", time=0))
    assert connected.received(connected.line) == []
    assert connected.received(connected.risk) == []


def test_a_cancel_without_a_connection_is_sent_when_there_is_one_under_the_ids_of_that_session(connected):
    connected.work()
    connected.lose_connection()
    connected.tell(CancelRequest(intent_id="i1", strategy="trend", time=0))
    assert connected.received(connected.line) == []
    connected.connect("2", at_broker(71))
    assert connected.received(connected.line) == [CancelOrder(session="2", order_id=71)]


def test_an_order_that_the_session_does_not_know_is_not_cancelled_under_an_id_of_another_one(connected):
    connected.work()
    connected.lose_connection()
    connected.connect("2")
    connected.tell(CancelRequest(intent_id="i1", strategy="trend", time=0))
    assert connected.received(connected.line) == []


def a_change(quantity, name="i1"):
    return ModifyIntent(OrderModification(intent_id=name, strategy="trend", time=0, quantity=D(quantity)))


def test_until_the_echo_comes_risk_is_not_sent_the_old_quantity_again(connected):
    order_id = connected.work()
    connected.tell(a_change(25))
    assert connected.received(connected.line) == [
        ModifyOrder(session="1", order_id=order_id, intent=an_intent(quantity=25)),
    ]
    assert connected.received(connected.risk) == []
    connected.tell(OrderEvents(1, "1", (at_broker(order_id, quantity=25),)))
    assert connected.received(connected.risk)[-1].order.quantity == D(25)


def test_an_order_that_cannot_be_changed_now_counts_as_it_stands(connected):
    connected.submit()
    connected.forget()
    connected.tell(a_change(25), a_change(25, "nobody"))
    for informed in (connected.risk, connected.strategy):
        (change,) = connected.received(informed)
        assert (change.order.state, change.order.quantity) == (OrderState.SENT, D(10))
        assert change.order.note == "not changed: a SENT order cannot be changed"
    assert connected.received(connected.line) == []


# What the broker and the log say


def test_each_change_of_state_is_reported_to_all_and_a_repeated_word_to_nobody(connected):
    order_id = connected.submit()
    connected.forget()
    for _ in range(2):
        connected.tell(OrderEvents(1, "1", (at_broker(order_id),)))
    for informed in (connected.risk, connected.store, connected.strategy):
        assert connected.states(informed) == [OrderState.WORKING]


def test_a_refusal_of_the_broker_rejects_the_order_that_its_id_names(connected):
    order_id = connected.submit()
    connected.forget()
    error = BrokerError(request_id=order_id, code=201, text="no margin", meaning=OrderErrorMeaning.REJECTED)
    connected.tell(OrderEvents(1, "1", (error,)))
    (change,) = connected.received(connected.strategy)
    assert (change.order.state, change.order.note) == (OrderState.REJECTED, "201: no margin")


def test_an_order_of_somebody_else_concerns_nobody(connected):
    connected.work()
    connected.tell(OrderEvents(1, "1", (replace(at_broker(5), order_ref="manual", perm_id=99),)))
    assert connected.received(connected.risk) == []
    assert connected.received(connected.store) == []


def test_a_fill_is_reported_before_it_is_acknowledged_and_so_led_on_to_risk(connected):
    connected.work()
    connected.tell(ApplyEntries((a_fill(1),)))
    (change,) = connected.received(connected.risk)
    assert (change.order.state, change.order.filled, change.order.applied) == (OrderState.FILLED, D(10), 1)
    assert connected.received(connected.log) == [Acknowledge("orders", 1)]
    assert connected.risk.last.id < connected.log.last.id
    assert connected.states(connected.store) == connected.states(connected.strategy) == [OrderState.FILLED]


def test_a_fill_that_comes_twice_is_reported_once_and_acknowledged_twice(connected):
    connected.work(quantity=100)
    for _ in range(2):
        connected.tell(ApplyEntries((a_fill(1),)))
    assert [message.order.filled for message in connected.received(connected.risk)] == [D(10)]
    assert connected.received(connected.log) == [Acknowledge("orders", 1)] * 2


def test_a_missing_entry_is_asked_for_and_nothing_is_applied_meanwhile(connected):
    connected.work()
    connected.tell(ApplyEntries((a_fill(2),)))
    assert connected.received(connected.log) == [StageCursor("orders", 0)]
    assert connected.received(connected.risk) == []


def test_an_answer_that_does_not_come_is_asked_for_after_ten_seconds_and_not_too_often(connected):
    connected.submit()
    connected.runtime.advance(10.0)
    assert connected.received(connected.line) == []
    connected.runtime.advance(1.0)
    assert connected.received(connected.line) == [RequestSnapshot()]
    connected.runtime.advance(4.0)
    assert connected.received(connected.line) == []
    connected.runtime.advance(1.0)
    assert connected.received(connected.line) == [RequestSnapshot()]


def test_an_order_that_two_complete_answers_do_not_have_never_reached_the_broker(connected):
    connected.submit()
    connected.forget()
    connected.connect("1")
    assert connected.states(connected.strategy) == [OrderState.UNKNOWN]
    connected.connect("1")
    connected.runtime.advance(SETTLE_SECONDS - 0.5)
    connected.connect("1")
    assert connected.states(connected.strategy) == [], "it may be on its way still"
    connected.runtime.advance(0.5)
    connected.connect("1")
    assert connected.states(connected.strategy) == [OrderState.REJECTED]


def test_what_a_gateway_remembers_that_is_cut_off_proves_nothing_about_an_order(connected):
    """It keeps orders and sends them later."""
    connected.submit()
    connected.forget()
    for _ in range(3):
        connected.connect("1", linked=False)
    assert connected.states(connected.strategy) == []
    connected.connect("1")
    assert connected.states(connected.strategy) == [OrderState.UNKNOWN]


# Those who follow orders, or ask for them


def test_a_strategy_gets_its_working_orders_and_then_each_change_of_its_own(connected, probe):
    connected.work()
    other = probe("revert")
    for strategy, follower in (("trend", connected.strategy), ("revert", other)):
        connected.tell(SubscribeOrders(strategy, follower.ref))
    (known,) = connected.received(connected.strategy)
    assert [order.intent_id for order in known.orders] == ["i1"]
    connected.submit("i2")
    assert [message.order.intent_id for message in connected.received(connected.strategy)] == ["i2"]
    assert connected.received(other) == [WorkingOrders(())]


def test_a_strategy_that_parts_is_sent_nothing_after_its_farewell(connected):
    connected.tell(Unsubscribe(connected.strategy.ref), SubmitIntent(an_intent()))
    assert connected.received(connected.strategy) == [Unsubscribed("orders")]


def test_a_strategy_that_has_died_is_sent_nothing(connected, runtime):
    child = launch_relay(runtime, "strategies/trend", connected.strategy)
    connected.tell(SubscribeOrders("trend", child))
    child.stop()
    runtime.run_until_idle()
    connected.tell(SubmitIntent(an_intent()))
    assert child.mailbox.pending == 0


def test_risk_gets_all_orders_and_every_open_route_when_it_comes_back(connected):
    connected.work()
    connected.tell(SubscribeAllOrders(ALL, connected.risk.ref))
    (known,) = connected.received(connected.risk)
    assert [order.intent_id for order in known.orders] == ["i1"]
    assert known.routes == {1}


def test_the_orders_that_are_not_final_can_be_read(connected):
    first = connected.work("i1")
    connected.work("i2")
    connected.tell(OrderEvents(1, "1", (at_broker(first, BrokerOrderStatus.CANCELLED),)))
    answer = connected.ref.ask(ReadOrders(), timeout=1.0)
    assert [(order.intent_id, order.state) for order in answer] == [("i2", OrderState.WORKING)]


def test_a_store_that_comes_back_is_sent_the_recent_orders_as_they_are_now(connected):
    first = connected.work("i1")
    connected.work("i2")
    connected.tell(OrderEvents(1, "1", (at_broker(first, BrokerOrderStatus.CANCELLED),)))
    connected.forget()
    connected.tell(Republish())
    received = {message.order.intent_id: message.order.state for message in connected.received(connected.store)}
    assert received == {"i1": OrderState.CANCELLED, "i2": OrderState.WORKING}


# Crashes, and the end


@pytest.fixture
def crashing(journal_path, a_ready, request):
    """A world whose order manager dies at one place while it submits."""
    plan = ChaosPlan(seed=1, points={request.param: 1.0})
    runtime = VirtualRuntime(seed=1, plan=plan)
    world = World(runtime, journal_path, a_ready, partial(since_last_look, runtime))
    world.connect()
    world.tell(SubmitIntent(an_intent()))
    plan.heal()
    yield world
    runtime.stop(5.0)


JOURNALED = "orders: after the intent is durable, before it is sent"
SENT = "orders: after it is sent, before its state says so"


@pytest.mark.parametrize(("crashing", "times"), [(JOURNALED, 0), (SENT, 1)], indirect=["crashing"])
def test_after_a_crash_on_the_way_the_outcome_is_unknown_and_the_order_is_not_sent_again(crashing, times):
    assert crashing.journaled().intent == an_intent()
    assert len(crashing.received(crashing.line, SubmitOrder)) == times
    crashing.forget()
    crashing.ref = start(crashing.runtime, crashing.journal_path)
    crashing.tell(SubscribeAllOrders(ALL, crashing.risk.ref))
    crashing.connect("2")
    (orders,) = crashing.received(crashing.risk, AllOrders)
    assert [(order.intent_id, order.state) for order in orders.orders] == [("i1", OrderState.UNKNOWN)]
    crashing.tell(SubmitIntent(an_intent()))
    assert crashing.received(crashing.line, SubmitOrder) == []


def test_after_a_crash_the_store_has_what_it_was_not_told_of_before(connected):
    """An order that ended, and whose end was in the journal when the manager fell."""
    connected.submit("i1")
    connected.tell(NotSent("i1", "its connection was lost before it was sent"))
    connected.runtime.advance(2.0)
    connected.crash()
    start(connected.runtime, connected.journal_path)
    stored = connected.received(connected.store, OrderChanged)
    assert [(changed.order.intent_id, changed.order.state.final) for changed in stored] == [("i1", True)]


def test_after_a_crash_open_orders_are_found_again_and_their_connections_leased(connected):
    connected.work()
    connected.runtime.advance(1.0)
    connected.crash()
    start(connected.runtime, connected.journal_path)
    connected.tell(SubscribeAllOrders(ALL, connected.risk.ref, Version(1, 7)))
    (orders,) = connected.received(connected.risk, AllOrders)
    assert orders.routes == frozenset()
    assert [(order.intent_id, order.state) for order in orders.orders] == [("i1", OrderState.WORKING)]
    assert connected.received(connected.pool) == [LeaseConnection("trend"), Republish()]
    connected.connect("2", at_broker(71))
    connected.tell(CancelRequest(intent_id="i1", strategy="trend", time=0))
    assert connected.received(connected.line) == [CancelOrder(session="2", order_id=71)]


def test_after_a_crash_the_log_is_sent_what_was_saved_and_a_fill_counts_once(connected):
    connected.work(quantity=100)
    connected.tell(ApplyEntries((a_fill(1),)))
    connected.runtime.advance(1.0)
    connected.tell(ApplyEntries((a_fill(2),)))
    connected.crash()
    start(connected.runtime, connected.journal_path)
    assert connected.received(connected.log) == [StageCursor("orders", 1)]
    connected.tell(ApplyEntries((a_fill(1), a_fill(2))))
    (order,) = connected.ref.ask(ReadOrders(), timeout=1.0)
    assert order.filled == D(20)


def test_no_order_id_is_used_twice_whatever_the_gateway_says_after_a_crash(connected):
    assert connected.submit("i1") == 1
    connected.crash()
    start(connected.runtime, connected.journal_path)
    connected.connect("2", next_order_id=1)
    connected.tell(SubmitIntent(an_intent("i2")))
    (sent,) = connected.received(connected.line, SubmitOrder)
    assert sent.session == "2"
    assert sent.order_id > 1


def test_a_stop_saves_orders_and_cursor(connected):
    connected.work(quantity=100)
    connected.tell(ApplyEntries((a_fill(1),)))
    connected.ref.stop()
    connected.runtime.run_until_idle()
    assert connected.journaled().view.filled == D(10)
    connected.forget()
    start(connected.runtime, connected.journal_path)
    assert connected.received(connected.log) == [StageCursor("orders", 1)]


def test_its_cursor_is_reported_when_the_log_asks(connected):
    connected.work()
    connected.tell(ApplyEntries((a_fill(1),)), ReportCursor())
    assert connected.received(connected.log) == [Acknowledge("orders", 1), StageCursor("orders", 1)]


def test_a_cancel_overtakes_the_order_that_it_cancels_and_that_is_not_sent(connected):
    connected.ref.tell(SubmitIntent(an_intent("i1")))
    connected.ref.tell(SubmitIntent(an_intent("i2")))
    connected.tell(CancelRequest(intent_id="i1", strategy="trend", time=0))
    (sent,) = connected.received(connected.line, SubmitOrder)
    assert sent.intent.intent_id == "i2"
    states = {m.order.intent_id: m.order for m in connected.received(connected.strategy, OrderChanged)}
    assert states["i1"].state is OrderState.REJECTED
    assert "cancelled before it was sent" in states["i1"].note


def test_a_cancel_overtakes_nothing_that_was_sent_after_it(connected):
    """The thousand newest cancels of unknown orders are kept."""
    for n in range(1_001):
        connected.tell(CancelRequest(intent_id=f"i{n}", strategy="trend", time=0))
    connected.tell(SubmitIntent(an_intent("i0")), SubmitIntent(an_intent("i1")))
    assert [sent.intent.intent_id for sent in connected.received(connected.line, SubmitOrder)] == ["i0"]


def test_when_its_mailbox_is_full_what_the_broker_says_and_cancels_still_come_in(world, runtime):
    class Small(OrderManager):
        mailbox = replace(OrderManager.mailbox, capacity=2)

    world.crash()
    start(runtime, world.journal_path, Small)
    runtime.run_until_idle()
    follow = SubscribeOrders("trend", world.strategy.ref)
    assert [world.ref.offer(follow) for n in range(3)] == [True, True, False]
    assert world.ref.offer(SubmitIntent(an_intent("i0")))
    assert world.ref.offer(CancelRequest(intent_id="i0", strategy="trend", time=0))
    assert world.ref.offer(OrderEvents(1, "1", ()))
    assert world.ref.offer(ApplyEntries(()))
    assert world.ref.offer(NotSent("i0", "lost"))
