"""The whole daemon in virtual time with orders whose end the broker never says: each ends, and nothing is lost."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages.order_manager import OrderSettled, SettleOrder
from mats.model import OrderIntent, OrderState, order_ref
from mats.orders import Rejected
from mats.venue.matching.orders import VenueOrder
from tests.simulation.trading import Trading, way_in

D = Decimal
SPAN = 60.0
"""Seconds for which the broker's answers must agree."""


class Doubtful(Trading):
    """With a resting order of a strategy that holds something."""

    def rest(self) -> OrderIntent:
        self.boot()
        self.advance(60.0)
        self.book = self.held()
        intent = self.order(self.book, way_in(self.book), D(1), limit=self.far(self.book))
        assert isinstance(intent, OrderIntent), intent
        self.advance(1.0)
        assert self.state(intent) is OrderState.WORKING
        return intent

    def at_broker(self, intent: OrderIntent) -> VenueOrder:
        reference = order_ref(intent.strategy, intent.intent_id)
        return next(order for order in self.world.broker.orders.values() if order.order_ref == reference)

    def vanish(self, intent: OrderIntent) -> VenueOrder:
        """The broker has it in no list any more, and says nothing; a cancel finds that out."""
        order = self.at_broker(intent)
        del self.world.broker.orders[order.client_id, order.order_id]
        self.world.broker.exchange.remove(order)
        self.cancel(intent)
        self.advance(8.0)
        assert self.state(intent) is OrderState.UNKNOWN
        return order

    def takes_risk(self) -> bool:
        """Whether the strategy may add to what it holds there."""
        decision = self.order(self.book, way_in(self.book), D(1), limit=self.far(self.book))
        if isinstance(decision, Rejected):
            assert decision.rejection.code == "UNKNOWN_ORDER", decision
            return False
        self.cancel(decision)
        return True


@pytest.fixture
def trading(folder: Path) -> Iterator[Doubtful]:
    made = Doubtful(folder)
    yield made
    made.world.journal.close()


def test_an_order_that_vanishes_ends_by_proof_and_its_strategy_trades_again(trading: Doubtful) -> None:
    intent = trading.rest()
    trading.vanish(intent)
    assert not trading.takes_risk()
    trading.advance(SPAN + 10.0)
    assert trading.state(intent) is OrderState.CANCELLED
    assert trading.takes_risk()
    trading.settle_and_prove()


def test_one_that_is_parked_without_a_word_and_is_in_no_list_ends_so_too(trading: Doubtful) -> None:
    intent = trading.rest()
    order = trading.at_broker(intent)
    trading.world.broker.exchange.remove(order)
    order.status = "Inactive"
    trading.world.broker._tell_order(order)
    del trading.world.broker.orders[order.client_id, order.order_id]
    trading.advance(8.0)
    assert trading.state(intent) is OrderState.UNKNOWN
    assert not trading.takes_risk()
    trading.advance(SPAN + 10.0)
    assert trading.state(intent) is OrderState.CANCELLED
    assert trading.takes_risk()
    trading.settle_and_prove()


def test_an_execution_of_an_order_that_an_operator_settled_is_booked_once_also_over_a_power_cut(
    trading: Doubtful,
) -> None:
    intent = trading.rest()
    order = trading.vanish(intent)
    question = SettleOrder(intent_id=intent.intent_id, state=OrderState.CANCELLED, reason="settled by an operator")
    assert isinstance(trading.world.names.orders.ask(question, timeout=5.0), OrderSettled)
    assert trading.takes_risk()
    trading.lose_power()
    trading.advance(30.0)
    assert trading.state(intent) is OrderState.CANCELLED
    trading.world.broker.exchange.register(order)
    price = trading.world.broker.exchange.mark(order.instrument)
    trading.world.broker.book(trading.world.broker.exchange.force_fill(order, D(1), price))
    trading.advance(10.0)
    assert trading.state(intent) is OrderState.FILLED
    trading.settle_and_prove()
