"""A book changes as far back as its newest entries reach; what is about something before is booked at its end."""

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from mats.ledger.books import Books, RoundTrips, checkpoints, refold
from mats.ledger.books.trade_matching import round_trips
from mats.model import CommissionRecorded, FillRecorded
from tests.ledger import histories, oracle
from tests.ledger.histories import History
from tests.ledger.test_books_oracle import figures, rows_of, trade_figures

STEPS = 120


def short_reach(monkeypatch, reach, spacing):
    monkeypatch.setattr(checkpoints, "REACH", reach)
    monkeypatch.setattr(checkpoints, "SPACING", spacing)
    monkeypatch.setattr(checkpoints, "LIMIT", 4 * reach)


def played(seed, kind=History, steps=STEPS):
    history = kind(seed)
    for _ in history.play(steps):
        pass
    return history


def charges_of(history):
    def charges(entry):
        before = history.entries[: entry.seq - 1]
        costs = [known for known in before if isinstance(known, CommissionRecorded)]
        return [known for known in costs if known.execution.family == entry.execution.family]

    return charges


@pytest.mark.parametrize(("reach", "spacing"), [(1, 1), (4, 2), (8, 8), (16, 3)])
def test_however_often_a_fold_is_saved_and_loaded_it_comes_to_the_same(monkeypatch, reach, spacing):
    short_reach(monkeypatch, reach, spacing)
    for seed in range(30):
        history = played(seed)
        plain, saved = Books(history.after), Books(history.after)
        trips, loaded = RoundTrips(history.after), RoundTrips(history.after)
        for entry in history.entries:
            plain.apply(entry)
            saved.apply(entry)
            assert trips.apply(entry) == loaded.apply(entry), (seed, entry.seq)
            if (entry.seq + seed) % 7 == 0:
                saved = Books.load(saved.dump(), history.after)
                loaded = RoundTrips.load(loaded.dump(), history.after)
        assert list(plain) == list(saved), seed
        assert [trips.lots(book.key) for book in plain] == [loaded.lots(book.key) for book in plain], seed
        assert [refold(history.of(book.key)) for book in plain] == list(plain), seed


@pytest.mark.parametrize(("reach", "spacing"), [(1, 1), (4, 2), (16, 3)])
def test_every_change_of_a_trade_finds_what_it_replaces(monkeypatch, reach, spacing):
    short_reach(monkeypatch, reach, spacing)
    for seed in range(30):
        history, kept = played(seed), {}
        trips = RoundTrips(history.after)
        for entry in history.entries:
            change = trips.apply(entry)
            for trade in change.removed:
                assert kept.pop((trade.id, trade.exit_time)) == trade, seed
            kept.update(((trade.id, trade.exit_time), trade) for trade in change.kept)
        books = {(trade.account, trade.strategy, trade.instrument) for trade in kept.values()}
        whole = {trade.id: trade for key in books for trade in round_trips(history.of(key))}
        assert {trade.id: trade for trade in kept.values()} == whole, seed


class Near(History):
    """Changes only what the newest executions are about."""

    changeable, latest = 3, 3


def test_what_reaches_no_further_than_it_may_gives_exactly_the_order_of_execution(monkeypatch):
    short_reach(monkeypatch, 48, 4)
    settled = 0
    for seed in range(20):
        history = played(seed, Near, 300)
        books, trips, kept = Books(history.after), RoundTrips(history.after), {}
        for entry in history.entries:
            books.apply(entry)
            change = trips.apply(entry)
            for trade in change.removed:
                del kept[trade.id]
            kept.update((trade.id, trade) for trade in change.kept)
        for book in books:
            settled += book.entries > 2 * 48
            rows = rows_of(history, book.key)
            assert figures(book) == oracle.book(rows, book.currency), (seed, book.key)
            own = {t.id: trade_figures(t) for t in kept.values() if (t.account, t.strategy, t.instrument) == book.key}
            assert own == oracle.trades(rows), (seed, book.key)
    assert settled > 10


@pytest.fixture
def fills_only(monkeypatch):
    plain = [kind for kind in histories.KINDS if kind not in ("adjust", "state", "split")]
    monkeypatch.setattr(histories, "KINDS", plain)


def test_whatever_is_settled_quantity_total_result_and_commissions_are_exact(monkeypatch, fills_only):
    short_reach(monkeypatch, 4, 2)
    for seed in range(30):
        history = played(seed)
        books = Books(history.after, charges=charges_of(history))
        for entry in history.entries:
            books.apply(entry)
        for book in books:
            rows = rows_of(history, book.key)
            expected = oracle.book(rows, book.currency)
            assert figures(book)["quantity"] == expected["quantity"], seed
            assert Fraction(book.cost - book.realized) == expected["cost"] - expected["realized"], seed
            assert figures(book)["commissions"] == expected["commissions"], seed


def test_an_execution_stamped_ahead_of_the_clock_counts_as_booked_when_it_was(log):
    """It makes no later one late, and is closed in its turn."""
    for number in range(4 * checkpoints.REACH):
        fill = log.fill("-10" if number % 2 else "10", "100")
        at = 1_000 * number
        ahead = 10**15 if number == checkpoints.REACH else 0
        log.entries[-1] = replace(fill, recorded=at + 5, execution=replace(fill.execution, time=at + ahead))

    def never(*_):
        raise AssertionError("the past was asked for")

    books, trips, trades = Books(never), RoundTrips(never), []
    for entry in log.entries:
        books.apply(entry)
        trades += trips.apply(entry).kept
    closed = [(trade.entry_id, trade.exit_id) for trade in trades]
    families = [entry.execution.family for entry in log.entries]
    assert closed == list(zip(families[::2], families[1::2], strict=True))
    assert next(iter(books)).time == log.entries[-1].execution.time


def test_a_correction_of_a_settled_execution_is_booked_at_the_end(log, monkeypatch):
    """The old report is taken back at its price, and the new one is booked; the settled trade stays as it was."""
    short_reach(monkeypatch, 2, 1)
    old = log.fill("10", "100")
    for quantity, price in (("-10", "101"), ("5", "100"), ("-5", "103"), ("8", "100")):
        log.fill(quantity, price)
    log.correct(old, "10", "99")
    books, trips, trades = log.books(), RoundTrips(log.history), []
    for entry in log.entries:
        change = trips.apply(entry)
        assert change.removed == ()
        trades += change.kept
    book = next(iter(books))
    assert (book.quantity, book.cost - book.realized) == (8, Decimal(8 * 100 - 10 - 15 - 10))
    assert trades[0].entry_price == 100
    assert sum(isinstance(entry, FillRecorded) for entry in log.entries) == 5
