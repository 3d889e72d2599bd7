"""A strategy's host: the newest book wins, in whatever order the updates come."""

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
def host(sent):
    return LocalHost(sent.append, lambda: "i7", lambda: 42, lambda level, text: sent.append((level, text)))


def test_an_empty_host_is_flat_idle_and_knows_no_equity(host):
    assert host.position("SPY") == Position(instrument="SPY")
    assert (dict(host.positions()), dict(host.working_orders()), host.equity()) == ({}, {}, None)


def test_a_book_replaces_all_that_was_held(host):
    host.take_book([position(5), position(1, "QQQ")], D(100), 3)
    host.take_book([position(4), position(0, "IBM")], D(90), 8)
    assert host.positions() == {"SPY": position(4)}
    assert host.equity() == D(90)


def test_a_position_after_the_book_counts(host):
    host.take_book([position(5)], None, 3)
    assert host.take_position(position(6), 4)
    assert host.position("SPY").quantity == D(6)


def test_a_book_of_an_owner_that_was_set_back_changes_no_position(host):
    host.take_book([position(5)], None, 3)
    assert not host.take_book([position(4)], D(7), 2)
    assert (host.position("SPY").quantity, host.equity()) == (D(5), D(7))
    assert not host.take_position(position(5), 3)
    assert host.take_book([position(6)], None, 3)


@pytest.mark.parametrize("seq", [2, 3])
def test_a_position_that_the_book_contains_already_changes_nothing(host, seq):
    host.take_book([position(5)], None, 3)
    assert not host.take_position(position(4), seq)
    assert host.position("SPY").quantity == D(5)


def test_the_same_position_told_twice_is_news_once(host):
    host.take_book([], None, 3)
    assert [host.take_position(position(6), 4) for _ in range(2)] == [True, False]


def test_a_flat_position_is_not_among_the_positions(host):
    host.take_book([position(5)], None, 3)
    host.take_position(position(0), 4)
    assert host.positions() == {}
    assert host.position("SPY").quantity == D(0)


def test_a_newer_equity_also_an_unknown_one_replaces_the_older(host):
    host.take_equity(D(7))
    assert host.equity() == D(7)
    host.take_equity(None)
    assert host.equity() is None


def test_orders_are_on_the_host_while_they_can_fill(host, view):
    host.take_orders([view("i1"), view("i2")])
    host.take_order(view("i3", OrderState.UNKNOWN))
    host.take_order(view("i1", OrderState.FILLED))
    host.take_order(view("i9", OrderState.CANCELLED))
    assert list(host.working_orders()) == ["i2", "i3"]
    host.take_orders([])
    assert host.working_orders() == {}


def test_wishes_go_out_as_they_are_and_the_rest_is_asked_of_the_owner(host, sent):
    cancel = CancelRequest(intent_id="i1", strategy="s", time=1)
    change = OrderModification(intent_id="i1", strategy="s", time=1, quantity=D(3))
    host.cancel(cancel)
    host.modify(change)
    host.log("info", "hello")
    assert sent == [cancel, change, ("info", "hello")]
    assert (host.now(), host.mint()) == (42, "i7")
