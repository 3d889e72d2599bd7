"""A strategy's desk: the newest book wins, whatever order the news of it come in."""

from decimal import Decimal

import pytest

from mats.model.orders import CancelRequest, OrderModification, OrderState
from mats.strategy.host import Position
from mats.strategy.hosting.local_host import LocalHost

D = Decimal


def position(quantity, instrument="SPY"):
    return Position(instrument=instrument, quantity=D(quantity), average_price=D(10))


@pytest.fixture
def sent():
    return []


@pytest.fixture
def desk(sent):
    return LocalHost(sent.append, lambda: "i7", lambda: 42, lambda level, text: sent.append((level, text)))


def test_an_empty_desk_is_flat_idle_and_knows_no_equity(desk):
    assert desk.position("SPY") == Position(instrument="SPY")
    assert (dict(desk.positions()), dict(desk.working_orders()), desk.equity()) == ({}, {}, None)


def test_a_book_replaces_all_that_was_held(desk):
    desk.take_book([position(5), position(1, "QQQ")], D(100), 3)
    desk.take_book([position(4), position(0, "IBM")], D(90), 8)
    assert desk.positions() == {"SPY": position(4)}
    assert desk.equity() == D(90)


def test_a_position_after_the_book_counts(desk):
    desk.take_book([position(5)], None, 3)
    assert desk.take_position(position(6), 4)
    assert desk.position("SPY").quantity == D(6)


def test_a_book_of_an_owner_that_was_set_back_changes_no_position(desk):
    desk.take_book([position(5)], None, 3)
    assert not desk.take_book([position(4)], D(7), 2)
    assert (desk.position("SPY").quantity, desk.equity()) == (D(5), D(7))
    assert not desk.take_position(position(5), 3)
    assert desk.take_book([position(6)], None, 3)


@pytest.mark.parametrize("seq", [2, 3])
def test_a_position_that_the_book_contains_already_changes_nothing(desk, seq):
    desk.take_book([position(5)], None, 3)
    assert not desk.take_position(position(4), seq)
    assert desk.position("SPY").quantity == D(5)


def test_the_same_position_told_twice_is_news_once(desk):
    desk.take_book([], None, 3)
    assert [desk.take_position(position(6), 4) for _ in range(2)] == [True, False]


def test_a_flat_position_is_not_among_the_positions(desk):
    desk.take_book([position(5)], None, 3)
    desk.take_position(position(0), 4)
    assert desk.positions() == {}
    assert desk.position("SPY").quantity == D(0)


def test_a_newer_equity_also_an_unknown_one_replaces_the_older(desk):
    desk.take_equity(D(7))
    assert desk.equity() == D(7)
    desk.take_equity(None)
    assert desk.equity() is None


def test_orders_are_on_the_desk_while_they_can_fill(desk, view):
    desk.take_orders([view("i1"), view("i2")])
    desk.take_order(view("i3", OrderState.UNKNOWN))
    desk.take_order(view("i1", OrderState.FILLED))
    desk.take_order(view("i9", OrderState.CANCELLED))
    assert list(desk.working_orders()) == ["i2", "i3"]
    desk.take_orders([])
    assert desk.working_orders() == {}


def test_wishes_go_out_as_they_are_and_the_rest_is_asked_of_the_owner(desk, sent):
    cancel = CancelRequest(intent_id="i1", strategy="s", time=1)
    change = OrderModification(intent_id="i1", strategy="s", time=1, quantity=D(3))
    desk.cancel(cancel)
    desk.modify(change)
    desk.log("info", "hello")
    assert sent == [cancel, change, ("info", "hello")]
    assert (desk.now(), desk.mint()) == (42, "i7")
