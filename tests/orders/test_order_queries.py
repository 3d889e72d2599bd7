"""Questions to the broker: about whom, and not too often."""

from decimal import Decimal

from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.orders import OrderIntent, OrderState, OrderTicket, Side, opening_view
from mats.orders.order_queries import ANSWER_SECONDS, PAUSE_SECONDS, OrderQueries
from mats.orders.registry import Order


def order(name: str, state: OrderState, client_id: int = 1, waits_since: float = 0.0) -> Order:
    intent = OrderIntent(
        intent_id=name,
        strategy="s",
        account="DU1",
        instrument=parse_instrument("SPY"),
        side=Side.BUY,
        quantity=Decimal(1),
        ticket=OrderTicket(),
        time=0,
    )
    view = replace(opening_view(intent), state=state, client_id=client_id)
    return Order(intent, view, waits_since=waits_since)


def test_an_unknown_order_is_asked_about_and_a_working_one_is_not() -> None:
    inquiries = OrderQueries()
    inquiries.review([order("a", OrderState.UNKNOWN, 3), order("b", OrderState.WORKING, 4)], now=0.0)
    assert inquiries.take_due({3, 4}, 0.0) == [3]


def test_an_unanswered_order_or_cancel_is_asked_about_when_its_time_is_over() -> None:
    for state in (OrderState.SENT, OrderState.CANCELLING):
        inquiries, waiting = OrderQueries(), order("a", state, waits_since=100.0)
        inquiries.review([waiting], now=100.0 + ANSWER_SECONDS)
        assert inquiries.take_due({1}, 0.0) == []
        inquiries.review([waiting], now=100.1 + ANSWER_SECONDS)
        assert inquiries.take_due({1}, 0.0) == [1]


def test_one_question_serves_all_orders_of_a_connection_and_the_next_one_has_to_wait() -> None:
    inquiries = OrderQueries()
    inquiries.ask(order("a", OrderState.UNKNOWN).view)
    inquiries.ask(order("b", OrderState.UNKNOWN).view)
    assert inquiries.take_due({1}, 50.0) == [1]
    assert inquiries.take_due({1}, 99.0) == []
    inquiries.ask(order("a", OrderState.UNKNOWN).view)
    assert inquiries.take_due({1}, 50.0 + PAUSE_SECONDS - 0.1) == []
    assert inquiries.take_due({1}, 50.0 + PAUSE_SECONDS) == [1]


def test_a_question_waits_for_its_connection_and_ends_with_its_answer() -> None:
    inquiries, asked = OrderQueries(), order("a", OrderState.UNKNOWN, 7)
    inquiries.ask(asked.view)
    assert inquiries.take_due({1}, 0.0) == []
    inquiries.answered(asked.view)
    assert inquiries.take_due({7}, 0.0) == []
