"""When positions are asked for, and what each complete answer means: hints hurry a look, only looks prove a break."""

from decimal import Decimal

import pytest

from mats.ledger.reconciliation.scheduler import ANSWER_SECONDS, NEWS_SECONDS, ReconciliationScheduler
from mats.model.broker import BrokerPosition
from mats.model.timestamp import SECOND

D = Decimal
EVERY, GRACE = 60.0, 3.0


def held(quantity, instrument="SPY", account="DU1"):
    return BrokerPosition(account=account, instrument=instrument, quantity=D(quantity), average_cost=D(10))


class Records:
    """The journal of a test."""

    def __init__(self, log):
        self.newest_entries = log.newest
        self.breaks, self.snapshots = {}, {}

    def save_break(self, found):
        self.breaks[found.id] = found

    def open_breaks(self):
        return [found for found in self.breaks.values() if found.resolved is None]

    def save_snapshot(self, stage, seq, payload):
        self.snapshots[stage] = (seq, payload)

    def load_snapshot(self, stage):
        return self.snapshots.get(stage)


@pytest.fixture
def records(log):
    return Records(log)


@pytest.fixture
def new_watch(records):
    def make(every=EVERY, grace=GRACE):
        watch = ReconciliationScheduler(every, grace, records)
        watch.accounts = ("DU1",)
        return watch

    return make


@pytest.fixture
def watch(new_watch):
    return new_watch()


def look(watch, log, positions, now):
    return watch.look(log.books(), tuple(positions), int(now * SECOND), now)


def test_nothing_is_asked_before_a_connection_has_brought_a_snapshot(watch, log):
    watch.hear([held(5)], log.books(), 0.0)
    watch.look_within(0.0, 0.0)
    assert not watch.take_due(log.books(), 1e9)
    assert watch.looked_at is None


def test_where_all_agree_the_next_look_is_at_the_regular_time(watch, log):
    look(watch, log, [], 10.0)
    assert not watch.take_due(log.books(), 10.0 + EVERY - 0.1)
    assert watch.take_due(log.books(), 10.0 + EVERY)
    assert watch.looked_at == 10.0


def test_an_answer_that_does_not_come_is_asked_for_again(watch, log):
    look(watch, log, [], 0.0)
    assert watch.take_due(log.books(), EVERY)
    assert not watch.take_due(log.books(), EVERY + ANSWER_SECONDS - 0.1)
    assert watch.take_due(log.books(), EVERY + ANSWER_SECONDS)


def test_a_position_that_agrees_hurries_nothing(watch, log):
    log.fill("5", "10")
    look(watch, log, [held(5)], 0.0)
    watch.hear([held(5)], log.books(), 1.0)
    assert not watch.take_due(log.books(), EVERY - 0.1)


def test_a_position_that_differs_is_a_hint_to_look_soon_and_no_break(watch, log):
    look(watch, log, [], 0.0)
    watch.hear([held(5)], log.books(), 1.0)
    assert watch.breaks == ()
    assert watch.broker["DU1", "SPY"] == held(5)
    assert not watch.take_due(log.books(), 1.0 + NEWS_SECONDS - 0.1)
    assert watch.take_due(log.books(), 1.0 + NEWS_SECONDS)


def test_a_position_whose_fill_is_booked_by_then_is_no_hint(watch, log):
    look(watch, log, [], 0.0)
    watch.hear([held(5)], log.books(), 1.0)
    log.fill("5", "10")
    assert not watch.take_due(log.books(), 1.0 + NEWS_SECONDS)
    assert watch.take_due(log.books(), EVERY)


def test_a_later_wish_does_not_put_off_an_earlier_one(watch, log):
    look(watch, log, [], 0.0)
    watch.look_within(1.0, 0.0)
    watch.look_within(30.0, 0.0)
    assert watch.take_due(log.books(), 1.0)


def test_a_first_difference_is_looked_at_again_and_speaks_against_no_trade(watch, log):
    outcome = look(watch, log, [held(5)], 0.0)
    assert len(outcome.open) == 1
    assert (watch.breaks, watch.places) == ((), frozenset())
    assert not watch.take_due(log.books(), GRACE - 0.1)
    assert watch.take_due(log.books(), GRACE)


def test_a_second_look_confirms_the_break_and_asks_for_its_adjustment(watch, log):
    look(watch, log, [held(5)], 0.0)
    outcome = look(watch, log, [held(5)], GRACE)
    assert watch.places == {("DU1", "SPY")}
    assert [(a.instrument, a.quantity) for (a,) in outcome.adjustments] == [("SPY", D(5))]


def test_what_comes_from_elsewhere_is_adjusted_within_five_seconds_by_two_looks(watch, log):
    look(watch, log, [], 0.0)
    watch.hear([held(5)], log.books(), 1.0)
    looks = {}
    for now in (1.0 + quarter / 4 for quarter in range(4 * 5)):
        if watch.take_due(log.books(), now):
            outcome = looks[now] = look(watch, log, [held(5)], now)
            for adjustment in outcome.adjustments:
                log.settle(adjustment)
    first, second, after = (len(looked.adjustments) for looked in looks.values())
    assert list(looks) == [1.0 + NEWS_SECONDS, 1.0 + NEWS_SECONDS + GRACE, 1.0 + 2 * NEWS_SECONDS + GRACE]
    assert (first, second, after) == (0, 1, 0)


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
    assert len(outcome.closed) == 1


def test_a_snapshot_replaces_all_that_was_heard(watch, log):
    look(watch, log, [held(5), held(1, "QQQ")], 0.0)
    look(watch, log, [held(5)], 1.0)
    assert set(watch.broker) == {("DU1", "SPY")}


def test_an_open_break_is_watched_even_where_the_regular_time_is_shorter_than_the_grace(new_watch, log):
    watch = new_watch(2.0, 30.0)
    look(watch, log, [held(5)], 0.0)
    assert watch.take_due(log.books(), 2.0)


def test_without_a_link_nothing_is_asked_until_the_next_snapshot(watch, log):
    look(watch, log, [], 0.0)
    watch.lost()
    watch.hear([held(5)], log.books(), 1.0)
    assert not watch.take_due(log.books(), 1e6)
    look(watch, log, [], 100.0)
    assert watch.take_due(log.books(), 100.0 + EVERY)


def test_accounts_that_were_not_named_are_not_judged(watch, log):
    assert look(watch, log, [held(5, account="OTHER")], 0.0).open == ()


def test_a_break_has_one_name_from_run_to_run_and_is_not_booked_on_one_look_of_the_new_one(new_watch, records, log):
    watch = new_watch()
    look(watch, log, [held(5)], 1000.0)
    look(watch, log, [held(5)], 1001.0)
    (known,) = watch.breaks
    again = new_watch()
    assert [found.id for found in again.breaks] == [known.id]
    outcome = look(again, log, [held(5)], 5.0)
    assert (outcome.adjustments, outcome.open[0].id) == ((), known.id)
    assert again.places == {("DU1", "SPY")}
    assert len(look(again, log, [held(5)], 5.0 + GRACE).adjustments) == 1


def test_a_candidate_is_nobodys_business_and_a_confirmed_break_is_kept_with_its_end(watch, records, log):
    look(watch, log, [held(5)], 0.0)
    assert records.breaks == {}
    log.settle(look(watch, log, [held(5)], GRACE).adjustments[0])
    (kept,) = records.open_breaks()
    assert (kept.state, kept.asked) == ("confirmed", 1)
    look(watch, log, [held(5)], 2 * GRACE)
    (kept,) = records.breaks.values()
    assert (kept.state, kept.resolved, kept.resolution) == ("adjusted", 6 * SECOND, "booked as +5 to Discretionary")
    assert [(line.seq, line.what, line.quantity) for line in kept.settled_by] == [(1, "adjustment", D(5))]


def test_what_is_held_anywhere_is_to_have_a_price(watch, log):
    log.fill("5", "10")
    log.fill("5", "10", instrument="IBM")
    log.fill("-5", "10", instrument="IBM")
    look(watch, log, [held(1, "QQQ"), held(0, "BAC")], 0.0)
    assert watch.held(log.books()) == {"SPY", "QQQ"}


def test_breaks_of_an_account_that_this_gateway_does_not_have_stay_as_they_are(new_watch, records, log):
    log.fill("5", "10")
    watch = new_watch()
    for now in (0.0, GRACE / 2):
        look(watch, log, [held(6, "NEW"), held(0)], now)
    known = watch.breaks
    assert {found.instrument for found in known} == {"SPY", "NEW"}
    again = new_watch()
    again.accounts = ("DU2",)
    for now in (0.0, GRACE, 2 * GRACE):
        look(again, log, [held(7, account="DU2")], now)
    assert [found for found in again.breaks if found.account == "DU1"] == list(known)
