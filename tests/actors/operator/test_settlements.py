"""An operator settles an order: it ends first, and then its strategy gets what filled, if the operator says so."""

from decimal import Decimal
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from actors.messages.order_manager import OrderSettled, SettlementRefused
from actors.operator import settlements
from actors.operator.queries import CommandRefused
from actors.operator.settlements import SettlementOperation
from mats.model import DISCRETIONARY, OrderState, Side
from mats.operator import protocol
from tests.actors.samples import a_view

D = Decimal


class Desk:
    """What the order manager was asked, what it answers, and which transfers were booked."""

    def __init__(self, monkeypatch):
        self.asked, self.moves, self.refusal, self.held = [], [], "", D(0)
        self.transfer_refusal = ""
        monkeypatch.setattr(settlements, "ask", self._ask)
        monkeypatch.setattr(settlements, "TransferOperation", lambda refs, operator: SimpleNamespace(book=self._book))
        self.operation = SettlementOperation(SimpleNamespace(orders=None), SimpleNamespace(queries=self))

    def _ask(self, _actor, question, _who, _seconds):
        self.asked.append(question)
        return SettlementRefused(self.refusal) if self.refusal else OrderSettled(a_view(question.state))

    def _book(self, move, strategies):
        if self.transfer_refusal:
            raise CommandRefused(self.transfer_refusal)
        self.moves.append((move, strategies))
        return protocol.Done(text="A7 is booked")

    def portfolio(self):
        book = SimpleNamespace(strategy=DISCRETIONARY, account="DU1", instrument="SPY", quantity=self.held)
        return SimpleNamespace(books=(book,))

    def settle(self, outcome, quantity=None, price=None, order=None):
        command = protocol.SettleOrderRequest(
            intent="i1", outcome=outcome, quantity=quantity, price=price, reason="as in the statement"
        )
        return self.operation.settle(command, order or a_view(OrderState.UNKNOWN)).text


@pytest.fixture
def desk(monkeypatch):
    return Desk(monkeypatch)


def test_cancelled_ends_the_order_and_moves_nothing(desk):
    assert desk.settle("cancelled") == "order i1 is CANCELLED; trend trades SPY again"
    (question,) = desk.asked
    assert (question.intent_id, question.state) == ("i1", OrderState.CANCELLED)
    assert question.reason == "settled by an operator as cancelled: as in the statement"
    assert desk.moves == []


def test_filled_alone_ends_the_order_and_says_how_its_strategy_gets_the_quantity(desk):
    text = desk.settle("filled")
    assert desk.asked[0].state is OrderState.FILLED
    assert "no book is changed" in text
    assert "`mats books assign --from Discretionary --to trend --instrument SPY --quantity 10` moves it" in text


def test_with_a_price_the_quantity_is_moved_from_discretionary(desk):
    desk.held = D(10)
    text = desk.settle("filled", price=D("512.31"))
    ((move, strategies),) = desk.moves
    assert (move.giver, move.taker, move.quantity, move.price) == (DISCRETIONARY, "trend", D(10), D("512.31"))
    assert strategies == ("trend",)
    assert text == "order i1 is FILLED; trend trades SPY again; A7 is booked"


def test_less_than_the_rest_leaves_it_cancelled_with_what_filled(desk):
    desk.held = D(-4)
    order = replace(a_view(OrderState.UNKNOWN, side=Side.SELL), filled=D(3))
    desk.settle("filled", quantity=D(4), order=order)
    assert desk.asked[0].state is OrderState.CANCELLED
    assert "4 of 10 without an execution" in desk.asked[0].reason
    assert desk.moves[0][0].quantity == D(4)


@pytest.mark.parametrize("held", [D(0), D(-10), D(9)])
def test_nothing_is_moved_that_discretionary_does_not_hold_on_that_side(desk, held):
    desk.held = held
    assert f"because Discretionary holds {held:f}" in desk.settle("filled", quantity=D(10))
    assert desk.moves == []


def test_a_transfer_that_is_refused_leaves_the_order_settled_and_says_so(desk):
    desk.held, desk.transfer_refusal = D(10), "the books differ from the broker"
    text = desk.settle("filled", quantity=D(10))
    assert text.startswith("order i1 is FILLED")
    assert "no book is changed (the books differ from the broker)" in text


@pytest.mark.parametrize(
    ("outcome", "quantity", "price"),
    [("cancelled", D(1), None), ("cancelled", None, D(5)), ("filled", D(11), None), ("filled", D(0), None),
     ("filled", D("nan"), None), ("filled", None, D("inf"))],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_the_order_ends(desk, outcome, quantity, price):
    with pytest.raises(CommandRefused):
        desk.settle(outcome, quantity, price)
    assert desk.asked == []


def test_the_refusal_of_the_order_manager_is_the_answer(desk):
    desk.refusal, desk.held = "order i1 is WORKING", D(10)
    with pytest.raises(CommandRefused, match="order i1 is WORKING"):
        desk.settle("filled", price=D(5))
    assert desk.moves == []
