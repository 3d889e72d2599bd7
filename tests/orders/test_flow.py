"""One order after the other through the whole flow: what risk counts fits what the order is, at every step."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.orders import OrderModification, OrderRequest, OrderState, OrderTicket, OrderView, Side
from mats.orders import OrderFlow, OrderRecord, PreTrade, Rejected
from mats.risk import Exposure, Limits, MarketState, RiskState

D = Decimal
SPY = replace(parse_instrument("SPY"), con_id=7)


class Exchange:
    """Takes orders and changes, and does nothing about them."""

    def __init__(self) -> None:
        self.numbers, self.taken, self.changes = [], [], []

    def new_order(self, intent, number):
        self.numbers.append(number)
        return OrderRecord(intent, intent.quantity, intent.ticket, intent.time)

    def submit(self, order):
        self.taken.append(order)

    def modify(self, order, change):
        self.changes.append(change)


@pytest.fixture
def flow():
    market = MarketState(Limits(max_order_quantity=D(1_000)), "USD", ())
    market.know(SPY)
    market.mark("SPY", 100.0, 0.0)
    market.accounts, market.behind, market.routes = ("DU1",), (), {1}
    flow = OrderFlow(PreTrade(RiskState(), market, market.limits, lambda strategy: 1), route=1)
    flow.exchange = Exchange()
    return flow


def submitted(flow, side=Side.BUY, intent_id="i1", quantity=100):
    request = OrderRequest(
        intent_id=intent_id, strategy="trend", instrument="SPY", side=side, time=5, quantity=D(quantity)
    )
    intent = flow.decide(request, 6)
    return intent, flow.submit(intent, 7)


def exposure(flow):
    return flow._pretrade.state.exposure("DU1", "SPY", "trend")


def test_an_order_is_journaled_sent_acknowledged_and_filled_in_parts(flow):
    intent, order = submitted(flow)
    assert (flow.exchange.numbers, flow.exchange.taken, order.origin) == ([1], [order], intent)
    assert (order.state, order.client_id, order.order_id) == (OrderState.SENT, 1, 1)
    flow.acknowledge(order, "i1", 1, 8)
    assert (order.state, exposure(flow)) == (OrderState.WORKING, Exposure(D(0), D(100), D(0)))
    assert flow.fill(order, intent, D(40), D(99), 9) == 1
    assert (order.state, exposure(flow)) == (OrderState.WORKING, Exposure(D(40), D(60), D(0)))
    assert list(flow.working_ids) == ["i1"]
    assert flow.fill(order, intent, D(60), D(100), 10) == 2
    assert (list(flow.working_ids), exposure(flow)) == ([], Exposure(D(100), D(0), D(0)))
    assert flow.views() == [
        OrderView(
            intent_id="i1", strategy="trend", account="DU1", instrument="SPY", side=Side.BUY, quantity=D(100),
            ticket=OrderTicket(), state=OrderState.FILLED, filled=D(100), notional=D(9_960), average_price=D("99.6"),
            acknowledged=True, applied=2, created=5, updated=10, client_id=1, order_id=1, perm_id=1,
        )
    ]  # fmt: skip


def test_a_sale_counts_on_the_other_side(flow):
    intent, order = submitted(flow, Side.SELL)
    flow.fill(order, intent, D(30), D(100), 9)
    assert exposure(flow) == Exposure(D(-30), D(0), D(70))


def test_what_is_rejected_is_kept_as_it_was_told_and_never_works(flow):
    request = OrderRequest(intent_id="i1", strategy="trend", instrument="SPY", side=Side.BUY, time=5, quantity=D(2_000))
    rejected = flow.decide(request, 6)
    assert isinstance(rejected, Rejected)
    assert flow.views() == [rejected.order]
    assert flow.working("i1") is None
    assert flow.working("i2") is None


def test_an_order_that_ends_counts_no_more_and_says_why(flow):
    intent, order = submitted(flow)
    flow.acknowledge(order, "i1", 1, 8)
    flow.fill(order, intent, D(40), D(99), 9)
    assert flow.working("i1") is order
    assert flow.cancel(order, "i1", 10)
    assert not flow.cancel(order, "i1", 10)
    assert (order.state, exposure(flow).buying) == (OrderState.CANCELLING, D(60))
    flow.finish(order, "i1", 11, "the day is over")
    assert (order.state, order.note, exposure(flow)) == (
        OrderState.CANCELLED, "the day is over", Exposure(D(40), D(0), D(0)),
    )  # fmt: skip
    assert flow.working("i1") is None


def change(quantity):
    return OrderModification(intent_id="i1", strategy="trend", time=6, quantity=D(quantity))


def modified(flow, order, quantity):
    return flow.modify(order, change(quantity), 8)


def test_a_change_counts_as_the_larger_until_something_happens_to_the_order(flow):
    intent, order = submitted(flow)
    assert modified(flow, order, 150) is None
    assert flow.exchange.changes == [change(150)]
    assert exposure(flow).buying == D(150)
    flow.acknowledge(order, "i1", 1, 9)
    assert exposure(flow).buying == D(100)
    modified(flow, order, 150)
    assert flow.amend(order, "i1", D(150), order.ticket, 10)
    assert not flow.amend(order, "i1", D(150), order.ticket, 11)
    assert (order.quantity, order.updated, exposure(flow).buying) == (D(150), 10, D(150))
    modified(flow, order, 200)
    flow.fill(order, intent, D(10), D(100), 12)
    assert exposure(flow).buying == D(140)
    modified(flow, order, 200)
    flow.cancel(order, "i1", 13)
    assert exposure(flow).buying == D(140)


def test_a_change_that_a_check_objects_to_is_not_sent(flow):
    _, order = submitted(flow)
    assert modified(flow, order, 1_001).rejection.text == "quantity 1001 is above 1000"
    assert flow.exchange.changes == []


def test_a_split_changes_positions_and_orders_and_takes_a_number_of_its_own(flow):
    intent, order = submitted(flow)
    flow.fill(order, intent, D(40), D(100), 9)
    assert flow.next_entry == 2
    flow.adjust("DU1", "trend", "SPY", D(40))
    flow.resize(order, "i1", D(200), D(80), order.ticket)
    assert exposure(flow) == Exposure(D(80), D(120), D(0))
    assert (flow.next_entry, order.average_price) == (3, D(50))
    assert flow.next_number() == 2
    assert isinstance(order, OrderRecord)
