"""A split or an expiry that the broker does not show, because strategies hold it against each other."""

from decimal import Decimal

import pytest

from mats.ledger.reconciliation.adjustments import CauseMismatch
from mats.ledger.reconciliation.break_causes import ExpiryCause, SplitCause
from mats.ledger.reconciliation.netted_actions import NettedAction, netted_change

D = Decimal
FUTURE = "ES:20140613"


def booked(log, action, breaks=()):
    change = netted_change(NettedAction(action=action, reason="the exchange said so"), log.books(), breaks)
    log.settle(change.adjustments)
    books = {book.strategy: book for book in log.books()}
    assert all(books[book.strategy].quantity == book.quantity for book in change.after)
    assert all(books[book.strategy].cost == book.cost for book in change.after)
    assert all(books[book.strategy].realized == book.realized for book in change.after)
    return books


def test_a_split_multiplies_both_sides_at_the_cost_they_had_and_nets_to_zero(log):
    log.fill("100", "645", "trend", instrument="AAPL")
    log.fill("-100", "650", "revert", instrument="AAPL")
    books = booked(log, SplitCause("AAPL", 7, 1))
    assert {name: (book.quantity, book.cost) for name, book in books.items()} == {
        "trend": (D(700), D(64500)), "revert": (D(-700), D(-65000)),
    }  # fmt: skip
    assert log.entries[-1].reason == "a 7:1 split of AAPL: the exchange said so"


def test_fractions_of_a_reverse_split_still_net_to_zero(log):
    log.fill("1", "10", "a", instrument="AAPL")
    log.fill("1", "10", "b", instrument="AAPL")
    log.fill("-2", "10", "c", instrument="AAPL")
    books = booked(log, SplitCause("AAPL", 1, 3))
    assert [books[name].quantity for name in "abc"] == [D("0.33333333"), D("0.33333333"), D("-0.66666666")]


def test_an_expiry_settles_both_sides_at_the_price_and_their_results_cancel_but_for_their_entries(log):
    log.fill("2", "5000", "trend", instrument=FUTURE, multiplier="50")
    log.fill("-2", "5020", "revert", instrument=FUTURE, multiplier="50")
    books = booked(log, ExpiryCause(FUTURE, D(5010)))
    assert {name: (book.quantity, book.cost, book.realized) for name, book in books.items()} == {
        "trend": (D(0), D(0), D(1000)), "revert": (D(0), D(0), D(1000)),
    }  # fmt: skip


def test_what_the_broker_shows_is_no_business_of_it(log):
    with pytest.raises(CauseMismatch, match="no book holds AAPL"):
        booked(log, SplitCause("AAPL", 7, 1))
    log.fill("100", "645", "trend", instrument="AAPL")
    log.fill("-90", "650", "revert", instrument="AAPL")
    with pytest.raises(CauseMismatch, match=r"the books of DU1 hold 10 AAPL in total.*mats breaks answer"):
        booked(log, SplitCause("AAPL", 7, 1))
    log.fill("-10", "650", "revert", instrument="AAPL")
    with pytest.raises(CauseMismatch, match="invalid split ratio 7:7"):
        booked(log, SplitCause("AAPL", 7, 7))
