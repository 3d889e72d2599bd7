"""Books against broker positions: candidates, grace, adjustments to Discretionary, and what proves them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ledger.reconciliation.break_causes import Residual
from mats.ledger.reconciliation.breaks import BreakState
from mats.ledger.reconciliation.comparison import aggregate, compare
from mats.ledger.reconciliation.reconcile import AnswerRefused, Reconciliation
from mats.model.broker_reports import BrokerPosition
from mats.model.money import NOT_KNOWN
from mats.model.timestamp import SECOND

D = Decimal
ACCOUNTS = ("DU1",)


def held(quantity, instrument="SPY", cost="10", account="DU1", **more):
    return BrokerPosition(account=account, instrument=instrument, quantity=D(quantity), average_cost=D(cost), **more)


def reconciling(log, grace=3.0):
    return Reconciliation(grace, log.newest)


def reconcile(reconciliation, log, positions, seconds):
    return reconciliation.compare(log.books(), aggregate(positions), ACCOUNTS, int(seconds * SECOND), seconds)


def book(log, outcome):
    """Log the adjustments that a compare asks for."""
    for group in outcome.adjustments:
        log.settle(group)


def differences(books, positions, accounts, now):
    return compare(books, {(p.account, p.instrument): p for p in positions}, accounts, now)


def test_equal_books_have_no_break(log):
    log.fill("100", "10", "trend")
    log.fill("-30", "10", "revert")
    assert differences(log.books(), [held(70)], ACCOUNTS, 0) == ()


def test_attribution_survives_a_zero_net_position(log):
    log.fill("100", "10", "trend")
    log.fill("-100", "10", "revert")
    assert differences(log.books(), [], ACCOUNTS, 0) == ()


def test_a_break_carries_its_figures_and_its_proof(log):
    log.fill("100", "10", "trend")
    log.fill("10", "10", "revert")
    (found,) = differences(log.books(), [held(80)], ACCOUNTS, 5 * SECOND)
    assert (found.expected, found.broker, found.difference) == (D(110), D(80), D(-30))
    assert (found.seq, found.first_seen) == (2, 5 * SECOND)
    assert found.id == "DU1/SPY@1970-01-01T00:00:05.000Z"
    assert found.age(8 * SECOND) == 3.0


def test_only_the_accounts_of_the_snapshot_are_judged(log):
    log.fill("100", "10")
    assert differences(log.books(), [held(5, account="OTHER")], ("OTHER2",), 0) == ()


def test_pairs_compare_like_any_position(log):
    log.fill("20000", "1.1", instrument="EURUSD")
    (found,) = differences(log.books(), [held(15000, "EURUSD")], ACCOUNTS, 0)
    assert found.difference == D(-5000)


def test_a_first_look_books_nothing(log):
    outcome = reconcile(reconciling(log, 3.0), log, [held(100)], 0)
    assert len(outcome.open) == 1
    assert outcome.adjustments == ()


def test_the_same_difference_after_the_grace_goes_to_discretionary(log):
    log.fill("100", "10", "trend")
    reconciliation = reconciling(log, 3.0)
    reconcile(reconciliation, log, [held(130, cost="11")], 0)
    early = reconcile(reconciliation, log, [held(130, cost="11")], 2)
    due = reconcile(reconciliation, log, [held(130, cost="11")], 4)
    assert early.adjustments == ()
    ((wanted,),) = due.adjustments
    assert (wanted.quantity, wanted.price) == (D(30), D(11))
    assert wanted.reason == (
        "break DU1/SPY@1970-01-01T00:00:00.000Z: broker 130, books 100; unchanged over 3 comparisons with no"
        " fill after entry 1"
    )
    book(log, due)
    after = reconcile(reconciliation, log, [held(130, cost="11")], 5)
    assert (after.open, len(after.closed)) == ((), 1)
    assert log.books().get("DU1", "trend", "SPY").quantity == D(100)


def test_a_position_whose_units_are_worth_nobody_knows_what_is_a_break_and_not_booked_until_they_are(log):
    unknown, known = held(130, cost="0.75", multiplier=NOT_KNOWN), held(130, cost="0.75", multiplier=D("0.01"))
    reconciliation = reconciling(log, 3.0)
    reconcile(reconciliation, log, [unknown], 0)
    outcome = reconcile(reconciliation, log, [unknown], 4)
    assert (outcome.open[0].difference, outcome.open[0].state, outcome.adjustments) == (130, BreakState.CONFIRMED, ())
    with pytest.raises(AnswerRefused, match="has not given the details of SPY"):
        reconciliation.answer(outcome.open[0].id, Residual(), log.books(), {("DU1", "SPY"): unknown})
    ((wanted,),) = reconcile(reconciliation, log, [known], 5).adjustments
    assert (wanted.quantity, wanted.price, wanted.multiplier) == (130, 75, D("0.01"))


def test_an_adjustment_is_asked_for_once_and_again_only_after_much_patience(log):
    reconciliation = reconciling(log, 1.0)
    seconds = range(120)
    asked = [second for second in seconds if reconcile(reconciliation, log, [held(30)], second).adjustments]
    assert asked == [1, 10, 100]


def test_a_fill_between_the_looks_starts_the_proof_again(log):
    reconciliation = reconciling(log, 3.0)
    reconcile(reconciliation, log, [held(100)], 0)
    log.fill("40", "10")
    outcome = reconcile(reconciliation, log, [held(140)], 10)
    assert outcome.adjustments == ()
    assert outcome.open[0].comparisons == 1


def test_fills_that_cancel_out_between_the_looks_start_the_proof_again_too(log):
    reconciliation = reconciling(log, 3.0)
    reconcile(reconciliation, log, [held(100)], 0)
    log.fill("40", "10")
    log.fill("-40", "10")
    assert reconcile(reconciliation, log, [held(100)], 10).adjustments == ()


def test_without_any_grace_it_still_takes_two_looks(log):
    reconciliation = reconciling(log, 0.0)
    assert reconcile(reconciliation, log, [held(100)], 0).adjustments == ()
    assert len(reconcile(reconciliation, log, [held(100)], 0.001).adjustments) == 1


def test_a_difference_that_goes_away_settles_itself(log):
    reconciliation = reconciling(log, 3.0)
    reconcile(reconciliation, log, [held(100)], 0)
    assert [found.difference for found in reconciliation.open] == [D(100)]
    log.fill("100", "10")
    outcome = reconcile(reconciliation, log, [held(100)], 10)
    assert (outcome.open, outcome.adjustments) == ((), ())
    (closed,) = outcome.closed
    assert (closed.state, closed.resolution) == (BreakState.SETTLED, "its fills arrived")
    assert [line.quantity for line in closed.settled_by] == [D(100)]
    assert reconciliation.open == ()


def test_a_broker_that_comes_back_to_the_strategies_shrinks_discretionary(log):
    log.fill("100", "10", "trend")
    log.adjust("30", "11")
    reconciliation = reconciling(log, 1.0)
    reconcile(reconciliation, log, [held(100)], 0)
    book(log, reconcile(reconciliation, log, [held(100)], 2))
    books = log.books()
    assert books.get("DU1", "Discretionary", "SPY").quantity == 0
    assert books.get("DU1", "trend", "SPY").quantity == D(100)


def test_a_future_is_adjusted_at_its_price_not_at_its_cost(log):
    reconciliation = reconciling(log, 1.0)
    positions = [held(2, "ES:20241220", "250000", multiplier=D(50))]
    reconcile(reconciliation, log, positions, 0)
    ((wanted,),) = reconcile(reconciliation, log, positions, 2).adjustments
    assert (wanted.price, wanted.multiplier) == (D(5000), D(50))


FILLS = st.lists(
    st.tuples(st.sampled_from(["trend", "revert"]), st.sampled_from(["SPY", "EURUSD"]), st.integers(-50, 50)),
    max_size=8,
)


@settings(max_examples=400)
@given(FILLS, st.dictionaries(st.sampled_from(["SPY", "EURUSD", "QQQ"]), st.integers(-99, 99)))
def test_after_reconciliation_books_and_discretionary_equal_the_broker(new_log, fills, broker):
    log = new_log()
    for strategy, instrument, quantity in fills:
        log.fill(str(quantity), "10", strategy, instrument=instrument)
    before = {b.key: b.quantity for b in log.books()}
    positions = [held(quantity, instrument) for instrument, quantity in broker.items()]
    reconciliation = reconciling(log, 1.0)
    reconcile(reconciliation, log, positions, 0)
    outcome = reconcile(reconciliation, log, positions, 2)
    for found in outcome.open:
        if found.state is BreakState.QUESTION:
            at = {(position.account, position.instrument): position for position in positions}
            reconciliation.answer(found.id, Residual(), log.books(), at)
    book(log, outcome)
    book(log, reconcile(reconciliation, log, positions, 4))
    book(log, reconcile(reconciliation, log, positions, 6))
    books = log.books()
    assert all(net == sum(book.quantity for book in books.of_instrument(*at)) for at, net in books.nets.items())
    for instrument in {"SPY", "EURUSD", "QQQ"}:
        assert books.net("DU1", instrument) == broker.get(instrument, 0)
    assert all(books.get(*key).quantity == quantity for key, quantity in before.items())
    assert reconcile(reconciliation, log, positions, 8).open == ()
