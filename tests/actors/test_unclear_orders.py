"""Orders whose end the broker does not say: each doubt is acted upon and ended, and the strategy trades again."""

import pytest
from msgspec.structs import replace

from actors.messages.broker import CancelOrder, NotSent, OrderEvents
from actors.messages.fill_log import ApplyEntries
from actors.messages.order_manager import (
    ALL,
    AllOrders,
    OrderChanged,
    OrderSettled,
    ReadOrders,
    SettlementRefused,
    SettleOrder,
    SubmitIntent,
    SubscribeAllOrders,
    SubscribeOrders,
)
from mats.model import (
    BrokerError,
    BrokerOrderStatus,
    BrokerStatus,
    CancelRequest,
    OrderDoubt,
    OrderErrorMeaning,
    OrderState,
)
from tests.actors.samples import a_fill, a_snapshot, an_intent, at_broker
from tests.actors.test_order_manager import D, World, start

INACTIVE = BrokerOrderStatus.INACTIVE
SPAN = 60.0
"""Seconds for which answers must agree."""


class Unclear(World):
    """With one order that the broker has acknowledged."""

    def answers(self, *open_orders, after=0.0, **more):
        """The broker's complete answer, asked for `after` so many seconds."""
        self.runtime.advance(after)
        ready = self._a_ready(self.connection, "1", 0)
        now = self.runtime.clock.monotonic()
        self.tell(replace(ready, client_id=1, replay=a_snapshot(*open_orders), asked_at=now, **more))

    def parks(self, order_id):
        """The broker parks the order without a word."""
        status = BrokerStatus(
            client_id=1, order_id=order_id, perm_id=7, status=INACTIVE, status_text="Inactive", filled=D(0),
            remaining=D(10), average_price=D(0),
        )  # fmt: skip
        self.tell(OrderEvents(1, "1", (status,)))

    def refuses(self, order_id, code, text="no such luck", meaning=OrderErrorMeaning.UNCLEAR):
        self.tell(OrderEvents(1, "1", (BrokerError(request_id=order_id, code=code, text=text, meaning=meaning),)))

    def order(self, name="i1"):
        """As the order manager has it; as the journal has it where it has ended."""
        for view in self.ref.ask(ReadOrders(), timeout=1.0):
            if view.intent_id == name:
                return view
        self.runtime.advance(2.0)
        return self.journaled(name).view

    def settle(self, state=OrderState.CANCELLED, reason="settled by an operator", name="i1"):
        answer = self.ref.ask(SettleOrder(intent_id=name, state=state, reason=reason), timeout=1.0)
        self.runtime.run_until_idle()
        return answer


@pytest.fixture
def world(runtime, journal_path, a_ready, received):
    made = Unclear(runtime, journal_path, a_ready, received)
    made.connect()
    made.tell(SubscribeOrders("trend", made.strategy.ref))
    made.order_id = made.work()
    runtime.advance(5.0)
    made.forget()
    return made


# What the broker has in no list


def test_an_order_in_no_list_is_cancelled_once_the_answers_agree_for_the_span(world):
    world.answers()
    assert (world.order().state, world.order().doubt) == (OrderState.UNKNOWN, OrderDoubt.UNLISTED)
    world.answers(after=SPAN - 1)
    assert world.order().state is OrderState.UNKNOWN
    world.answers(after=1.0)
    for informed in (world.risk, world.store, world.strategy):
        assert world.states(informed)[-1] is OrderState.CANCELLED
    assert world.order().note == "not at the broker: in none of its lists for 60 s, and no execution"
    assert world.order().doubt is OrderDoubt.SETTLED


def test_the_answer_that_completes_the_span_counts_however_soon_it_follows_another(world):
    world.answers()
    world.answers(after=SPAN - 0.1)
    assert world.order().state is OrderState.UNKNOWN
    world.answers(after=0.1)
    assert world.order().state is OrderState.CANCELLED


def test_cancels_that_find_no_order_do_not_start_the_proof_again(world):
    world.answers()
    world.answers(after=30.0)
    world.refuses(world.order_id, 10147, "OrderId that needs to be cancelled is not found.")
    assert (world.order().state, world.order().doubt) == (OrderState.UNKNOWN, OrderDoubt.UNLISTED)
    world.answers(after=SPAN - 30.0)
    assert world.order().state is OrderState.CANCELLED
    assert world.order().note.endswith("(before: 10147: OrderId that needs to be cancelled is not found.)")


def test_an_answer_that_has_it_starts_the_proof_again(world):
    world.answers()
    world.answers(at_broker(world.order_id), after=30.0)
    assert (world.order().state, world.order().doubt) == (OrderState.WORKING, OrderDoubt.NONE)
    world.answers(after=29.0)
    world.answers(after=SPAN - 1)
    assert world.order().state is OrderState.UNKNOWN
    world.answers(after=1.0)
    assert world.order().state is OrderState.CANCELLED


def test_what_was_answered_without_the_link_to_the_broker_proves_nothing(world):
    world.answers(linked=False)
    assert world.order().state is OrderState.WORKING
    world.answers()
    world.answers(after=SPAN, linked=False)
    assert world.order().state is OrderState.UNKNOWN


def test_an_order_that_had_not_left_is_missed_by_nobody(world):
    world.submit("i2")
    for _ in range(3):
        world.answers(at_broker(world.order_id), after=20.0, unsent=frozenset({"i2"}))
    assert world.order("i2").state is OrderState.SENT
    world.tell(CancelRequest(intent_id="i2", strategy="trend", time=0))
    world.tell(NotSent("i2", "it was cancelled before it was sent"))
    assert world.order("i2").state is OrderState.CANCELLED
    assert world.order("i2").note == "not sent: it was cancelled before it was sent"


def test_a_partial_fill_during_the_proof_counts_and_the_rest_is_cancelled(world):
    world.answers()
    world.tell(ApplyEntries((a_fill(1, quantity=4),)))
    world.answers(after=SPAN)
    order = world.order()
    assert (order.state, order.filled) == (OrderState.CANCELLED, D(4))


# What the broker parks


def test_an_order_that_is_parked_without_a_word_is_cancelled_at_the_broker_and_counts_until_it_confirms(world):
    world.parks(world.order_id)
    parked = at_broker(world.order_id, INACTIVE)
    world.answers(parked)
    assert (world.order().state, world.order().doubt) == (OrderState.UNKNOWN, OrderDoubt.INACTIVE)
    assert world.received(world.line, CancelOrder) == []
    world.answers(parked, after=SPAN)
    assert world.received(world.line, CancelOrder) == [CancelOrder(session="1", order_id=world.order_id)]
    assert world.order().state is OrderState.UNKNOWN
    world.answers(parked, after=5.0)
    assert world.received(world.line, CancelOrder) == []
    world.answers(parked, after=SPAN)
    assert len(world.received(world.line, CancelOrder)) == 1, "and again after another span"
    world.tell(OrderEvents(1, "1", (at_broker(world.order_id, BrokerOrderStatus.CANCELLED),)))
    assert world.states(world.strategy)[-1] is OrderState.CANCELLED


def test_one_that_is_parked_and_then_in_no_list_ends_as_not_at_the_broker(world):
    world.parks(world.order_id)
    world.answers()
    world.answers(after=SPAN)
    assert world.order().state is OrderState.CANCELLED


def test_one_that_is_parked_and_comes_back_works(world):
    world.parks(world.order_id)
    world.tell(OrderEvents(1, "1", (at_broker(world.order_id),)))
    assert (world.order().state, world.order().doubt) == (OrderState.WORKING, OrderDoubt.NONE)


# What the broker refuses


def test_the_first_words_of_a_refusal_outlast_the_empty_ones_that_follow(world):
    world.refuses(world.order_id, 201, "Order rejected - reason:margin", OrderErrorMeaning.REJECTED)
    world.parks(world.order_id)
    assert world.order().said == "201: Order rejected - reason:margin"
    world.tell(OrderEvents(1, "1", (at_broker(world.order_id, BrokerOrderStatus.CANCELLED),)))
    assert (world.order().state, world.order().note) == (OrderState.CANCELLED, "201: Order rejected - reason:margin")


def test_a_new_order_that_is_refused_with_an_unknown_code_is_rejected_with_the_words_of_the_broker(world):
    order_id = world.submit("i2")
    world.refuses(order_id, 9999)
    assert (world.order("i2").state, world.order("i2").doubt) == (OrderState.UNKNOWN, OrderDoubt.REFUSED)
    world.answers(at_broker(world.order_id), after=5.0)
    world.answers(at_broker(world.order_id), after=5.0)
    order = world.order("i2")
    assert (order.state, order.note) == (OrderState.REJECTED, "not at the broker, which said 9999: no such luck")


def test_a_working_order_that_is_refused_with_an_unknown_code_is_what_the_next_answer_says(world):
    world.refuses(world.order_id, 9999)
    assert world.order().said == "9999: no such luck"
    world.answers(at_broker(world.order_id))
    assert (world.order().state, world.order().said) == (OrderState.WORKING, "")


# What an operator says


def test_an_operator_ends_an_unknown_order_and_a_restart_remembers_it(world):
    world.answers()
    assert isinstance(world.settle(reason="TWS has no such order"), OrderSettled)
    assert world.states(world.strategy)[-1] is OrderState.CANCELLED
    assert world.journaled().view.state is OrderState.CANCELLED, "before anything else is saved"
    world.crash()
    start(world.runtime, world.journal_path)
    world.tell(SubscribeAllOrders(ALL, world.risk.ref))
    assert world.received(world.risk, AllOrders) == [AllOrders(())]


@pytest.mark.parametrize(("name", "why"), [("i1", "is WORKING"), ("nobody", "there is no order nobody")])
def test_what_is_not_unknown_is_not_settled(world, name, why):
    answer = world.settle(name=name)
    assert isinstance(answer, SettlementRefused)
    assert why in answer.reason
    assert world.order().state is OrderState.WORKING


def test_what_has_ended_is_not_settled(world):
    world.answers()
    world.settle()
    assert "nothing to settle" in world.settle(OrderState.FILLED).reason


def test_an_execution_that_comes_after_all_is_booked_and_the_order_counts_again(world):
    world.answers()
    world.settle()
    world.tell(ApplyEntries((a_fill(1, quantity=4),)))
    order = world.order()
    assert (order.state, order.doubt, order.filled) == (OrderState.UNKNOWN, OrderDoubt.CONTRADICTED, D(4))
    assert order.note == "settled as CANCELLED before, and executed after all: 4 of 10"
    world.tell(ApplyEntries((a_fill(2, quantity=6),)))
    assert (world.order().state, world.order().filled) == (OrderState.FILLED, D(10))


def test_an_execution_of_all_of_an_order_that_was_settled_as_filled_fills_it_once(world):
    world.answers()
    world.settle(OrderState.FILLED)
    assert world.order().filled == D(0), "executions alone are fills"
    world.tell(ApplyEntries((a_fill(1),)))
    order = world.order()
    assert (order.state, order.filled) == (OrderState.FILLED, D(10))
    assert order.note == "settled as FILLED before, and executed after all"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_settled_order_that_the_broker_lists_as_open_counts_again(world, restarted):
    world.answers()
    world.settle()
    if restarted:
        world.crash()
        world.ref = start(world.runtime, world.journal_path)
        world.connect("2")
        world.tell(SubscribeAllOrders(ALL, world.risk.ref))
        world.forget()
    world.answers(at_broker(world.order_id), after=5.0)
    assert (world.order().state, world.order().doubt) == (OrderState.UNKNOWN, OrderDoubt.CONTRADICTED)
    assert world.received(world.risk, OrderChanged)
    world.answers(at_broker(world.order_id), after=5.0)
    assert world.order().state is OrderState.WORKING


def test_a_strategy_sends_new_orders_after_the_settlement(world):
    world.answers()
    world.settle()
    world.forget()
    world.tell(SubmitIntent(an_intent("i2")))
    assert world.states(world.strategy) == [OrderState.SENT]
