"""A connection to the paper gateway: an epoch of the log, the broker's answer, then orders and what becomes of them."""

import os
from decimal import Decimal

import pytest

from actors.ib_connection import IbConnection, Timing
from actors.messages.broker import (
    AccountChanged,
    CancelOrder,
    HistoryLoaded,
    InstrumentResolved,
    LinkChanged,
    MarketEvents,
    ModifyOrder,
    NotSent,
    OrderEvents,
    PositionsChanged,
    PositionsTaken,
    ReadBroker,
    Ready,
    RequestHistory,
    RequestSnapshot,
    ResolveInstrument,
    SubmitOrder,
    SubscribeAccount,
    SubscribeMarket,
    TakePositions,
    Unresolved,
)
from actors.messages.fill_log import (
    EpochOpened,
    OpenEpoch,
    ReplayMerged,
    ReplayProgressed,
    ReportExecutions,
    ReportReplay,
)
from actors.messages.quarantine import ReportUndecoded
from mats.gateway.faults.fault_types import AnswerRequest, Edit, Hold, Swallow
from mats.gateway.orders.order_store import OrderFill
from mats.gateway.persistence import GatewayState
from mats.ib.errors import ConnectionLostError, QueueFull, RequestTimedOut
from mats.ib.session import IbSession
from mats.instruments import parse_instrument
from mats.model.broker_reports import (
    BrokerError,
    BrokerOrder,
    BrokerOrderStatus,
    BrokerSnapshot,
    BrokerStatus,
    OrderErrorMeaning,
)
from mats.model.orders import OrderIntent, OrderTicket, OrderType, Side
from mats.model.validation import execution_fault
from mats.runtime import AskTimeout, Crash, SystemClock, ThreadRuntime
from tests.actors.samples import launch_relay
from tests.system.harness import until
from tests.system.inside import GatewayThread

D = Decimal
ACCOUNT = "DU1000001"
PATIENCE = 10.0
"""Seconds after which a test gives up; nothing waits that long unless it fails."""
EXECUTIONS_END = 55
"""The message that ends a replay."""
HEARTBEAT = 49
"""The request by which a connection asks whether the gateway is alive."""


def start(runtime, port, client_id=1, heartbeat=60.0, silence=PATIENCE):
    """Start a connection, or start it again."""
    args = IbConnection.Args(
        client_id=client_id,
        listeners=(runtime.ref("listener"),),
        fill_log=runtime.ref("fill-log"),
        orders=runtime.ref("orders"),
        portfolio=runtime.ref("portfolio"),
        market_data=runtime.ref("market-data"),
        risk=runtime.ref("risk"),
        timing=Timing(
            host="127.0.0.1", port=port, connect_timeout=PATIENCE, replay_timeout=silence, heartbeat=heartbeat
        ),
        fractional=True,
    )
    runtime.launch("ib", IbConnection, args, supervised=True)
    return runtime.ref("ib")


class World:
    """A connection in real time between a paper gateway and probes; `log` is what the fill log was sent."""

    def __init__(self, port, gateway=None, client_id=1, heartbeat=60.0, silence=PATIENCE):
        self.runtime, self.gateway = ThreadRuntime(seed=1, clock=SystemClock()), gateway
        self._port, self._client_id = port, client_id
        names = ("log", "orders", "portfolio", "market-data", "risk", "listener", "asker")
        self.log, self.orders, self.portfolio, self.market_data, self.risk, self.listener, self.asker = map(
            self.runtime.probe, names
        )
        launch_relay(self.runtime, "fill-log", self.log)
        self.ref = start(self.runtime, port, client_id, heartbeat, silence)
        self.ends = self.runtime.probe("ends")
        self.ends.watch(self.ref)

    def next(self, probe, kind, accept=lambda _: True):
        """The next message of a kind that `accept` takes; those before it are of no interest to the test."""
        return probe.fish(lambda message: isinstance(message, kind) and accept(message), PATIENCE)

    def merge(self, epoch=7, through=3):
        """The log opens an epoch, and has merged the broker's answer then; what the connection announces."""
        self.next(self.log, OpenEpoch)
        self.ref.tell(EpochOpened("ib", epoch))
        self.next(self.log, ReportReplay)
        self.ref.tell(ReplayMerged(epoch, through))
        return self.next(self.listener, Ready)

    def order(self, name, quantity=100, limit="1.00"):
        """An order that rests far below the market."""
        return OrderIntent(
            intent_id=name,
            strategy="trend",
            account=ACCOUNT,
            instrument=self.spy,
            side=Side.BUY,
            quantity=D(quantity),
            ticket=OrderTicket(order_type=OrderType.LIMIT, limit_price=D(limit)),
            time=0,
        )

    def resolve(self, name="SPY"):
        self.ref.tell(ResolveInstrument(parse_instrument(name), self.asker.ref))
        return self.next(self.asker, InstrumentResolved | Unresolved)

    def open(self):
        """Everything that an order needs."""
        self.ready = self.merge()
        self.spy = self.resolve().instrument

    def submit(self, name="i1", session="7", **changes):
        self.ref.tell(
            SubmitOrder(session=session, order_id=self.ready.next_order_id, intent=self.order(name, **changes))
        )

    def working(self, name="i1"):
        """The broker has acknowledged an order; its id."""
        self.submit(name)
        self.order_event(BrokerOrder, lambda order: order.order_ref == f"trend:{name}")
        return self.ready.next_order_id

    def order_event(self, kind, accept=lambda _: True):
        """What the order manager is sent next that is of a kind and that `accept` takes."""

        def found(message):
            return [event for event in message.events if isinstance(event, kind) and accept(event)]

        return found(self.next(self.orders, OrderEvents, found))[0]

    def down(self):
        return self.ends.expect_down(self.ref, PATIENCE)

    def restart(self):
        start(self.runtime, self._port, self._client_id)
        self.ends.watch(self.ref)

    def stop(self):
        for ref in (self.ref, self.runtime.ref("fill-log")):
            ref.stop()
            self.ends.expect_down(ref, PATIENCE)
        assert self.runtime.stop(PATIENCE).clean


@pytest.fixture
def gateway():
    made = GatewayThread(port=0, seed=1)
    yield made
    made.stop()


@pytest.fixture
def traded(tmp_path):
    """A gateway with two executions of the past."""
    state = GatewayState(tmp_path / "gateway.db")
    for number in range(2):
        fill = OrderFill(
            exec_id=f"e{number}.01.01",
            perm_id=9,
            client_id=1,
            order_id=4,
            account=ACCOUNT,
            instrument="SPY",
            side=Side.BUY,
            quantity=D(1),
            price=D(500),
            time=SystemClock().now(),
            cumulative=D(1 + number),
            average=D(500),
            order_ref=f"trend:i{number}",
            commission=D("0.35"),
        )
        state.put("execution", fill.exec_id, fill)
    state.close()
    made = GatewayThread(port=0, seed=1, state=tmp_path / "gateway.db")
    yield made
    made.stop()


@pytest.fixture
def world(gateway):
    made = World(gateway.call(lambda gateway: gateway.port), gateway)
    yield made
    made.stop()


@pytest.fixture
def ready(world):
    """An announced connection that has resolved SPY."""
    world.open()
    return world


@pytest.fixture
def beating(gateway):
    """An announced connection with a heartbeat every half second."""
    made = World(gateway.call(lambda gateway: gateway.port), gateway, heartbeat=0.5)
    made.open()
    yield made
    made.stop()


@pytest.fixture
def master(gateway):
    """The connection that sees everything and places nothing."""
    made = World(gateway.call(lambda gateway: gateway.port), gateway, client_id=0)
    made.open()
    yield made
    made.stop()


@pytest.fixture
def closed_port():
    """A port on which nobody listens any more."""
    gone = GatewayThread(port=0, seed=1)
    port = gone.call(lambda gateway: gateway.port)
    gone.stop()
    return port


# Opening


def test_it_is_ready_when_the_log_has_merged_the_whole_answer_of_the_broker(world):
    world.log.expect_message(OpenEpoch("ib", world.ref), PATIENCE)
    world.ref.tell(EpochOpened("ib", 7))
    replay = world.log.expect(ReportReplay, PATIENCE)
    assert (replay.reply_to, replay.report) == (world.ref, ReportExecutions(connection="ib", epoch=7))
    world.ref.tell(ReplayMerged(6, 1))
    world.ref.tell(ReplayMerged(7, 3))
    ready = world.listener.expect(Ready, PATIENCE)
    assert (ready.connection, ready.ref, ready.client_id, ready.session) == ("ib", world.ref, 1, "7")
    assert (ready.accounts, ready.through) == ((ACCOUNT,), 3), "an answer of an older epoch is none"
    assert ready.next_order_id >= 1
    world.risk.expect_message(LinkChanged("ib", True, "connected"), PATIENCE)


def test_a_gateway_that_is_not_there_is_a_failure(closed_port):
    world = World(closed_port)
    world.next(world.log, OpenEpoch)
    world.ref.tell(EpochOpened("ib", 7))
    assert world.down().reason == "failed"
    world.stop()


def test_no_question_is_answered_before_the_line_is_open(world):
    world.next(world.log, OpenEpoch)
    with pytest.raises(AskTimeout):
        world.ref.ask(ReadBroker(), timeout=0.05)


def test_what_is_asked_before_the_line_is_open_waits_for_it(world):
    """Whoever asks has heard of an earlier life, which had an open line."""
    world.next(world.log, OpenEpoch)
    world.ref.tell(SubscribeAccount(ACCOUNT))
    world.ref.tell(TakePositions(world.asker.ref))
    world.ref.tell(EpochOpened("ib", 7))
    world.next(world.portfolio, AccountChanged)
    world.next(world.asker, PositionsTaken)
    world.ends.expect_nothing(0.0)


# Orders


def test_an_order_before_the_connection_is_ready_is_not_sent_and_its_owner_knows(world):
    world.next(world.log, OpenEpoch)
    world.spy = parse_instrument("SPY")
    world.ref.tell(SubmitOrder(session="7", order_id=1, intent=world.order("i1")))
    assert world.orders.expect(NotSent, PATIENCE) == NotSent("i1", "its connection was lost before it was sent")


def test_a_refused_fraction_makes_the_instrument_whole(ready):
    assert ready.spy.size_increment == D("0.0001")
    ready.submit(quantity="0.5")
    learned = ready.next(ready.market_data, InstrumentResolved)
    assert (learned.asked, learned.instrument.size_increment, learned.instrument.min_size) == ("SPY", 1, 1)
    assert ready.resolve().instrument.size_increment == 1


def test_an_order_of_another_session_is_not_sent_and_one_of_this_session_is(ready):
    ready.submit("old", session="6")
    ready.submit("new")
    assert ready.orders.expect(NotSent, PATIENCE).intent_id == "old"
    order = ready.order_event(BrokerOrder)
    assert (order.order_ref, order.quantity, order.limit_price) == ("trend:new", D(100), D(1))
    assert (order.client_id, order.order_id, order.account) == (1, ready.ready.next_order_id, ACCOUNT)


def test_a_change_and_a_cancel_reach_the_broker_and_their_answers_the_order_manager(ready):
    order_id = ready.working()
    ready.ref.tell(ModifyOrder(session="7", order_id=order_id, intent=ready.order("i1", 50, "2.00")))
    assert ready.order_event(BrokerOrder, lambda order: order.quantity == 50).limit_price == D(2)
    ready.ref.tell(CancelOrder(session="7", order_id=order_id))
    assert (
        ready.order_event(BrokerStatus, lambda status: status.status is BrokerOrderStatus.CANCELLED).order_id
        == order_id
    )


def test_orders_that_wait_in_the_line_delay_no_heartbeat_and_are_withdrawn_by_their_cancel(beating):
    """Without an answer for a second the connection would fail; the orders need three and a half."""
    world, last = beating, 150
    for number in range(1, last + 2):
        world.ref.tell(SubmitOrder(session="7", order_id=number, intent=world.order(f"i{number}")))
    world.ref.tell(CancelOrder(session="7", order_id=last + 1))
    assert world.next(world.orders, NotSent) == NotSent(f"i{last + 1}", "it was cancelled before it was sent")
    world.order_event(BrokerOrder, lambda order: order.order_ref == "trend:i1")
    world.ref.tell(RequestSnapshot())
    world.next(world.log, ReportReplay)
    world.ref.tell(ReplayMerged(7, 3))
    unsent = world.next(world.listener, Ready).unsent
    assert f"i{last}" in unsent
    assert not {"i1", f"i{last + 1}"} & unsent
    world.order_event(BrokerOrder, lambda order: order.order_ref == f"trend:i{last}")


def test_a_cancel_goes_before_the_orders_that_wait(ready):
    for number in range(1, 201):
        ready.ref.tell(SubmitOrder(session="7", order_id=number, intent=ready.order(f"i{number}")))
    ready.order_event(BrokerOrder)
    ready.ref.tell(CancelOrder(session="7", order_id=1))
    ready.order_event(BrokerStatus, lambda status: status.status is BrokerOrderStatus.CANCELLED)
    assert ready.gateway.call(lambda gateway: sum(1 for _ in gateway.exchange.working())) < 150


def test_an_order_for_which_there_is_no_room_in_the_line_is_not_sent_and_the_line_stays_open(ready, monkeypatch):
    def full(*_):
        raise QueueFull("10000 messages already wait in lane ORDER; request less or wait")

    monkeypatch.setattr(IbSession, "place", full)
    ready.submit("i1")
    assert ready.next(ready.orders, NotSent).reason.startswith("10000 messages already wait")
    monkeypatch.undo()
    ready.working("i2")


def test_what_is_taken_while_the_gateway_is_cut_off_from_the_broker_proves_no_absence(ready):
    ready.ref.tell(RequestSnapshot())
    ready.next(ready.log, ReportReplay)
    ready.ref.tell(ReplayMerged(7, 3))
    assert ready.next(ready.listener, Ready).linked
    ready.gateway.fault(lambda faults: faults.connectivity(1100))
    ready.next(ready.risk, LinkChanged, lambda message: not message.up)
    ready.ref.tell(RequestSnapshot())
    ready.next(ready.log, ReportReplay)
    ready.ref.tell(ReplayMerged(7, 3))
    assert not ready.next(ready.listener, Ready).linked


def test_a_change_or_a_cancel_of_another_session_does_nothing(ready):
    order_id = ready.working()
    ready.ref.tell(CancelOrder(session="6", order_id=order_id))
    ready.ref.tell(ModifyOrder(session="6", order_id=order_id, intent=ready.order("i1", 50)))
    ready.ref.tell(ModifyOrder(session="7", order_id=order_id, intent=ready.order("i1", 70)))
    assert ready.order_event(BrokerOrder, lambda order: order.quantity != 100).quantity == D(70)


def test_an_error_about_an_order_goes_to_the_order_manager_and_any_other_only_into_the_log(ready):
    order_id = ready.ready.next_order_id

    def say(faults):
        faults.push(1, 4, 2, -1, 2104, "a farm is fine", "")
        faults.push(1, 4, 2, order_id, 201, "no margin", "")

    ready.gateway.fault(say)
    events = ready.orders.expect(OrderEvents, PATIENCE).events
    rejected = BrokerError(request_id=order_id, code=201, text="no margin", meaning=OrderErrorMeaning.REJECTED)
    assert events == (rejected,)


def test_an_execution_is_reported_in_its_epoch_and_before_the_word_about_its_order(ready):
    ready.gateway.fault(lambda faults: faults.hold_orders())
    order_id = ready.working()
    ready.gateway.fault(lambda faults: faults.fill((1, order_id), 100, 1.0))
    report = ready.next(ready.log, ReportExecutions, lambda message: message.executions)
    (execution,) = report.executions
    reported = ready.log.last.cause
    assert (report.connection, report.epoch) == ("ib", 7)
    assert (execution.order_ref, execution.quantity, execution.price) == ("trend:i1", D(100), D(1))
    ready.order_event(BrokerStatus, lambda status: status.status is BrokerOrderStatus.FILLED)
    assert reported < ready.orders.last.id
    charged = report if report.commissions else ready.next(ready.log, ReportExecutions, lambda m: m.commissions)
    assert [commission.exec_id for commission in charged.commissions] == [execution.exec_id]


# Losses


def test_a_lost_gateway_is_a_failure_and_what_happened_meanwhile_is_in_the_next_answer(ready):
    ready.gateway.fault(lambda faults: faults.hold_orders())
    order_id = ready.working()
    ready.gateway.fault(lambda faults: faults.drop(1, hard=True))
    down = ready.down()
    assert (down.reason, type(down.error)) == ("failed", ConnectionLostError)
    ready.gateway.fault(lambda faults: faults.fill((1, order_id), 100, 1.0))
    ready.restart()
    ready.next(ready.log, OpenEpoch)
    ready.ref.tell(EpochOpened("ib", 8))
    report = ready.next(ready.log, ReportReplay).report
    assert (report.epoch, [execution.order_ref for execution in report.executions]) == (8, ["trend:i1"])


def test_what_came_of_a_replay_that_failed_is_in_the_log_and_its_reason_is_told(traded):
    traded.fault(lambda faults: faults.arm(Swallow(message=(EXECUTIONS_END,))))
    world = World(traded.call(lambda gateway: gateway.port), traded, client_id=0, silence=0.3)
    world.next(world.log, OpenEpoch)
    world.ref.tell(EpochOpened("ib", 7))
    kept = world.next(world.log, ReportExecutions)
    assert (kept.epoch, [e.order_ref for e in kept.executions]) == (7, ["trend:i0", "trend:i1"])
    charged = world.next(world.log, ReportExecutions)
    assert [c.exec_id for c in charged.commissions] == [e.exec_id for e in kept.executions]
    down = world.down()
    assert "no end of executions in 0.3 s" in str(down.error) and "2 executions came" in str(down.error)
    world.stop()


def test_how_much_of_a_replay_has_come_is_reported_while_it_goes_on(traded):
    traded.fault(lambda faults: faults.arm(Swallow(message=(EXECUTIONS_END,))))
    world = World(traded.call(lambda gateway: gateway.port), traded, client_id=0)
    world.next(world.log, OpenEpoch)
    world.ref.tell(EpochOpened("ib", 7))
    assert world.next(world.log, ReplayProgressed) == ReplayProgressed("ib", 2)
    world.stop()


def test_a_gateway_that_does_not_answer_is_a_failure_whatever_its_socket_says(gateway):
    world = World(gateway.call(lambda gateway: gateway.port), gateway, heartbeat=0.1)
    world.next(world.log, OpenEpoch)
    world.ref.tell(EpochOpened("ib", 7))
    world.next(world.log, ReportReplay)
    gateway.fault(lambda faults: faults.swallow({HEARTBEAT}))
    down = world.down()
    assert (down.reason, type(down.error)) == ("failed", RequestTimedOut)
    world.stop()


def test_while_the_link_behind_the_gateway_is_down_risk_knows_and_afterwards_everything_is_asked_anew(ready):
    ready.next(ready.risk, LinkChanged)
    ready.gateway.fault(lambda faults: faults.connectivity(1100))
    assert not ready.risk.expect(LinkChanged, PATIENCE).up
    ready.gateway.fault(lambda faults: faults.connectivity(1102))
    assert ready.risk.expect(LinkChanged, PATIENCE) == LinkChanged("ib", True, "restored")
    ready.next(ready.log, ReportReplay)
    ready.ref.tell(ReplayMerged(7, 9))
    assert ready.listener.expect(Ready, PATIENCE).through == 9


def test_a_lost_log_makes_it_begin_anew_over_the_same_line_and_orders_wait_until_then(ready):
    ready.ends.watch(ready.runtime.ref("fill-log"))
    ready.runtime.ref("fill-log").signal(Crash())
    ready.ends.expect_down(ready.runtime.ref("fill-log"), PATIENCE)
    launch_relay(ready.runtime, "fill-log", ready.log)
    ready.next(ready.log, OpenEpoch)
    ready.submit("old")
    assert ready.orders.expect(NotSent, PATIENCE).intent_id == "old"
    ready.ref.tell(EpochOpened("ib", 8))
    ready.next(ready.log, ReportReplay)
    ready.submit("early", session="8")
    assert ready.orders.expect(NotSent, PATIENCE).intent_id == "early"
    ready.ref.tell(ReplayMerged(8, 3))
    assert ready.next(ready.listener, Ready).session == "8"
    ready.submit("new", session="8")
    assert ready.order_event(BrokerOrder).order_ref == "trend:new"


def test_an_execution_that_cannot_be_decoded_goes_to_the_quarantine_and_nothing_is_asked_again(ready):
    ready.gateway.fault(lambda faults: faults.push(1, 11, -1, "garbage"))
    report = ready.next(ready.log, ReportUndecoded)
    assert (report.connection, report.message.fields) == ("ib", ("11", "-1", "garbage"))
    ready.working()
    ready.log.expect_nothing(0.0)


@pytest.mark.parametrize(
    "poison",
    [
        (19, "inf"),
        (20, "1e400"),
        (9, "abc"),
        (15, "99991231 23:59:59 UTC"),
        (15, "soon"),
        (18, "HOLD"),
    ],
    ids=str,
)
def test_a_snapshot_with_a_poisonous_execution_is_complete_but_for_it(ready, poison):
    ready.gateway.fault(lambda faults: faults.hold_orders())
    order_id = ready.working()
    ready.gateway.fault(lambda faults: faults.fill((1, order_id), 60, 1.0))
    ready.next(ready.log, ReportExecutions, lambda message: message.executions)
    ready.gateway.fault(lambda faults: faults.arm(Edit(message=(11,), set=dict([poison]))))
    for _ in range(2):
        ready.ref.tell(RequestSnapshot())
        replay = ready.next(ready.log, ReportReplay).report
        found = [execution for execution in replay.executions if execution_fault(execution, SystemClock().now()) == ""]
        assert found == []
        ready.ref.tell(ReplayMerged(7, 4))
        assert ready.listener.expect(Ready, PATIENCE).replay.open_orders, "it is announced, and lives"


def test_a_position_that_is_no_number_is_left_out_and_kept(master):
    master.gateway.fault(lambda faults: faults.arm(Edit(message=(61,), where={4: "SPY"}, set={14: "inf"})))
    master.gateway.fault(lambda faults: faults.manual_order("SPY", Side.BUY, 10))
    report = master.next(master.log, ReportUndecoded)
    assert (report.message.account, report.message.instrument) == (ACCOUNT, "SPY")
    for _ in range(2):
        master.ref.tell(TakePositions(master.asker.ref))
        assert master.next(master.asker, PositionsTaken).positions == ()


def test_messages_with_unknown_numbers_and_data_that_are_no_numbers_are_only_counted(ready):
    ready.gateway.fault(lambda faults: [faults.push(1, 9999, 1, "x" * 5000) for _ in range(50)])
    ready.gateway.fault(lambda faults: [faults.push(1, 50, 3, 7, 0, "nan", "inf", "x", 1, 1, 1, 1) for _ in range(50)])
    ready.working()
    ready.log.expect_nothing(0.0)


def test_a_gateway_whose_order_ids_are_those_of_requests_is_refused_with_the_remedy(gateway):
    gateway.fault(lambda faults: faults.arm(Edit(message=(9,), set={2: "1700000000"})))
    world = World(gateway.call(lambda gateway: gateway.port), gateway)
    world.next(world.log, OpenEpoch)
    world.ref.tell(EpochOpened("ib", 7))
    assert "Reset API order ID sequence" in str(world.down().error)
    world.stop()


# Questions


def test_who_asks_it_to_announce_itself_gets_a_fresh_answer_of_the_broker(ready):
    ready.working()
    ready.ref.tell(RequestSnapshot())
    ready.next(ready.log, ReportReplay)
    ready.ref.tell(ReplayMerged(7, 4))
    again = ready.listener.expect(Ready, PATIENCE)
    assert [order.order_ref for order in again.replay.open_orders] == ["trend:i1"]
    assert again.asked_at > ready.ready.asked_at


def test_an_operator_can_read_the_whole_answer_of_the_broker(ready):
    ready.working()
    snapshot = ready.ref.ask(ReadBroker(), timeout=PATIENCE)
    assert isinstance(snapshot, BrokerSnapshot)
    assert [order.order_ref for order in snapshot.open_orders] == ["trend:i1"]


def test_an_instrument_is_completed_or_called_unknown_with_the_reason(ready):
    found = ready.resolve("EURUSD")
    assert (found.asked, found.instrument.currency) == ("EURUSD", "USD")
    assert found.instrument.con_id > 0
    unknown = ready.resolve("NOSUCHTHING")
    assert isinstance(unknown, Unresolved)
    assert unknown.reason.startswith("contract of NOSUCHTHING")


def test_history_is_the_last_bars_before_now_and_incomplete_where_the_broker_does_not_know(ready):
    euro = ready.resolve("EURUSD").instrument
    ready.ref.tell(RequestHistory(instrument=euro, bar_seconds=60, count=10, reply_to=ready.asker.ref))
    loaded = ready.next(ready.asker, HistoryLoaded)
    starts = [bar.start for bar in loaded.bars]
    assert (loaded.instrument, loaded.complete, len(starts)) == ("EURUSD", True, 10)
    assert starts == sorted(starts)
    ready.ref.tell(
        RequestHistory(instrument=parse_instrument("NOSUCHTHING"), bar_seconds=60, count=10, reply_to=ready.asker.ref)
    )
    missing = ready.next(ready.asker, HistoryLoaded)
    assert (missing.bars, missing.complete) == ((), False)
    assert missing.reason


def test_quotes_go_to_market_data(ready):
    ready.ref.tell(SubscribeMarket(ready.spy, quotes=True))
    quotes = ready.next(ready.market_data, MarketEvents, lambda message: message.quotes).quotes
    assert {quote.instrument for quote in quotes} == {"SPY"}


def test_the_values_of_an_account_go_to_the_portfolio_and_all_of_them_again_to_who_asks_anew(ready):
    for _ in range(2):
        ready.ref.tell(SubscribeAccount(ACCOUNT))
        values = ready.next(
            ready.portfolio, AccountChanged, lambda m: "NetLiquidation" in {v.tag for v in m.values}
        ).values
        assert {value.account for value in values} == {ACCOUNT}


def test_positions_go_to_the_portfolio_as_they_change_and_all_of_them_to_who_asks(master):
    master.gateway.fault(lambda faults: faults.manual_order("SPY", Side.BUY, 10))
    (changed,) = master.next(master.portfolio, PositionsChanged).positions
    assert (changed.account, changed.instrument, changed.quantity) == (ACCOUNT, "SPY", D(10))
    master.ref.tell(TakePositions(master.asker.ref))
    (taken,) = master.next(master.asker, PositionsTaken).positions
    assert taken.quantity == D(10)


def test_without_a_link_to_the_broker_the_gateway_is_not_believed_about_positions(master):
    master.next(master.risk, LinkChanged)
    master.gateway.fault(lambda faults: faults.connectivity(1100))
    master.risk.expect(LinkChanged, PATIENCE)
    master.ref.tell(TakePositions(master.asker.ref))
    master.ref.ask(ReadBroker(), timeout=PATIENCE)
    assert master.asker.ref.mailbox.pending == 0


# What is traded or held of contracts whose details nobody has asked for


def trade_pence(gateway):
    """Ten of a share that is quoted in pence, bought by hand."""
    gateway.call(lambda gateway: gateway.universe.activate("VOD.GBP"))
    gateway.fault(lambda faults: faults.manual_order("VOD.GBP", Side.BUY, 10))


def reported(world):
    return world.next(world.log, ReportExecutions, lambda report: report.executions).executions


def test_the_first_execution_of_a_contract_is_reported_in_what_its_units_are_worth(master):
    trade_pence(master.gateway)
    for execution in reported(master):
        assert (execution.instrument, execution.multiplier) == ("VOD.GBP", D("0.01"))


def test_an_execution_without_details_is_none_that_can_be_booked_until_they_come(master, monkeypatch):
    monkeypatch.setattr("actors.ib_connection.TERMS_RETRY_SECONDS", 0.2)
    master.gateway.fault(lambda faults: faults.arm(AnswerRequest(request=(9,), code=200)))
    trade_pence(master.gateway)
    (kept, *_) = reported(master)
    assert "details of the contract" in execution_fault(kept, SystemClock().now())
    master.gateway.fault(lambda faults: faults.disarm())
    known = master.next(
        master.log, ReportExecutions, lambda report: any(not e.multiplier.is_nan() for e in report.executions)
    )
    assert {(e.exec_id, e.multiplier) for e in known.executions} >= {(kept.exec_id, D("0.01"))}


def test_an_answer_of_the_broker_has_executions_and_positions_in_what_their_units_are_worth(gateway):
    gateway.call(lambda gateway: gateway.universe.activate("VOD.GBP"))
    corn = Hold(
        symbol="ZC", sec_type="FUT", expiry="20261218", exchange="CBOT", trading_class="ZC", quantity=2, cost=21000
    )
    gateway.fault(lambda faults: faults.arm(corn))
    trade_pence(gateway)
    until(lambda: gateway.fault(lambda faults: faults.fills()), PATIENCE, "the trade")
    world = World(gateway.call(lambda gateway: gateway.port), gateway, client_id=0)
    world.next(world.log, OpenEpoch)
    world.ref.tell(EpochOpened("ib", 7))
    executions = world.next(world.log, ReportReplay).report.executions
    assert executions
    assert {e.multiplier for e in executions} == {D("0.01")}
    world.ref.tell(ReplayMerged(7, 3))
    positions = world.next(world.listener, Ready).replay.positions
    assert {p.instrument: p.multiplier for p in positions} == {"VOD.GBP": D("0.01"), "ZC:20261218": D(50)}
    world.stop()


# The end, and the log that does not answer


def test_a_stop_closes_the_line_and_is_no_failure(ready):
    ready.ref.stop()
    assert ready.down().reason == "normal"
    ready.restart()
    assert ready.merge(epoch=8).session == "8", "the client id is free again"


def test_an_abandoned_connection_that_hangs_gives_its_client_id_back(ready, monkeypatch, tmp_path):
    hangs, release = tmp_path / "hangs", tmp_path / "release"
    os.mkfifo(hangs)
    os.mkfifo(release)

    def hang(*_arguments):
        hangs.write_text("now")
        release.read_text()

    monkeypatch.setattr(IbConnection, "cancel", hang)
    ready.ref.tell(CancelOrder(session="7", order_id=1))
    assert hangs.read_text() == "now"
    ready.runtime.abandon("ib")
    assert ready.down().reason == "abandoned"
    ready.restart()
    assert ready.merge(epoch=8).session == "8"
    release.write_text("")


def test_a_log_that_does_not_answer_is_asked_again(runtime, probe):
    log = probe("fill-log")
    ref = start(runtime, port=1)
    log.expect_message(OpenEpoch("ib", ref))
    log.expect_nothing(4.0)
    runtime.advance(2.0)
    log.expect_message(OpenEpoch("ib", ref))
