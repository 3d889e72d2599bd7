"""Brackets before the trade: judged as a whole, counted for what they can do, and never on the way to a target."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.model.orders import ChildRequest, OrderState, OrderTicket, OrderType, Side, opening_view
from mats.risk import Exposure, RejectionCode
from tests.orders.test_exits import Account, code

D = Decimal
STOP = OrderTicket(order_type=OrderType.STOP, stop_price=D(95))
PROFIT = OrderTicket(order_type=OrderType.LIMIT, limit_price=D(110))


class Bracketed(Account):
    def bracket(self, quantity, stop=STOP, profit=PROFIT):
        children = (
            ChildRequest(intent_id=f"i{self.asked + 1}.stop", ticket=stop),
            ChildRequest(intent_id=f"i{self.asked + 1}.profit", ticket=profit),
        )
        return self.order(quantity, children=children)

    def exposure(self):
        return self.state.exposure("DU1", "SPY", "a")

    def fill_some(self, intent, quantity):
        """The broker reports a part of an order as filled."""
        view = replace(opening_view(intent), state=OrderState.WORKING, filled=D(quantity), applied=self.state.seq + 1)
        self.trade(intent.strategy, quantity * intent.side.sign)
        self.state.observe(view)


def test_a_bracket_is_approved_as_three_orders():
    account = Bracketed()
    parent = account.bracket(100)
    stop, profit = parent.children
    assert (parent.side, parent.quantity, parent.parent) == (Side.BUY, 100, "")
    assert [(c.intent_id, c.side, c.quantity, c.ticket, c.parent) for c in (stop, profit)] == [
        ("i1.stop", Side.SELL, 100, STOP, "i1"), ("i1.profit", Side.SELL, 100, PROFIT, "i1"),
    ]  # fmt: skip
    assert list(account.place.orders) == ["i1", "i1.stop", "i1.profit"]
    assert parent.family == (replace(parent, children=()), stop, profit)
    assert account.state.orders_in_last_minute("a", 1) == 3


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (replace(STOP, stop_price=D("95.001")), RejectionCode.TICK_SIZE),
        (OrderTicket(order_type=OrderType.STOP), RejectionCode.NOT_POSITIVE),
    ],
)
def test_what_is_wrong_with_one_of_them_is_wrong_with_all(stop, expected):
    account = Bracketed()
    assert code(account.bracket(100, stop=stop)) is expected
    assert account.place.orders == {}


def test_while_the_entry_works_the_others_can_close_what_it_has_filled():
    account = Bracketed()
    parent = account.bracket(100)
    assert account.exposure() == Exposure(D(0), D(100), D(0), D(0), D(0))
    account.fill_some(replace(parent, children=()), 30)
    assert account.exposure() == Exposure(D(30), D(70), D(30), D(0), D(30))


def test_afterwards_they_count_once_as_they_end_each_other():
    account = Bracketed()
    parent = account.bracket(100)
    account.fill(parent)
    assert account.exposure() == Exposure(D(100), D(0), D(100), D(0), D(100))
    account.fill_some(parent.children[1], 40)
    assert account.exposure() == Exposure(D(60), D(0), D(100), D(0), D(100)), "the stop has not been reduced yet"


def test_an_exit_may_stand_beside_a_bracket_even_in_a_halt():
    account = Bracketed()
    account.fill(account.bracket(100))
    account.risk.market.halts[""] = "by hand"
    assert account.order(-100).quantity == 100
    assert code(account.order(-1)) is RejectionCode.HALTED


@pytest.mark.parametrize("exit_of_all", [True, False])
def test_what_protects_ends_when_the_position_is_gone_and_not_before(exit_of_all):
    account = Bracketed()
    parent = account.bracket(100)
    account.trade("b", 5)
    assert list(account.risk.pursue(1, 1.0)) == []
    account.fill(parent)
    assert account.risk.cancels == [], "it waits for its entry, and then protects it"
    account.fill(account.order(-100 if exit_of_all else -60))
    ended = [cancel.intent_id for cancel in account.risk.cancels]
    assert ended == (["i1.stop", "i1.profit"] if exit_of_all else [])


def test_the_orders_of_a_bracket_are_never_on_the_way_to_a_target():
    account = Bracketed()
    account.risk.market.equities["a"] = D(10_000)
    account.fill(account.bracket(100))
    target = account.target(0.0)
    assert (target.side, target.quantity) == (Side.SELL, 100)
    assert account.risk.cancels == [], "what protects is the strategy's own affair"


def test_after_a_bracket_has_ended_its_orders_count_no_more():
    account = Bracketed()
    parent = account.bracket(100)
    account.fill(parent)
    account.fill(parent.children[0])
    account.state.forget("i1.profit")
    assert account.exposure() == Exposure(D(0), D(0), D(0))
