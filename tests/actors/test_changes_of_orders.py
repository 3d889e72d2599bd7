"""A wish to change a working order: what risk counts meanwhile, and what its strategy hears of a refusal."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.messages.broker import ModifyOrder, OrderEvents, SubmitOrder
from actors.messages.market_data import InstrumentCompleted
from actors.messages.order_manager import (
    AllOrders,
    ModifyIntent,
    OrderChanged,
    SubmitIntent,
    SubscribeOrders,
    WorkingOrders,
)
from actors.messages.risk_manager import Halt, OrderDenied
from actors.order_manager import OrderManager
from actors.risk_manager import RiskManager
from mats.model.broker import BrokerOrder
from mats.model.instrument import parse_instrument
from mats.model.orders import OrderIntent, OrderModification, OrderState, OrderTicket, Side, opening_view
from mats.risk import Limits, RejectionCode

D = Decimal
SPY = replace(parse_instrument("SPY"), con_id=1)
INTENT = OrderIntent(
    intent_id="i1", strategy="trend", account="DU1", instrument=SPY, side=Side.BUY, quantity=D(10),
    ticket=OrderTicket(), time=0,
)  # fmt: skip


def change(**what):
    return OrderModification(intent_id="i1", strategy="trend", time=0, **what)


def risk_args(journal_path, log, orders, broker):
    return RiskManager.Args(
        journal_path=journal_path, limits=Limits(), base_currency="USD", live_accounts=(), fill_log=log, orders=orders,
        broker=broker, publishers=(),
    )  # fmt: skip


class Manager:
    """The order manager with one route; its log, risk, store and pool are probes."""

    def __init__(self, runtime, journal_path, a_ready):
        self.runtime = runtime
        names = ("fill-log", "risk", "store", "pool", "line", "strategies/trend")
        self.log, self.risk, self.store, self.pool, self.line, self.strategy = map(runtime.probe, names)
        args = OrderManager.Args(
            journal_path=journal_path,
            fill_log=self.log.ref,
            risk=self.risk.ref,
            store=self.store.ref,
            pool=self.pool.ref,
        )
        self.ref = runtime.spawn(OrderManager, args, name="orders")
        self.ref.tell(replace(a_ready(self.line.ref), client_id=1))
        self.ref.tell(SubscribeOrders("trend", self.strategy.ref))
        self.ref.tell(SubmitIntent(INTENT))
        self.order_id = self.line.expect(SubmitOrder).order_id
        runtime.run_until_idle()

    def echo(self, quantity):
        news = BrokerOrder(
            order_ref="trend:i1", client_id=1, order_id=self.order_id, perm_id=7, account="DU1", instrument="SPY",
            side=Side.BUY, quantity=D(quantity), order_type="MKT", status="Submitted",
        )  # fmt: skip
        self.ref.tell(OrderEvents(1, "1", (news,)))
        self.runtime.run_until_idle()

    def told_risk(self):
        self.runtime.run_until_idle()
        told = []
        while (envelope := self.risk._take(0.0)) is not None:
            told.append(envelope.message)
        return [message.order for message in told if isinstance(message, OrderChanged)]


@pytest.fixture
def manager(runtime, journal_path, a_ready):
    return Manager(runtime, journal_path, a_ready)


def test_until_the_echo_comes_risk_is_not_told_the_old_quantity_again(manager):
    manager.echo(10)
    manager.told_risk()
    manager.ref.tell(ModifyIntent(change(quantity=D(25))))
    assert manager.line.expect(ModifyOrder).intent.quantity == D(25)
    assert manager.told_risk() == []
    manager.echo(25)
    assert manager.told_risk()[-1].quantity == D(25)


def test_an_order_that_cannot_be_changed_now_counts_as_it_stands(manager):
    manager.told_risk()
    manager.ref.tell(ModifyIntent(change(quantity=D(25))))
    (told,) = manager.told_risk()
    assert (told.state, told.quantity) == (OrderState.SENT, D(10))
    manager.line.expect_nothing()


def test_a_follower_gets_the_working_orders_and_then_each_change(manager):
    manager.strategy.expect_message(WorkingOrders(()))
    assert [manager.strategy.expect(OrderChanged).order.state for _ in range(1)] == [OrderState.SENT]
    manager.echo(10)
    assert manager.strategy.expect(OrderChanged).order.state is OrderState.WORKING


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.WORKING, OrderState.UNKNOWN])
def test_a_denied_change_says_why_and_leaves_the_state_of_the_order_alone(runtime, journal_path, state):
    log, orders, broker, strategy = map(runtime.probe, ("fill-log", "orders", "broker", "strategies/trend"))
    risk = runtime.spawn(RiskManager, risk_args(journal_path, log.ref, orders.ref, broker.ref), name="risk")
    order = replace(opening_view(INTENT), state=state, client_id=1, order_id=5)
    risk.tell(AllOrders((order,)))
    risk.tell(Halt("", "by hand"))
    risk.tell(change(quantity=D(25)))
    denied = strategy.expect(OrderDenied)
    assert denied.order.state is state
    assert denied.order.note.startswith(denied.denial.code)
    assert denied.denial.code is RejectionCode.UNKNOWN_INSTRUMENT


def test_a_change_to_nothing_is_denied(runtime, journal_path):
    log, orders, broker, strategy = map(runtime.probe, ("fill-log", "orders", "broker", "strategies/trend"))
    risk = runtime.spawn(RiskManager, risk_args(journal_path, log.ref, orders.ref, broker.ref), name="risk")
    risk.tell(InstrumentCompleted(SPY))
    risk.tell(AllOrders((replace(opening_view(INTENT), state=OrderState.WORKING),)))
    risk.tell(change(quantity=D(0)))
    assert strategy.expect(OrderDenied).denial.code is RejectionCode.NOT_POSITIVE
