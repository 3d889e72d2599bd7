"""When positions are requested, and what each snapshot means: only complete snapshots prove a break."""

from decimal import Decimal

import pytest

from mats.ledger.quarantine import QuarantinePlace
from mats.ledger.reconciliation import explained_by
from mats.ledger.reconciliation.scheduler import FILL_GRACE_SECONDS, POSITIONS_TIMEOUT_SECONDS, ReconciliationScheduler
from mats.model.broker_reports import BrokerPosition
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
def new_scheduler(records):
    def make(every=EVERY, grace=GRACE):
        scheduler = ReconciliationScheduler(every, grace, records)
        scheduler.accounts = ("DU1",)
        return scheduler

    return make


@pytest.fixture
def scheduler(new_scheduler):
    return new_scheduler()


def compare(scheduler, log, positions, now):
    return scheduler.compare(log.books(), tuple(positions), int(now * SECOND), now)


def test_no_request_before_a_connection_has_delivered_a_snapshot(scheduler, log):
    scheduler.on_position_update([held(5)], log.books(), 0.0)
    scheduler.compare_within(0.0, 0.0)
    assert not scheduler.pop_due_request(log.books(), 1e9)
    assert scheduler.compared_at is None


def test_where_all_agree_the_next_look_is_at_the_regular_time(scheduler, log):
    compare(scheduler, log, [], 10.0)
    assert not scheduler.pop_due_request(log.books(), 10.0 + EVERY - 0.1)
    assert scheduler.pop_due_request(log.books(), 10.0 + EVERY)
    assert scheduler.compared_at == 10.0


def test_an_answer_that_does_not_come_is_asked_for_again(scheduler, log):
    compare(scheduler, log, [], 0.0)
    assert scheduler.pop_due_request(log.books(), EVERY)
    assert not scheduler.pop_due_request(log.books(), EVERY + POSITIONS_TIMEOUT_SECONDS - 0.1)
    assert scheduler.pop_due_request(log.books(), EVERY + POSITIONS_TIMEOUT_SECONDS)


def test_a_position_that_agrees_does_not_advance_the_request(scheduler, log):
    log.fill("5", "10")
    compare(scheduler, log, [held(5)], 0.0)
    scheduler.on_position_update([held(5)], log.books(), 1.0)
    assert not scheduler.pop_due_request(log.books(), EVERY - 0.1)


def test_a_position_that_differs_advances_the_request_and_is_no_break(scheduler, log):
    compare(scheduler, log, [], 0.0)
    scheduler.on_position_update([held(5)], log.books(), 1.0)
    assert scheduler.breaks == ()
    assert scheduler.broker["DU1", "SPY"] == held(5)
    assert not scheduler.pop_due_request(log.books(), 1.0 + FILL_GRACE_SECONDS - 0.1)
    assert scheduler.pop_due_request(log.books(), 1.0 + FILL_GRACE_SECONDS)


def test_a_position_whose_fill_is_booked_by_then_is_no_hint(scheduler, log):
    compare(scheduler, log, [], 0.0)
    scheduler.on_position_update([held(5)], log.books(), 1.0)
    log.fill("5", "10")
    assert not scheduler.pop_due_request(log.books(), 1.0 + FILL_GRACE_SECONDS)
    assert scheduler.pop_due_request(log.books(), EVERY)


def test_a_later_wish_does_not_put_off_an_earlier_one(scheduler, log):
    compare(scheduler, log, [], 0.0)
    scheduler.compare_within(1.0, 0.0)
    scheduler.compare_within(30.0, 0.0)
    assert scheduler.pop_due_request(log.books(), 1.0)


def test_a_first_difference_is_compared_again_and_blocks_no_trade(scheduler, log):
    outcome = compare(scheduler, log, [held(5)], 0.0)
    assert len(outcome.open) == 1
    assert (scheduler.breaks, scheduler.differences) == ((), {})
    assert not scheduler.pop_due_request(log.books(), GRACE - 0.1)
    assert scheduler.pop_due_request(log.books(), GRACE)


def test_a_second_snapshot_confirms_the_break_and_requests_its_adjustment(scheduler, log):
    compare(scheduler, log, [held(5)], 0.0)
    outcome = compare(scheduler, log, [held(5)], GRACE)
    assert set(scheduler.differences) == {("DU1", "SPY")}
    assert [(a.instrument, a.quantity) for (a,) in outcome.adjustments] == [("SPY", D(5))]


def test_what_comes_from_elsewhere_is_adjusted_within_five_seconds_by_two_comparisons(scheduler, log):
    compare(scheduler, log, [], 0.0)
    scheduler.on_position_update([held(5)], log.books(), 1.0)
    comparisons = {}
    for now in (1.0 + quarter / 4 for quarter in range(4 * 5)):
        if scheduler.pop_due_request(log.books(), now):
            outcome = comparisons[now] = compare(scheduler, log, [held(5)], now)
            for adjustment in outcome.adjustments:
                log.settle(adjustment)
    hint = 1.0 + FILL_GRACE_SECONDS
    assert list(comparisons) == [hint, hint + GRACE, hint + FILL_GRACE_SECONDS + GRACE]
    assert [len(outcome.adjustments) for outcome in comparisons.values()] == [0, 1, 0]


def test_a_difference_of_another_size_is_a_new_one(scheduler, log):
    compare(scheduler, log, [held(5)], 0.0)
    assert compare(scheduler, log, [held(6)], GRACE).adjustments == ()
    assert scheduler.differences == {}


def test_a_fill_between_two_snapshots_makes_the_difference_a_new_one(scheduler, log):
    compare(scheduler, log, [held(5)], 0.0)
    log.fill("1", "10")
    assert compare(scheduler, log, [held(6)], GRACE).adjustments == ()
    assert scheduler.differences == {}


def test_books_that_run_ahead_of_a_snapshot_are_right_again_at_the_next_one(scheduler, log):
    """A stage that was behind folded fills that the snapshot could not contain."""
    log.fill("5", "10")
    compare(scheduler, log, [], 0.0)
    outcome = compare(scheduler, log, [held(5)], GRACE)
    assert (outcome.open, outcome.adjustments) == ((), ())
    assert len(outcome.closed) == 1


def test_a_snapshot_replaces_all_single_updates(scheduler, log):
    compare(scheduler, log, [held(5), held(1, "QQQ")], 0.0)
    compare(scheduler, log, [held(5)], 1.0)
    assert set(scheduler.broker) == {("DU1", "SPY")}


def test_an_open_break_is_watched_even_where_the_regular_time_is_shorter_than_the_grace(new_scheduler, log):
    scheduler = new_scheduler(2.0, 30.0)
    compare(scheduler, log, [held(5)], 0.0)
    assert scheduler.pop_due_request(log.books(), 2.0)


def test_without_a_link_nothing_is_asked_until_the_next_snapshot(scheduler, log):
    compare(scheduler, log, [], 0.0)
    scheduler.on_disconnect()
    scheduler.on_position_update([held(5)], log.books(), 1.0)
    assert not scheduler.pop_due_request(log.books(), 1e6)
    compare(scheduler, log, [], 100.0)
    assert scheduler.pop_due_request(log.books(), 100.0 + EVERY)


def test_accounts_that_were_not_named_are_not_judged(scheduler, log):
    assert compare(scheduler, log, [held(5, account="OTHER")], 0.0).open == ()


def test_a_break_has_one_name_from_run_to_run_and_is_not_booked_on_one_look_of_the_new_one(new_scheduler, records, log):
    scheduler = new_scheduler()
    compare(scheduler, log, [held(5)], 1000.0)
    compare(scheduler, log, [held(5)], 1001.0)
    (known,) = scheduler.breaks
    again = new_scheduler()
    assert [found.id for found in again.breaks] == [known.id]
    outcome = compare(again, log, [held(5)], 5.0)
    assert (outcome.adjustments, outcome.open[0].id) == ((), known.id)
    assert set(again.differences) == {("DU1", "SPY")}
    assert len(compare(again, log, [held(5)], 5.0 + GRACE).adjustments) == 1


def test_a_candidate_is_not_recorded_and_a_confirmed_break_is_recorded_with_its_end(scheduler, records, log):
    compare(scheduler, log, [held(5)], 0.0)
    assert records.breaks == {}
    log.settle(compare(scheduler, log, [held(5)], GRACE).adjustments[0])
    (kept,) = records.open_breaks()
    assert (kept.state, kept.booking_requests) == ("confirmed", 1)
    compare(scheduler, log, [held(5)], 2 * GRACE)
    (kept,) = records.breaks.values()
    assert (kept.state, kept.resolved, kept.resolution) == ("adjusted", 6 * SECOND, "booked as +5 to Discretionary")
    assert [(line.seq, line.what, line.quantity) for line in kept.settled_by] == [(1, "adjustment", D(5))]


def test_what_is_held_anywhere_is_to_have_a_price(scheduler, log):
    log.fill("5", "10")
    log.fill("5", "10", instrument="IBM")
    log.fill("-5", "10", instrument="IBM")
    compare(scheduler, log, [held(1, "QQQ"), held(0, "BAC")], 0.0)
    assert scheduler.held_instruments(log.books()) == {"SPY", "QQQ"}


def test_breaks_of_an_account_that_this_gateway_does_not_have_stay_as_they_are(new_scheduler, records, log):
    log.fill("5", "10")
    scheduler = new_scheduler()
    for now in (0.0, GRACE / 2):
        compare(scheduler, log, [held(6, "NEW"), held(0)], now)
    known = scheduler.breaks
    assert {found.instrument for found in known} == {"SPY", "NEW"}
    again = new_scheduler()
    again.accounts = ("DU2",)
    for now in (0.0, GRACE, 2 * GRACE):
        compare(again, log, [held(7, account="DU2")], now)
    assert [found for found in again.breaks if found.account == "DU1"] == list(known)


def test_a_break_that_could_not_be_recorded_is_recorded_and_told_by_the_next_comparison_and_booked_later(
    scheduler, records, log, monkeypatch
):
    compare(scheduler, log, [held(5)], 0.0)

    def full(_):
        raise OSError("no space")

    monkeypatch.setattr(records, "save_break", full)
    with pytest.raises(OSError, match="no space"):
        compare(scheduler, log, [held(5)], GRACE)
    assert scheduler.compared_at == 0.0, "nothing was made of it"
    monkeypatch.undo()
    outcome = compare(scheduler, log, [held(5)], 2 * GRACE)
    (kept,) = records.open_breaks()
    assert kept.id in {found.id for found in outcome.reportable}
    later = [compare(scheduler, log, [held(5)], n * GRACE) for n in range(3, 20)]
    assert next(outcome for outcome in later if outcome.adjustments)


def test_a_difference_that_the_quarantine_may_explain_is_a_break_and_is_not_booked(scheduler, log):
    scheduler.set_quarantine((QuarantinePlace("Q1", "execution", "DU1", held(5).instrument, ""),))
    for look in range(3):
        outcome = compare(scheduler, log, [held(5)], 10.0 + look * 2 * GRACE)
        assert outcome.adjustments == ()
    (found,) = scheduler.breaks
    assert "mats quarantine show Q1" in explained_by(found.key, (QuarantinePlace("Q1", "execution", "", "SPY", ""),))
    scheduler.set_quarantine(())
    assert compare(scheduler, log, [held(5)], 10.0 + 8 * GRACE).adjustments
