"""All books: the fold of the fill log into what each strategy holds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

import msgspec
from msgspec.structs import replace

from mats.ledger.books.book import Book, BookChange, BookKey, charge, with_base_result
from mats.ledger.books.checkpoints import SPACING, Checkpoints, is_due
from mats.ledger.books.cost_basis import adjust, move, trade
from mats.ledger.books.execution_order import Charge, History, book_key, charge_of, effective_steps
from mats.model import (
    EXACT,
    ZERO,
    AccountId,
    AdjustmentRecorded,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    InstrumentId,
    StrategyName,
)


def refold(entries: Sequence[Entry], base: Book | None = None) -> Book:
    """The book of `entries`, all of one book, each execution in its latest revision and in the order of execution.

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
    return replace(
        book,
        entries=base.entries + len(entries),
        seq=entries[-1].seq,
        time=effective.newest,
        corrected=base.corrected.union(e.execution.family for e in entries if isinstance(e, FillCorrected)),
    )


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


def _traded(book: Book, execution: Execution, rate: Decimal | None) -> Book:
    return with_base_result(book, trade(book, execution.signed_quantity, execution.price, execution.multiplier), rate)


def _adjusted(book: Book, entry: AdjustmentRecorded) -> Book:
    if entry.cost is not None:
        return with_base_result(book, move(book, entry.quantity, entry.cost, entry.realized), entry.rate)
    return adjust(book, entry.quantity, entry.price, entry.multiplier)


def _charged(book: Book, cost: Charge) -> Book:
    return charge(book, cost.amount, cost.currency, cost.rate)


def _folded(book: Book, entry: Entry) -> Book:
    """The book after `entry`, where no folded entry is of a later time."""
    match entry:
        case FillRecorded():
            return _traded(book, entry.execution, entry.rate)
        case CommissionRecorded():
            return _charged(_uncharged(book, entry), charge_of(entry))
        case AdjustmentRecorded():
            return _adjusted(book, entry)
        case FillCorrected():
            old = entry.previous
            undone = with_base_result(
                book, trade(book, old.signed_quantity.copy_negate(), old.price, old.multiplier), entry.rate
            )
            fixed = _traded(undone, entry.execution, entry.rate)
            return replace(fixed, corrected=book.corrected | {entry.execution.family})


def _uncharged(book: Book, entry: CommissionRecorded) -> Book:
    """The book without the commission that `entry` replaces."""
    if entry.previous is None:
        return book
    return charge(book, entry.previous.amount.copy_negate(), entry.previous.currency, entry.rate)


class _Snapshot(msgspec.Struct, frozen=True):
    seq: int
    books: tuple[Book, ...]


class Books:
    """Every book, up to entry `seq` of the log.

    `history` serves entries that change the past, which are rare: corrections and late fills. What came after the
    execution that they change is folded again. It must include the entry itself, and may reach beyond it. Without the
    past they are booked at the end: a correction as the reversal of the old report and the new one. Then quantity and
    `cost − realized` are the same, only their split differs.
    """

    def __init__(self, history: History, books: Sequence[Book] = (), seq: int = 0) -> None:
        self.seq = seq
        self._history = history
        self._books: dict[BookKey, Book] = {}
        self._checkpoints: defaultdict[BookKey, Checkpoints[Book]] = defaultdict(Checkpoints)
        self._strategies: dict[tuple[AccountId, InstrumentId], set[StrategyName]] = {}
        self._nets: dict[tuple[AccountId, InstrumentId], Decimal] = {}
        for book in books:
            self._put(None, book)
            if book.entries > SPACING:
                self._checkpoints[book.key].add(book)

    def apply(self, entry: Entry) -> tuple[BookChange, ...]:
        """Fold the next entry. One that is folded already changes nothing; a gap raises ValueError."""
        if entry.seq <= self.seq:
            return ()
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} follows {self.seq}: read entry {self.seq + 1} first")
        before = self._books.get(book_key(entry))
        book = before or empty_book(entry)
        after = (self._refolded(book, entry) if _changes_past(book, entry) else None) or _folded(book, entry)
        newest = max(book.time, entry.execution.time) if isinstance(entry, FillRecorded) else book.time
        after = replace(after, entries=book.entries + 1, seq=entry.seq, time=newest)
        self._put(before, after)
        if is_due(after.entries):
            self._checkpoints[after.key].add(after)
        self.seq = entry.seq
        return (BookChange(seq=entry.seq, before=before, after=after),)

    def get(self, account: AccountId, strategy: StrategyName, instrument: InstrumentId) -> Book | None:
        """The book, or None where the strategy never traded the instrument."""
        return self._books.get((account, strategy, instrument))

    def of_instrument(self, account: AccountId, instrument: InstrumentId) -> tuple[Book, ...]:
        """The books of all strategies, `Discretionary` included, in one instrument; by strategy name."""
        names = sorted(self._strategies.get((account, instrument), ()))
        return tuple(self._books[account, name, instrument] for name in names)

    def of_strategy(self, strategy: StrategyName) -> tuple[Book, ...]:
        """The books of one strategy in all accounts and instruments."""
        return tuple(book for book in self if book.strategy == strategy)

    def net(self, account: AccountId, instrument: InstrumentId) -> Decimal:
        """Σ strategies + `Discretionary`: what the broker should hold."""
        return self._nets.get((account, instrument), ZERO)

    @property
    def nets(self) -> Mapping[tuple[AccountId, InstrumentId], Decimal]:
        """`net` of every account and instrument that has a book, kept up with each entry."""
        return self._nets

    def __iter__(self) -> Iterator[Book]:
        return iter(self._books.values())

    def __len__(self) -> int:
        return len(self._books)

    def dump(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(_Snapshot(self.seq, tuple(self._books.values())))

    @classmethod
    def load(cls, payload: bytes, history: History) -> "Books":
        """The books of a `dump`."""
        snapshot = msgspec.msgpack.decode(payload, type=_Snapshot)
        return cls(history, snapshot.books, snapshot.seq)

    def _put(self, before: Book | None, book: Book) -> None:
        place = (book.account, book.instrument)
        held = before.quantity if before else ZERO
        if book.quantity is not held:
            self._nets[place] = EXACT.add(self._nets.get(place, ZERO), EXACT.subtract(book.quantity, held))
        if before is None:
            self._strategies.setdefault(place, set()).add(book.strategy)
        self._books[book.key] = book

    def _refolded(self, book: Book, entry: Entry) -> Book | None:
        """The book folded again from where the entry belongs, where all entries since then are available."""
        history = partial(self._history, *book.key)
        found = self._checkpoints[book.key].reach(history, entry, book.entries + 1)
        if found is None:
            return None
        base, later = found
        return refold(later, base)


def _changes_past(book: Book, entry: Entry) -> bool:
    """Whether an entry belongs before the end of the book, or replaces an earlier one."""
    match entry:
        case FillRecorded():
            return entry.execution.time < book.time
        case FillCorrected():
            return True
        case CommissionRecorded():
            return entry.previous is not None or entry.execution.family in book.corrected
        case AdjustmentRecorded():
            return False
