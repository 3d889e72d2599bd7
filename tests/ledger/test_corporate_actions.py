"""Splits, new symbols, expiries and exercises: recognized as what they are, asked where a person must say, and booked
to those who held them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ledger.reconciliation.break_causes import (
    ExerciseCause,
    ExpiryCause,
    Residual,
    SplitCause,
    SymbolChangeCause,
)
from mats.ledger.reconciliation.breaks import BreakState, describe
from mats.ledger.reconciliation.comparison import aggregate
from mats.ledger.reconciliation.reconcile import AnswerRefused, Reconciliation
from mats.model.broker_reports import BrokerPosition
from mats.model.timestamp import DAY, SECOND

D = Decimal
CALL = "AAPL  140613C00645000"
PUT = "AAPL  140613P00645000"
BEFORE_EXPIRY, AFTER_EXPIRY = 16_233 * DAY, 16_235 * DAY  # 2014-06-12 and 2014-06-14


def held(quantity, instrument="AAPL", cost="10", multiplier="1", con_id=0):
    return BrokerPosition(
        account="DU1",
        instrument=instrument,
        quantity=D(quantity),
        average_cost=D(cost),
        multiplier=D(multiplier),
        con_id=con_id,
    )


class Office:
    """A reconciliation over a log, looking every ten seconds, with a grace of one."""

    def __init__(self, log, start=0):
        self.log, self.start, self.seconds = log, start, 0
        self.reconciliation = Reconciliation(1.0, log.newest)

    def compare(self, *positions):
        self.seconds += 10
        self.positions = {(p.account, p.instrument): p for p in aggregate(positions)}
        now = self.start + self.seconds * SECOND
        books = self.log.books()
        self.outcome = self.reconciliation.compare(books, self.positions.values(), ["DU1"], now, self.seconds)
        for group in self.outcome.adjustments:
            self.log.settle(group)
        return self.outcome.open

    def compare_twice(self, *positions):
        self.compare(*positions)
        return self.compare(*positions)

    def answer(self, found, action):
        return self.reconciliation.answer(found.id, action, self.log.books(), self.positions)

    def holds(self, instrument="AAPL"):
        books = self.log.books().of_instrument("DU1", instrument)
        return {book.strategy: (book.quantity, book.cost) for book in books if book.quantity}

    def realized(self):
        return sum(book.realized for book in self.log.books())


@pytest.fixture
def reconciler(log):
    return Office(log)


@pytest.fixture
def late(log):
    return Office(log, AFTER_EXPIRY)


# Splits


def test_a_split_is_a_question_and_takes_no_blind_adjustment(reconciler, log):
    log.fill("100", "645", instrument="AAPL")
    reconciler.compare(held(100, cost="645"))
    for _ in range(5):
        (found,) = reconciler.compare(held(700, cost="92.14"))
    assert (found.state, found.suspects) == (BreakState.QUESTION, (SplitCause("AAPL", 7, 1),))
    assert len(log.entries) == 1
    assert "may be a 7:1 split of AAPL" in describe(found, 60 * SECOND)


def test_an_answered_split_multiplies_each_holder_and_keeps_what_each_paid(reconciler, log):
    log.fill("100", "645", "trend", instrument="AAPL")
    log.fill("-30", "650", "revert", instrument="AAPL")
    reconciler.compare(held(70, cost="645"))
    (found,) = reconciler.compare_twice(held(490, cost="92.14"))
    reconciler.answer(found, SplitCause("AAPL", 7, 1))
    reconciler.compare(held(490, cost="92.14"))
    assert reconciler.holds() == {"trend": (D(700), D(64500)), "revert": (D(-210), D(-19500))}
    assert reconciler.realized() == 0
    assert reconciler.compare(held(490, cost="92.14")) == ()
    (closed,) = reconciler.outcome.closed
    assert (closed.state, closed.resolution) == (BreakState.ADJUSTED, "booked as a 7:1 split of AAPL")
    assert [(line.strategy, line.quantity) for line in closed.settled_by] == [("revert", D(-180)), ("trend", D(600))]


def test_a_reverse_split_leaves_the_fraction_that_was_paid_out_to_discretionary(reconciler, log):
    log.fill("105", "2", instrument="AAPL")
    reconciler.compare(held(105, cost="2"))
    (found,) = reconciler.compare_twice(held(10, cost="20"))
    assert found.suspects == (SplitCause("AAPL", 1, 10),)
    reconciler.answer(found, SplitCause("AAPL", 1, 10))
    reconciler.compare(held(10, cost="20"))
    assert reconciler.holds() == {"trend": (D("10.5"), D(210)), "Discretionary": (D("-0.5"), D(-10))}
    assert reconciler.compare(held(10, cost="20")) == ()


def test_a_split_is_known_by_the_brokers_cost_even_where_strategies_hold_both_sides(reconciler, log):
    """Σ cost / Σ quantity of the books is 8 here, the broker's average is 10."""
    log.fill("100", "10", "trend", instrument="AAPL")
    log.fill("-50", "12", "revert", instrument="AAPL")
    reconciler.compare(held(50, cost="10"))
    (found,) = reconciler.compare_twice(held(100, cost="5"))
    assert found.suspects == (SplitCause("AAPL", 2, 1),)


def test_without_an_earlier_look_the_books_say_what_it_cost(reconciler, log):
    log.fill("100", "10", instrument="AAPL")
    (found,) = reconciler.compare_twice(held(300, cost="3.34"))
    assert found.suspects == (SplitCause("AAPL", 3, 1),)


@pytest.mark.parametrize(("quantity", "cost"), [(200, "10"), (200, "9"), (-100, "10"), (137, "7.3")])
def test_a_purchase_elsewhere_is_no_split(reconciler, log, quantity, cost):
    log.fill("100", "10", instrument="AAPL")
    reconciler.compare(held(100, cost="10"))
    (found,) = reconciler.compare_twice(held(quantity, cost=cost))
    assert (found.state, found.suspects) == (BreakState.CONFIRMED, ())
    assert len(reconciler.outcome.adjustments) == 1


def test_an_operator_may_say_that_a_question_is_none(reconciler, log):
    log.fill("100", "10", instrument="AAPL")
    reconciler.compare(held(100))
    (found,) = reconciler.compare_twice(held(200, cost="5"))
    reconciler.answer(found, Residual())
    reconciler.compare(held(200, cost="5"))
    assert reconciler.holds() == {"trend": (D(100), D(1000)), "Discretionary": (D(100), D(500))}


def test_an_answer_that_would_not_make_the_numbers_equal_is_refused(reconciler, log):
    log.fill("100", "10", instrument="AAPL")
    reconciler.compare(held(100))
    (found,) = reconciler.compare_twice(held(200, cost="5"))
    with pytest.raises(AnswerRefused, match="would hold 300 and the broker holds 200"):
        reconciler.answer(found, SplitCause("AAPL", 3, 1))
    with pytest.raises(AnswerRefused, match="numbers must be positive and different"):
        reconciler.answer(found, SplitCause("AAPL", 0, 1))
    with pytest.raises(AnswerRefused, match="do not differ"):
        reconciler.answer(found, SymbolChangeCause("AAPL", "APPL"))
    assert reconciler.compare(held(200, cost="5"))[0].state is BreakState.QUESTION


def test_an_answer_to_figures_that_have_changed_since_is_not_booked(reconciler, log):
    log.fill("100", "10", instrument="AAPL")
    reconciler.compare(held(100))
    (found,) = reconciler.compare_twice(held(200, cost="5"))
    reconciler.answer(found, SplitCause("AAPL", 2, 1))
    (changed,) = reconciler.compare(held(210, cost="5.1"))
    assert (changed.state, changed.answer, changed.id) == (BreakState.CANDIDATE, None, found.id)
    assert len(log.entries) == 1


HOLDINGS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-50, 50), st.integers(1, 500)), max_size=6)


@settings(max_examples=300)
@given(HOLDINGS, st.sampled_from([(2, 1), (7, 1), (3, 2), (1, 10), (1, 3)]))
def test_whatever_was_held_a_split_changes_no_cost_and_no_result(new_log, holdings, ratio):
    log = new_log()
    for strategy, quantity, price in holdings:
        log.fill(str(quantity), str(price), strategy, instrument="AAPL")
    new, old = ratio
    net = log.books().net("DU1", "AAPL")
    position = held(net * new / old, cost=D(123) * old / new)
    reconciler = Office(log)
    reconciler.compare(held(net, cost="123"))
    before = {book.key: book for book in log.books()}
    if open_breaks := reconciler.compare_twice(position):
        reconciler.answer(open_breaks[0], SplitCause("AAPL", new, old))
        reconciler.compare(position)
        assert reconciler.compare(position) == ()
    else:
        assert net == 0
        return
    for book in log.books():
        known = before.get(book.key)
        if known is not None:
            assert (book.cost, book.realized) == (known.cost, known.realized)
            assert abs(book.quantity - known.quantity * new / old) < D("1e-7")


# New symbols


def test_a_new_symbol_is_a_question_at_both_places_and_one_answer_moves_every_holder(reconciler, log):
    log.fill("100", "30", "trend", instrument="FB")
    log.fill("-40", "31", "revert", instrument="FB")
    reconciler.compare(held(60, "FB", "30"))
    gone, come = reconciler.compare_twice(held(60, "META", "30"))
    assert gone.suspects == come.suspects == (SymbolChangeCause("FB", "META"),)
    assert gone.state is come.state is BreakState.QUESTION
    reconciler.answer(come, SymbolChangeCause("FB", "META"))
    reconciler.compare(held(60, "META", "30"))
    assert reconciler.holds("FB") == {}
    assert reconciler.holds("META") == {"trend": (D(100), D(3000)), "revert": (D(-40), D(-1240))}
    assert reconciler.realized() == 0
    assert reconciler.compare(held(60, "META", "30")) == ()


@pytest.mark.parametrize("other", [held(60, "META", "44"), held(61, "META", "30"), held(60, "EURUSD", "30")])
def test_another_quantity_cost_or_kind_is_no_new_symbol(reconciler, log, other):
    log.fill("60", "30", instrument="FB")
    reconciler.compare(held(60, "FB", "30"))
    assert all(found.suspects == () for found in reconciler.compare_twice(other))


# What the terms of a contract say


def test_an_option_that_expired_leaves_its_holders_and_says_that_no_price_is_known(late, log):
    log.fill("2", "5", "trend", instrument=CALL, multiplier="100")
    log.fill("1", "6", "revert", instrument=CALL, multiplier="100")
    (found,) = late.compare_twice()
    assert found.suspects == (ExpiryCause(CALL),)
    assert late.holds(CALL) == {}
    assert late.realized() == 0
    assert {entry.strategy for entry in log.entries[2:]} == {"trend", "revert"}
    assert "settlement price unknown, no P&L is booked" in log.entries[2].reason


def test_a_future_that_expired_is_closed_at_its_settlement_price_where_an_operator_says_it(late, log):
    log.fill("2", "5000", instrument="ES:20140613", multiplier="50")
    late.reconciliation = Reconciliation(60.0, log.newest)
    (found,) = late.compare_twice()
    late.answer(found, ExpiryCause("ES:20140613", D(5010)))
    for _ in range(6):
        late.compare()
    assert (late.holds("ES:20140613"), late.realized()) == ({}, D(1000))


def test_a_contract_that_vanishes_before_its_last_day_is_no_expiry(log):
    early = Office(log, BEFORE_EXPIRY)
    log.fill("2", "5", instrument=CALL, multiplier="100")
    (found,) = early.compare_twice()
    assert found.suspects == ()
    assert early.holds(CALL) == {"trend": (D(2), D(1000)), "Discretionary": (D(-2), D(-1000))}


def test_a_short_call_that_is_assigned_delivers_at_the_strike_to_who_was_short(reconciler, log):
    log.fill("-1", "5", "writer", instrument=CALL, multiplier="100")
    log.fill("100", "640", "writer", instrument="AAPL")
    log.fill("10", "640", "trend", instrument="AAPL")
    reconciler.compare(held(110, cost="640"), held(-1, CALL, "500", "100"))
    (found, _) = reconciler.compare_twice(held(10, cost="640"))
    assert found.suspects == (ExerciseCause(CALL, "AAPL", D(-1), D(-100), D(645)),)
    assert reconciler.holds(CALL) == {}
    assert reconciler.holds("AAPL") == {"trend": (D(10), D(6400))}
    assert reconciler.realized() == 500 + 500
    assert reconciler.compare(held(10, cost="640")) == ()


def test_long_options_of_two_strategies_are_exercised_for_each(reconciler, log):
    log.fill("2", "5", "a", instrument=PUT, multiplier="100")
    log.fill("-1", "6", "b", instrument=PUT, multiplier="100")
    reconciler.compare(held(1, PUT, "500", "100"))
    reconciler.compare_twice(held(-100, cost="645"))
    assert reconciler.holds(PUT) == {}
    assert reconciler.holds("AAPL") == {"a": (D(-200), D(-129000)), "b": (D(100), D(64500))}


def test_a_part_of_a_short_position_is_assigned_to_its_only_holder(reconciler, log):
    log.fill("-5", "5", "writer", instrument=CALL, multiplier="100")
    reconciler.compare(held(-5, CALL, "500", "100"))
    reconciler.compare_twice(held(-3, CALL, "500", "100"), held(-200, cost="645"))
    assert reconciler.holds(CALL) == {"writer": (D(-3), D(-1500))}
    assert reconciler.holds("AAPL") == {"writer": (D(-200), D(-129000))}
    assert reconciler.realized() == 1000


def test_whose_part_was_assigned_is_not_guessed_where_two_hold_it(reconciler, log):
    log.fill("-4", "5", "a", instrument=CALL, multiplier="100")
    log.fill("-1", "5", "b", instrument=CALL, multiplier="100")
    reconciler.compare(held(-5, CALL, "500", "100"))
    found = reconciler.compare_twice(held(-3, CALL, "500", "100"), held(-200, cost="645"))
    assert [one.suspects for one in found] == [(), ()]
    assert reconciler.holds("AAPL") == {"Discretionary": (D(-200), D(-129000))}


def test_of_a_spread_only_the_leg_that_was_assigned_delivers(late, log):
    log.fill("1", "5", "a", instrument=PUT, multiplier="100")
    log.fill("-1", "7", "a", instrument="AAPL  140613P00650000", multiplier="100")
    found = late.compare_twice(held(100, cost="650"))
    by_place = {b.instrument: b.suspects for b in found}
    assert by_place["AAPL  140613P00650000"] == (ExerciseCause("AAPL  140613P00650000", "AAPL", D(-1), D(100), D(650)),)
    assert by_place[PUT] == (ExpiryCause(PUT),)
    assert late.holds("AAPL") == {"a": (D(100), D(65000))}


# Snapshots


def test_rows_of_one_contract_are_its_changes_and_two_contracts_are_never_added_up():
    rows = [held(10, cost="10", con_id=1), held(20, cost="11", con_id=1), held(30, cost="16", con_id=2), held(1, "SPY")]
    apple, other, spy = aggregate(rows)
    assert (apple.instrument, apple.quantity, apple.average_cost) == ("AAPL", D(20), D(11))
    assert (other.instrument, other.quantity, other.average_cost) == ("AAPL#2", D(30), D(16))
    assert spy == held(1, "SPY")


def test_opposite_contracts_of_one_name_do_not_cancel_out():
    assert [row.quantity for row in aggregate([held(10, con_id=1), held(-10, con_id=2)])] == [D(10), D(-10)]
