"""From what a strategy asks for to an order or a rejection; and the same for a change of an order."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.orders import (
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderState,
    OrderTicket,
    OrderType,
    OrderView,
    Side,
    Signal,
)
from mats.orders import PreTrade, Rejected
from mats.risk import Limits, MarketState, RejectionCode, RiskState

D = Decimal
SPY = replace(parse_instrument("SPY"), con_id=7)
NOW = 100


@pytest.fixture
def flow():
    limits = Limits(max_order_quantity=D(1_000))
    market = MarketState(limits, "USD", ())
    market.know(SPY)
    market.mark("SPY", 100.0, 0.0)
    market.accounts, market.behind, market.routes = ("DU1", "DU2"), (), {3}
    market.equities["trend"] = D(50_000)
    return PreTrade(RiskState(), market, limits, lambda strategy: 3)


def signal(strength, intent_id="i1"):
    return Signal(intent_id=intent_id, strategy="trend", instrument="SPY", strength=strength, time=5, reason="up")


def request(**given):
    settings = {"intent_id": "i1", "strategy": "trend", "instrument": "SPY", "side": Side.SELL, "time": 5}
    return OrderRequest(**(settings | given))


def decide(flow, asked):
    return flow.decide(asked, NOW, 1.0)


def test_a_signal_becomes_an_order_for_the_difference_and_counts_at_once(flow):
    intent = decide(flow, signal(0.5))
    assert intent == OrderIntent(
        intent_id="i1", strategy="trend", account="DU1", instrument=SPY, side=Side.BUY, quantity=D(250),
        ticket=OrderTicket(), time=5, reason="up", of_target=True,
    )  # fmt: skip
    assert flow.state.exposure("DU1", "SPY", "trend").buying == D(250)
    assert flow.state.orders_in_last_minute("trend", NOW) == 1
    larger = decide(flow, signal(0.6, "i2"))
    assert (larger.side, larger.quantity, flow.cancels) == (Side.BUY, D(50), [])


def test_a_target_that_is_held_or_on_its_way_asks_for_nothing(flow):
    decide(flow, signal(0.5))
    assert decide(flow, signal(0.5, "i2")) is None
    assert decide(flow, signal(0.498, "i3")) is None, "less than a hundredth of it is not worth an order"
    assert flow.cancels == []


def test_going_flat_needs_neither_equity_nor_price(flow):
    flow.market.equities.clear()
    assert decide(flow, signal(0.0)) is None
    rejected = decide(flow, signal(0.1))
    assert rejected.rejection.code is RejectionCode.NO_EQUITY
    assert (rejected.order.quantity, rejected.order.state, rejected.order.updated) == (D(0), OrderState.REJECTED, NOW)
    assert rejected.order.note == "NO_EQUITY: the equity of trend is not known yet"


def test_a_request_names_its_quantity_or_a_fraction_and_its_account(flow):
    assert decide(flow, request(quantity=D(30))).quantity == D(30)
    sized = decide(flow, request(size=0.5, account="DU2", intent_id="i2"))
    assert (sized.side, sized.quantity, sized.account) == (Side.SELL, D(250), "DU2")
    bought = decide(flow, request(size=0.5, side=Side.BUY, intent_id="i3"))
    assert (bought.side, bought.quantity) == (Side.BUY, D(250))
    assert decide(flow, request(size=2.0)).rejection.code is RejectionCode.STRENGTH_RANGE
    assert decide(flow, request(quantity=D(0))).rejection.code is RejectionCode.NOT_POSITIVE


def test_a_request_that_names_neither_quantity_nor_fraction_is_rejected(flow):
    assert decide(flow, request()).rejection.code is RejectionCode.NOT_POSITIVE


def test_an_order_that_a_check_objects_to_is_rejected_and_does_not_count(flow):
    rejected = decide(flow, request(quantity=D(1_001)))
    assert isinstance(rejected, Rejected)
    assert (rejected.order.state, rejected.order.quantity) == (OrderState.REJECTED, D(1_001))
    assert rejected.order.note == "MAX_QUANTITY: quantity 1001 is above 1000"
    assert flow.state.exposure("DU1", "SPY", "trend").selling == 0
    assert flow.state.orders_in_last_minute("trend", NOW) == 0


def change(**given):
    return OrderModification(intent_id="i1", strategy="trend", time=6, **given)


def working(flow, quantity=100, filled=0):
    ticket = OrderTicket(order_type=OrderType.LIMIT, limit_price=D(99))
    flow.state.observe(
        OrderView(
            intent_id="i1", strategy="trend", account="DU1", instrument="SPY", side=Side.BUY, quantity=D(quantity),
            ticket=ticket, state=OrderState.WORKING, filled=D(filled),
        )
    )  # fmt: skip


def test_a_change_is_checked_as_what_would_be_left_and_counts_as_the_larger_of_both(flow):
    assert flow.decide_change(change(quantity=D(5)), NOW, 1.0) is None
    working(flow, filled=40)
    larger = change(quantity=D(1_040))
    assert flow.decide_change(larger, NOW, 1.0) is larger
    assert flow.state.exposure("DU1", "SPY", "trend").buying == D(1_000)
    assert isinstance(flow.decide_change(change(quantity=D(50)), NOW, 1.0), OrderModification)
    assert flow.state.exposure("DU1", "SPY", "trend").buying == D(1_000)
    rejected = flow.decide_change(change(quantity=D(1_041)), NOW, 1.0)
    assert rejected.rejection.code is RejectionCode.MAX_QUANTITY
    assert rejected.order.state is OrderState.WORKING


def test_a_change_does_not_count_the_order_itself_twice(flow):
    flow.limits = replace(flow.limits, max_position_notional=D(12_000))
    working(flow)
    assert isinstance(flow.decide_change(change(quantity=D(120)), NOW, 1.0), OrderModification)
    assert flow.decide_change(change(quantity=D(121)), NOW, 1.0).rejection.code is RejectionCode.MAX_POSITION
