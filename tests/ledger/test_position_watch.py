"""When positions are asked for, and what each complete answer means: hints hurry a look, only looks prove a break."""

from decimal import Decimal

import pytest

from mats.ledger.position_watch import ANSWER_SECONDS, PositionWatch
from mats.model.broker import BrokerPosition
from mats.model.timestamp import SECOND

D = Decimal
EVERY, GRACE = 60.0, 3.0


def held(quantity, instrument="SPY", account="DU1"):
    return BrokerPosition(account=account, instrument=instrument, quantity=D(quantity), average_cost=D(10))


@pytest.fixture
def watch():
    watch = PositionWatch(EVERY, GRACE)
    watch.accounts = ("DU1",)
    return watch


def look(watch, log, positions, now):
    return watch.look(log.books(), tuple(positions), int(now * SECOND), now)


def test_nothing_is_asked_before_a_connection_has_brought_a_snapshot(watch, log):
    watch.hear([held(5)], log.books(), 0.0)
    watch.look_within(0.0, 0.0)
    assert not watch.take_due(1e9)
    assert watch.looked_at is None


def test_where_all_agree_the_next_look_is_at_the_regular_time(watch, log):
    look(watch, log, [], 10.0)
    assert not watch.take_due(10.0 + EVERY - 0.1)
    assert watch.take_due(10.0 + EVERY)
    assert watch.looked_at == 10.0


def test_an_answer_that_does_not_come_is_asked_for_again(watch, log):
    look(watch, log, [], 0.0)
    assert watch.take_due(EVERY)
    assert not watch.take_due(EVERY + ANSWER_SECONDS - 0.1)
    assert watch.take_due(EVERY + ANSWER_SECONDS)


def test_a_position_that_agrees_hurries_nothing(watch, log):
    log.fill("5", "10")
    look(watch, log, [held(5)], 0.0)
    watch.hear([held(5)], log.books(), 1.0)
    assert not watch.take_due(EVERY - 0.1)


def test_a_position_that_differs_is_a_hint_to_look_soon_and_no_break(watch, log):
    look(watch, log, [], 0.0)
    watch.hear([held(5)], log.books(), 1.0)
    assert watch.breaks == ()
    assert watch.broker["DU1", "SPY"] == held(5)
    assert not watch.take_due(1.0 + GRACE - 0.1)
    assert watch.take_due(1.0 + GRACE)


def test_a_later_wish_does_not_put_off_an_earlier_one(watch, log):
    look(watch, log, [], 0.0)
    watch.look_within(1.0, 0.0)
    watch.look_within(30.0, 0.0)
    assert watch.take_due(1.0)


def test_a_first_difference_is_looked_at_again_and_speaks_against_no_trade(watch, log):
    outcome = look(watch, log, [held(5)], 0.0)
    assert len(outcome.open) == 1
    assert (watch.breaks, watch.places) == ((), frozenset())
    assert not watch.take_due(GRACE - 0.1)
    assert watch.take_due(GRACE)


def test_a_second_look_confirms_the_break_and_asks_for_its_adjustment(watch, log):
    look(watch, log, [held(5)], 0.0)
    outcome = look(watch, log, [held(5)], GRACE)
    assert watch.places == {("DU1", "SPY")}
    assert [(a.instrument, a.quantity) for a in outcome.adjustments] == [("SPY", D(5))]


def test_a_difference_of_another_size_is_a_new_one(watch, log):
    look(watch, log, [held(5)], 0.0)
    assert look(watch, log, [held(6)], GRACE).adjustments == ()
    assert watch.places == frozenset()


def test_a_fill_between_two_looks_makes_the_difference_a_new_one(watch, log):
    look(watch, log, [held(5)], 0.0)
    log.fill("1", "10")
    assert look(watch, log, [held(6)], GRACE).adjustments == ()
    assert watch.places == frozenset()


def test_books_that_run_ahead_of_a_snapshot_are_right_again_at_the_next_one(watch, log):
    """A stage that was behind folded fills that the snapshot could not contain."""
    log.fill("5", "10")
    look(watch, log, [], 0.0)
    outcome = look(watch, log, [held(5)], GRACE)
    assert (outcome.open, outcome.adjustments) == ((), ())
    assert len(outcome.settled) == 1


def test_a_snapshot_replaces_all_that_was_heard(watch, log):
    look(watch, log, [held(5), held(1, "QQQ")], 0.0)
    look(watch, log, [held(5)], 1.0)
    assert set(watch.broker) == {("DU1", "SPY")}


def test_an_open_break_is_watched_even_where_the_regular_time_is_shorter_than_the_grace(log):
    watch = PositionWatch(2.0, 30.0)
    watch.accounts = ("DU1",)
    look(watch, log, [held(5)], 0.0)
    assert watch.take_due(2.0)


def test_without_a_link_nothing_is_asked_until_the_next_snapshot(watch, log):
    look(watch, log, [], 0.0)
    watch.lost()
    watch.hear([held(5)], log.books(), 1.0)
    assert not watch.take_due(1e6)
    look(watch, log, [], 100.0)
    assert watch.take_due(100.0 + EVERY)


def test_accounts_that_were_not_named_are_not_judged(watch, log):
    assert look(watch, log, [held(5, account="OTHER")], 0.0).open == ()
