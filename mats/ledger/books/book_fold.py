"""The fold of one book, entry by entry, and again from an earlier state where the past changes."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from mats.ledger.books.book import Book, charge, with_base_result
from mats.ledger.books.checkpoints import Checkpoints, PastOfBook, is_due, is_short
from mats.ledger.books.cost_basis import adjust, move, trade
from mats.ledger.books.execution_order import Charge, book_key, charge_of, effective_steps, place_of
from mats.model import AdjustmentRecorded, CommissionRecorded, Entry, Execution, FillCorrected, FillRecorded

ChargesOf = Callable[[CommissionRecorded], Sequence[CommissionRecorded]]
"""The commissions that were booked for the same execution before this one, in any of its revisions."""


def no_charges(_: CommissionRecorded) -> Sequence[CommissionRecorded]:
    """Where the past of an execution is not known."""
    return ()


class BookFold:
    """A book, and the earlier states of it that a change of its past is folded from."""

    def __init__(self, book: Book, checkpoints: Checkpoints[Book] | None = None) -> None:
        self.book = book
        self.checkpoints = checkpoints or Checkpoints[Book]()

    def apply(self, entry: Entry, history: PastOfBook, charges: ChargesOf = no_charges) -> Book:
        """The book after the next entry. Where the history cannot be read its error is raised, and nothing has changed.

        Without the past of what it changes an entry is booked at the end: a correction as the reversal of the old
        report and the new one. Then quantity and `cost − realized` are the same, only their split differs.
        """
        changes_past = _changes_past(self.book, entry)
        again = self._refolded(entry, history) if changes_past else None
        after = again or _folded(self.book, entry, charges if changes_past else no_charges)
        newest = max(self.book.time, place_of(entry)) if isinstance(entry, FillRecorded) else self.book.time
        self.book = replace(after, entries=self.book.entries + 1, seq=entry.seq, time=newest)
        if isinstance(entry, FillRecorded):
            self.checkpoints.report(entry)
        if changes_past and again is None:
            self.checkpoints.settle(self.book)
        if is_due(self.book.entries):
            self.checkpoints.add(self.book)
        return self.book

    def _refolded(self, entry: Entry, history: PastOfBook) -> Book | None:
        """The book folded again from where the entry belongs; None where that is settled, or not available."""
        found = self.checkpoints.reach(history, entry, self.book.entries + 1)
        return None if found is None else _refold(*found)


def restored(book: Book, kept: Sequence[Book | None] | None) -> BookFold:
    """The fold of a saved book. One that was saved without its earlier states is settled, if it is long."""
    if kept is None:
        kept = (None,) if is_short(book.entries) else (book,)
    return BookFold(book, Checkpoints(kept))


def empty_book(entry: Entry) -> Book:
    """The flat book before `entry`, its first one."""
    account, strategy, instrument = book_key(entry)
    source = entry if isinstance(entry, AdjustmentRecorded) else entry.execution
    return Book(
        account=account,
        strategy=strategy,
        instrument=instrument,
        currency=source.currency,
        multiplier=source.multiplier,
    )


def _refold(base: Book | None, entries: Sequence[Entry]) -> Book:
    """The book of `entries`, each execution in its latest revision and in the order of execution.

    They add to `base`, the book as it was before them, or to the empty book.
    """
    base = base or empty_book(entries[0])
    effective = effective_steps(entries, base.time)
    book = base
    for cost in effective.charges.values():
        book = _charged(book, cost)
    for step in effective.steps:
        if isinstance(step, AdjustmentRecorded):
            book = _adjusted(book, step)
        else:
            book = _traded(book, step.execution, step.rate)
            book = _charged(book, step.charge) if step.charge else book
    corrected = base.corrected.union(e.execution.family for e in entries if isinstance(e, FillCorrected))
    return replace(book, corrected=corrected)


def _changes_past(book: Book, entry: Entry) -> bool:
    """Whether an entry belongs before the end of the book, or replaces an earlier one."""
    match entry:
        case FillRecorded():
            return place_of(entry) < book.time
        case FillCorrected():
            return True
        case CommissionRecorded():
            return entry.previous is not None or entry.execution.family in book.corrected
        case AdjustmentRecorded():
            return False


def _folded(book: Book, entry: Entry, charges: ChargesOf) -> Book:
    """The book after `entry`, booked at its end."""
    match entry:
        case FillRecorded():
            return _traded(book, entry.execution, entry.rate)
        case CommissionRecorded():
            return _recharged(book, entry, charges(entry))
        case AdjustmentRecorded():
            return _adjusted(book, entry)
        case FillCorrected():
            old = entry.previous
            undone = with_base_result(
                book, trade(book, old.signed_quantity.copy_negate(), old.price, old.multiplier), entry.rate
            )
            fixed = _traded(undone, entry.execution, entry.rate)
            return replace(fixed, corrected=book.corrected | {entry.execution.family})


def _traded(book: Book, execution: Execution, rate: Decimal | None) -> Book:
    return with_base_result(book, trade(book, execution.signed_quantity, execution.price, execution.multiplier), rate)


def _adjusted(book: Book, entry: AdjustmentRecorded) -> Book:
    if entry.cost is not None:
        return with_base_result(book, move(book, entry.quantity, entry.cost, entry.realized), entry.rate)
    return adjust(book, entry.quantity, entry.price, entry.multiplier)


def _charged(book: Book, cost: Charge) -> Book:
    return charge(book, cost.amount, cost.currency, cost.rate)


def _recharged(book: Book, entry: CommissionRecorded, earlier: Sequence[CommissionRecorded]) -> Book:
    """The book with the commission of `entry` in place of the one that has counted for its execution, if one has."""
    counted = max(earlier, key=lambda known: (known.execution.revision, known.seq), default=None)
    if counted is not None and counted.execution.revision > entry.execution.revision:
        return book
    if entry.previous is not None:
        book = charge(book, entry.previous.amount.copy_negate(), entry.previous.currency, entry.rate)
    elif counted is not None:
        old = charge_of(counted)
        book = charge(book, old.amount.copy_negate(), old.currency, old.rate)
    return _charged(book, charge_of(entry))
