"""Strategy books: open, increase, reduce, close, flip; corrections, commissions, adjustments, snapshots."""

from decimal import Decimal

import pytest

from mats.ledger.books.book import market_value, unrealized
from mats.ledger.books.books import Books, refold

D = Decimal


def spy(books, strategy="trend"):
    return books.get("DU1", strategy, "SPY")


def test_opening_and_increasing_average_the_price(log):
    log.fill("100", "10")
    log.fill("50", "13")
    book = spy(log.books())
    assert (book.quantity, book.cost, book.average_price, book.realized) == (D(150), D(1650), D(11), D(0))


def test_reducing_realizes_against_the_average_and_keeps_it(log):
    log.fill("100", "10")
    log.fill("100", "12")
    log.fill("-50", "15")
    book = spy(log.books())
    assert (book.quantity, book.average_price, book.realized) == (D(150), D(11), D(200))


def test_a_flip_through_zero_closes_at_the_old_average_and_opens_at_the_fill_price(log):
    log.fill("100", "10")
    log.fill("-160", "12")
    book = spy(log.books())
    assert (book.quantity, book.cost, book.average_price, book.realized) == (D(-60), D(-720), D(12), D(200))


def test_short_covering_to_flat_then_long_resets_the_average_cost(log):
    log.fill("-100", "20")
    log.fill("100", "18")
    flat = spy(log.books())
    log.fill("40", "19")
    book = spy(log.books())
    assert (flat.quantity, flat.cost, flat.average_price, flat.realized) == (0, 0, 0, D(200))
    assert (book.quantity, book.average_price, book.realized) == (D(40), D(19), D(200))


def test_thirds_leave_no_residue_at_flat(log):
    for quantity, price in (("1", "10"), ("2", "10.01"), ("-1", "11"), ("-1", "11"), ("-1", "11")):
        log.fill(quantity, price)
    book = spy(log.books())
    assert (book.quantity, book.cost, book.realized) == (0, 0, D("2.98"))


def test_the_multiplier_scales_cost_result_and_value(log):
    log.fill("2", "5000", instrument="ES:20241220", multiplier="50")
    log.fill("-1", "5010", instrument="ES:20241220", multiplier="50")
    book = log.books().get("DU1", "trend", "ES:20241220")
    assert (book.average_price, book.average_cost, book.realized) == (D(5000), D(250_000), D(500))
    assert market_value(book, D(5020)) == D(251_000)
    assert unrealized(book, D(5020)) == D(1_000)


def test_opposite_strategies_keep_their_books_at_a_zero_net(log):
    log.fill("100", "10", "trend")
    log.fill("-100", "11", "revert")
    books = log.books()
    assert books.net("DU1", "SPY") == 0
    assert spy(books).quantity == D(100)
    assert spy(books, "revert").quantity == D(-100)


def test_commissions_stay_apart_by_currency_and_out_of_the_cost(log):
    fill = log.fill("100", "10")
    log.charge(fill, "1.05")
    log.charge(log.fill("1", "10"), "0.90", "EUR")
    book = spy(log.books())
    assert book.commissions == {"USD": D("1.05"), "EUR": D("0.90")}
    assert book.cost == D(1010)


def test_a_correction_counts_as_if_it_had_been_the_first_report(log, new_log):
    first = log.fill("100", "10")
    log.fill("-60", "12")
    change = log.correct(first, "100", "11")
    books = log.books()
    straight = new_log()
    straight.fill("100", "11")
    straight.fill("-60", "12")
    want = spy(straight.books())
    got = spy(books)
    assert (got.quantity, got.cost, got.realized) == (want.quantity, want.cost, want.realized) == (40, 440, 60)
    assert books.seq == change.seq


def test_a_change_states_the_realized_pnl_that_a_correction_takes_back(log):
    first = log.fill("100", "10")
    log.fill("-100", "12")
    books = log.books()
    (change,) = books.apply(log.correct(first, "100", "11"))
    assert (change.before.realized, change.after.realized, change.realized) == (D(200), D(100), D(-100))


def test_a_bust_removes_the_fill_and_turns_what_closed_it_into_an_opening(log):
    first = log.fill("100", "10")
    log.fill("-100", "12")
    log.correct(first, "0", "10")
    book = spy(log.books())
    assert (book.quantity, book.average_price, book.realized) == (D(-100), D(12), D(0))


def test_the_commission_of_a_correction_replaces_that_of_the_first_report(log):
    first = log.fill("100", "10")
    log.charge(first, "1.00")
    fixed = log.correct(first, "90", "10")
    log.charge(fixed, "0.90")
    assert spy(log.books()).commissions == {"USD": D("0.90")}


def test_a_late_commission_of_a_replaced_report_counts_for_nothing(log):
    first = log.fill("100", "10")
    fixed = log.correct(first, "90", "10")
    log.charge(fixed, "0.90")
    log.charge(first, "1.00")
    assert spy(log.books()).commissions == {"USD": D("0.90")}


def test_a_correction_without_its_history_still_keeps_quantity_and_total_result(log):
    first = log.fill("100", "10")
    log.fill("-60", "12")
    books = Books(lambda *key: log.history(*key)[-1:])
    log.correct(first, "90", "11")
    for entry in log.entries:
        books.apply(entry)
    whole, cut = refold(log.entries), spy(books)
    assert cut.quantity == whole.quantity == D(30)
    assert cut.cost - cut.realized == whole.cost - whole.realized == D(90 * 11 - 60 * 12)


def test_an_adjustment_takes_its_cost_along_and_realizes_nothing(log):
    log.adjust("100", "10")
    log.adjust("-40", "12")
    book = spy(log.books(), "Discretionary")
    assert (book.quantity, book.cost, book.realized) == (D(60), D(600), D(0))


def test_the_same_entry_again_changes_nothing(log):
    fill = log.fill("100", "10")
    books = log.books()
    assert books.apply(fill) == ()
    assert spy(books).quantity == D(100)


def test_a_gap_is_refused_with_the_entry_to_read(log):
    log.fill("1", "1")
    books = log.books()
    log.fill("1", "1")
    with pytest.raises(ValueError, match="entry 3 follows 1: read entry 2 first"):
        books.apply(log.fill("1", "1"))


def test_a_snapshot_carries_everything(log):
    first = log.fill("3", "10.01")
    log.fill("-1", "11")
    log.charge(first, "1", "EUR")
    log.correct(first, "4", "10.01")
    books = log.books()
    again = Books.load(books.dump(), log.history)
    assert list(again) == list(books)
    assert again.seq == books.seq == 4
    assert again.apply(log.fill("1", "12"))[0].before == spy(books)
