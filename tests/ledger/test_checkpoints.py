"""What changes the past is folded again from the newest state that it leaves as it is, and what falls out is found."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.ledger.books import Books, RoundTrips, refold
from mats.ledger.books import uncharged as queue
from mats.ledger.books.checkpoints import LIMIT, REACH, SPACING
from mats.ledger.books.trade_matching import round_trips


class Journal:
    """A log that counts the entries it serves."""

    def __init__(self, log):
        self.log, self.served = log, 0

    def __call__(self, account, strategy, instrument, after=0):
        entries = self.log.history(account, strategy, instrument, after)
        self.served += len(entries)
        return entries


@pytest.fixture
def long(log):
    """A book that is bought and sold in turn, five seconds apart, two thousand times."""
    for number in range(2_000):
        log.fill("-10" if number % 2 else "10", "100")
        at = log.entries[-1]
        log.entries[-1] = replace(at, execution=replace(at.execution, time=5 * number))
    return log


def folded(kind, journal):
    fold = kind(journal)
    for entry in journal.log.entries:
        fold.apply(entry)
    return fold


REACHED = [1, 10, 50, REACH - 1]


@pytest.mark.parametrize("back", REACHED)
@pytest.mark.parametrize("kind", [Books, RoundTrips])
def test_a_correction_of_what_is_not_settled_reads_about_what_it_reaches_back(long, kind, back):
    journal = Journal(long)
    fold = folded(kind, journal)
    assert journal.served == 0
    change = long.correct(long.entries[-back], "7", "101")
    fold.apply(change)
    assert back <= journal.served <= 4 * (2 * back + SPACING)


@pytest.mark.parametrize("back", REACHED)
@pytest.mark.parametrize("kind", [Books, RoundTrips])
def test_a_late_fill_behind_what_is_settled_reads_about_what_it_reaches_back(long, kind, back):
    journal = Journal(long)
    fold = folded(kind, journal)
    fold.apply(late(long, back))
    assert back <= journal.served <= 4 * (2 * back + SPACING)


@pytest.mark.parametrize("back", [2 * REACH + SPACING, 500, 1_900])
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("kind", [Books, RoundTrips])
def test_what_changes_a_settled_past_reads_nothing(long, kind, restarted, back):
    journal = Journal(long)
    fold = folded(kind, journal)
    for number in range(3):
        if restarted:
            fold = kind.load(fold.dump(), journal)
        old = long.entries[-back - number]
        for entry in (late(long, back - number), fixed := long.correct(old, "7", "101")):
            fold.apply(entry)
        charge = long.charge(fixed, "1")
        for entry in (charge, replace(long.charge(fixed, "1.5"), previous=charge.commission)):
            fold.apply(entry)
    assert journal.served == 0


@pytest.mark.parametrize("kind", [Books, RoundTrips])
def test_changes_of_the_past_that_come_again_and_again_reach_no_further_each_time(long, kind):
    """Each leaves no newer state to fold from; the book is settled all the same."""
    journal = Journal(long)
    fold = folded(kind, journal)
    first = long.entries[-1]
    at = first.execution.time
    for _ in range(20):
        for _ in range(SPACING - 1):
            fold.apply(later(long, at))
        first = long.correct(first, "7", "101")
        first = long.entries[-1] = replace(first, execution=replace(first.execution, time=at))
        before = journal.served
        fold.apply(first)
        assert journal.served - before <= 2 * (LIMIT + SPACING)


def test_a_saved_state_is_one_to_fold_again_from(long):
    journal = Journal(long)
    books = Books.load(folded(Books, journal).dump(), journal)
    trips = RoundTrips.load(folded(RoundTrips, journal).dump(), journal)
    fill = later(long, 10_001)
    change = long.correct(fill, "7", "101")
    for entry in (fill, change):
        books.apply(entry)
        trips.apply(entry)
    assert journal.served <= 2 * (SPACING + 2)
    assert books.get("DU1", "trend", "SPY") == refold(long.entries)


def late(log, back):
    """A fill that was executed before the newest `back` ones of `long`."""
    return later(log, 5 * (2_000 - back) - 1)


def later(log, time):
    fill = log.fill("3", "99")
    log.entries[-1] = replace(fill, execution=replace(fill.execution, time=time))
    return log.entries[-1]


def test_commissions_that_come_behind_more_executions_than_are_kept_are_read_a_page_at_a_time(log, monkeypatch):
    monkeypatch.setattr(queue, "MAX_UNCHARGED", 100)
    fills = [log.fill("1", "100") for _ in range(300)] + [log.fill("-1", "101") for _ in range(300)]
    reads = []

    def journal(account, strategy, instrument, after=0):
        reads.append(after)
        return log.history(account, strategy, instrument, after)

    trips, kept = RoundTrips(journal), {}
    for entry in [*fills, *(log.charge(fill, "0.5") for fill in fills)]:
        change = trips.apply(entry)
        assert change.removed == ()
        kept.update((trade.id, trade) for trade in change.kept)
    assert kept == {trade.id: trade for trade in round_trips(log.entries)}
    assert all(trade.net == 0 for trade in kept.values())
    assert len(reads) < 600 // 10


def test_the_commission_of_an_open_lot_reads_nothing_though_others_were_forgotten(log, monkeypatch):
    monkeypatch.setattr(queue, "MAX_UNCHARGED", 2)
    journal = Journal(log)
    for number in range(10):
        log.fill("-1" if number % 2 else "1", "100")
    last = log.fill("1", "100")
    trips = folded(RoundTrips, journal)
    trips.apply(log.charge(last, "0.5"))
    (lot,) = trips.lots(("DU1", "trend", "SPY"))
    assert lot.charge is not None
    assert lot.charge.amount == Decimal("0.5")
    assert journal.served == 0


def test_what_one_book_waits_for_is_forgotten_before_the_newest_of_all_books(log, monkeypatch):
    monkeypatch.setattr(queue, "MAX_UNCHARGED", 4)
    old = [log.fill(quantity, "100", "old") for quantity in ("1", "-1")]
    new = [log.fill(quantity, "100", "new") for quantity in ("1", "-1", "1", "-1")]
    journal = Journal(log)
    trips = folded(RoundTrips, journal)
    for fill in new:
        trips.apply(log.charge(fill, "1"))
    assert journal.served == 0
    (change,) = trips.apply(log.charge(old[1], "1")).kept
    assert journal.served == 3
    assert (change.commissions, change.uncharged) == ({"USD": Decimal(1)}, (old[0].execution.family,))


@pytest.mark.parametrize("kind", [Books, RoundTrips])
def test_an_entry_whose_past_cannot_be_read_changes_nothing_and_can_be_folded_later(long, kind):
    class Away(Journal):
        away = False

        def __call__(self, account, strategy, instrument, after=0):
            if self.away:
                raise OSError("the store is away")
            return super().__call__(account, strategy, instrument, after)

    journal, healthy = Away(long), folded(kind, Journal(long))
    fold = folded(kind, journal)
    change = long.correct(long.entries[-100], "7", "101")
    before, journal.away = fold.dump(), True
    with pytest.raises(OSError, match="away"):
        fold.apply(change)
    assert fold.dump() == before
    journal.away = False
    assert fold.apply(change) == healthy.apply(change)
