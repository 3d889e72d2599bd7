"""Exits: orders that only reduce, and exits that the account's position supports."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.orders import (
    DISCRETIONARY,
    OrderModification,
    OrderRequest,
    OrderState,
    OrderTicket,
    OrderType,
    Side,
    Signal,
    opening_view,
)
from mats.orders import PreTrade, Rejected
from mats.risk import UNLIMITED, MarketState, RejectionCode, RiskState

D = Decimal
SPY = replace(parse_instrument("SPY"), con_id=7)
PLACE = ("DU1", "SPY")
STOP = OrderTicket(order_type=OrderType.STOP, stop_price=D(90))


class Account:
    """What is held of one instrument, by whom, and a risk manager that knows it."""

    def __init__(self, difference=0, **held):
        market = MarketState(UNLIMITED, "USD", ())
        market.know(SPY)
        market.mark("SPY", 100.0, 0.0)
        market.accounts, market.behind, market.routes = ("DU1",), (), {3}
        self.state = RiskState()
        self.risk = PreTrade(self.state, market, UNLIMITED, lambda strategy: 3)
        self.place = self.state.positions[PLACE]
        for name, quantity in held.items():
            self.trade(name, quantity)
        self.differ(difference)
        self.asked = 0

    def trade(self, name, quantity):
        self.state.book(self.state.seq + 1, self.place, name, D(quantity))

    def differ(self, difference):
        """The broker holds so many more than all books."""
        self.state.differ({PLACE: D(difference)} if difference else {})
        self.risk.market.broken = frozenset({PLACE} if difference else ())

    def order(self, quantity, name="a", **more):
        """A signed quantity."""
        self.asked += 1
        request = OrderRequest(
            intent_id=f"i{self.asked}", strategy=name, instrument="SPY", side=Side.of(D(quantity)), time=0,
            quantity=abs(D(quantity)), **more,
        )  # fmt: skip
        return self.risk.decide(request, 1, 1.0)

    def target(self, strength, name="a"):
        self.asked += 1
        signal = Signal(intent_id=f"i{self.asked}", strategy=name, instrument="SPY", strength=strength, time=0)
        return self.risk.decide(signal, 1, 1.0)

    def fill(self, intent):
        self.state.forget(intent.intent_id)
        self.trade(intent.strategy, intent.quantity * intent.side.sign)
        return list(self.risk.pursue(1, 1.0))


def code(decision):
    assert isinstance(decision, Rejected), decision
    assert decision.order.code == decision.rejection.code
    assert decision.order.note.startswith(f"{decision.rejection.code}: ")
    return decision.rejection.code


# Orders that only reduce


@pytest.mark.parametrize("sign", [1, -1])
def test_an_order_that_only_reduces_is_cut_to_what_is_held(sign):
    account = Account(a=100 * sign)
    assert account.order(-30 * sign, reduce_only=True).quantity == 30
    rest = account.order(-100 * sign, reduce_only=True)
    assert (rest.quantity, rest.reduce_only) == (70, True)
    assert code(account.order(-1 * sign, reduce_only=True)) is RejectionCode.REDUCE_ONLY


def test_it_is_rejected_where_it_would_open_or_add():
    assert code(Account().order(-10, reduce_only=True)) is RejectionCode.REDUCE_ONLY
    rejected = Account(a=100).order(10, reduce_only=True)
    assert code(rejected) is RejectionCode.REDUCE_ONLY
    assert rejected.rejection.text == (
        "a holds 100 SPY, and orders for 0 on this side can fill already: at most 0 more can be bought to reduce it"
    )


def test_a_stop_that_can_fill_as_well_leaves_nothing_to_reduce():
    account = Account(a=100)
    assert account.order(-100, ticket=STOP).quantity == 100
    assert code(account.order(-100, reduce_only=True)) is RejectionCode.REDUCE_ONLY
    assert account.order(-100).quantity == 100, "an exit that does not insist may stand beside the stop"


def test_it_is_not_made_larger_than_what_is_held():
    account = Account(a=100)
    intent = account.order(-60, reduce_only=True)
    account.state.observe(replace(opening_view(intent), state=OrderState.WORKING))

    def change(quantity):
        asked = OrderModification(intent_id=intent.intent_id, strategy="a", time=2, quantity=D(quantity))
        return account.risk.decide_change(asked, 2, 1.0)

    assert code(change(101)) is RejectionCode.REDUCE_ONLY
    assert change(100).quantity == 100


def test_it_is_cancelled_when_what_it_would_close_is_gone():
    account = Account(a=100)
    waiting = account.order(-60, reduce_only=True)
    other = account.order(-40)
    account.fill(other)
    assert account.risk.cancels == [], "60 are held still"
    account.fill(account.order(-10))
    assert [cancel.intent_id for cancel in account.risk.cancels] == [waiting.intent_id]
    account.trade("a", -10)
    assert list(account.risk.pursue(1, 1.0)) == []
    assert len(account.risk.cancels) == 1


def test_an_order_whose_cancel_was_sent_is_not_cancelled_again():
    account = Account(a=100)
    view = replace(opening_view(account.order(-100, reduce_only=True)), state=OrderState.CANCELLING)
    account.state.observe(view)
    account.trade("a", -10)
    assert list(account.risk.pursue(1, 1.0)) == []
    assert account.risk.cancels == []


# Exits and the account


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("elsewhere", ["a trade by hand", "a break"])
def test_after_a_liquidation_an_exit_opens_nothing(sign, elsewhere):
    def liquidated(quantity):
        gone = D(-quantity * sign)
        if elsewhere == "a break":
            return Account(gone, a=100 * sign)
        return Account(a=100 * sign, **{DISCRETIONARY: gone})

    whole = liquidated(100)
    for asked in (whole.order(-100 * sign), whole.order(-1 * sign), whole.order(-150 * sign), whole.target(0.0)):
        assert code(asked) is RejectionCode.BROKER_HOLDS_LESS
    assert code(whole.order(-100 * sign, reduce_only=True)) is RejectionCode.REDUCE_ONLY
    part = liquidated(40)
    assert code(part.order(-61 * sign)) is RejectionCode.BROKER_HOLDS_LESS
    exit_order = part.target(0.0)
    assert (exit_order.quantity, exit_order.side.sign) == (60, -sign), "a target goes as far as it can"
    part.fill(exit_order)
    assert code(part.target(0.0)) is RejectionCode.BROKER_HOLDS_LESS
    assert liquidated(40).order(-100 * sign, reduce_only=True).quantity == 60


def test_opposite_books_of_two_strategies_are_left_in_peace():
    account = Account(a=100, b=-100)
    assert account.order(-100, "a").quantity == 100
    assert account.order(100, "b").quantity == 100


def test_what_was_bought_by_hand_holds_up_no_exit_of_what_is_long():
    account = Account(a=100, **{DISCRETIONARY: D(50)})
    assert account.order(-100).quantity == 100


def test_a_break_that_ends_and_a_transfer_that_settles_it_let_the_exit_go():
    account = Account(-100, a=100)
    assert code(account.order(-100)) is RejectionCode.BROKER_HOLDS_LESS
    account.differ(0)
    assert account.order(-100).quantity == 100
    by_hand = Account(a=100, b=40, **{DISCRETIONARY: D(-100)})
    assert code(by_hand.order(-100)) is RejectionCode.BROKER_HOLDS_LESS
    by_hand.trade(DISCRETIONARY, 100)
    by_hand.trade("a", -100)
    assert by_hand.order(-40, "b").quantity == 40


UNITS = st.integers(-10, 10).map(lambda tens: D(10 * tens))


class Books:
    """The same account by another bookkeeper: what each strategy holds, and has ordered out of."""

    def __init__(self, held, unowned):
        self.held, self.unowned = held, unowned
        self.leaving = dict.fromkeys(held, D(0))

    def left(self, name):
        return self.held[name] - self.leaving[name]

    def broker(self, side):
        """What the broker holds if all exits on one side fill and none on the other."""
        return self.unowned + sum(q - self.leaving[n] * (q * side < 0) for n, q in self.held.items())

    def opens(self, name, quantity):
        """Whether an exit could carry the account beyond zero, and beyond what the other strategies keep."""
        side = 1 if quantity > 0 else -1
        others = sum(q - self.leaving[n] * (q * side < 0) for n, q in self.held.items() if n != name)
        after = self.broker(side) + quantity
        return after * side > max(D(0), others * side)


@settings(max_examples=400, deadline=None)
@given(
    held=st.lists(UNITS, min_size=1, max_size=3),
    by_hand=UNITS,
    difference=UNITS,
    wanted=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12), st.booleans()), max_size=8),
)
def test_exits_that_may_all_fill_open_nothing_and_are_held_up_for_no_other_reason(held, by_hand, difference, wanted):
    names = "abc"[: len(held)]
    books = Books(dict(zip(names, held, strict=True)), by_hand + difference)
    account = Account(difference, **books.held, **{DISCRETIONARY: by_hand})
    for number, tens, reduce_only in wanted:
        name = names[number % len(names)]
        left = books.left(name)
        quantity = min(D(10 * tens), abs(left)) * (-1 if left > 0 else 1)
        if not quantity:
            continue
        decision = account.order(quantity, name, reduce_only=reduce_only)
        if isinstance(decision, Rejected):
            assert books.opens(name, quantity / abs(quantity) if reduce_only else quantity)
            continue
        sent = decision.quantity * decision.side.sign
        assert not books.opens(name, sent)
        assert sent == quantity or books.opens(name, sent + decision.side.sign)
        books.leaving[name] += -sent
