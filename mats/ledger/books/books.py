"""All books: the fold of the fill log into what each strategy holds."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import repeat

import msgspec

from mats.ledger.books.book import Book, BookChange, BookKey
from mats.ledger.books.book_fold import BookFold, ChargesOf, empty_book, no_charges, restored
from mats.ledger.books.checkpoints import is_short
from mats.ledger.books.execution_order import History, Prefix, book_key
from mats.model import EXACT, ZERO, AccountId, Entry, InstrumentId, StrategyName


def refold(entries: Sequence[Entry]) -> Book:
    """The book of `entries`, all of one book in the order of the log, folded one by one."""
    fold = BookFold(empty_book(entries[0]))
    for number, entry in enumerate(entries, 1):
        fold.apply(entry, Prefix(entries, number))
    return fold.book


class _Snapshot(msgspec.Struct, frozen=True):
    """`kept` are the earlier states of each of the books; a state that was saved without them has none."""

    seq: int
    books: tuple[Book, ...]
    kept: tuple[tuple[Book | None, ...], ...] | msgspec.UnsetType = msgspec.UNSET


class Books:
    """Every book, up to entry `seq` of the log.

    `history` serves entries that change the past, which are rare: corrections and late fills. What came after the
    execution that they change is folded again, unless the book is settled there (see `checkpoints`); then they are
    booked at the end. It must include the entry itself, and may reach beyond it. `charges` serves the commissions of
    executions that were corrected when they were settled.
    """

    def __init__(
        self, history: History, books: Sequence[Book] = (), seq: int = 0, charges: ChargesOf = no_charges
    ) -> None:
        self.seq = seq
        self._history, self._charges = history, charges
        self._folds: dict[BookKey, BookFold] = {}
        self._strategies: dict[tuple[AccountId, InstrumentId], set[StrategyName]] = {}
        self._nets: dict[tuple[AccountId, InstrumentId], Decimal] = {}
        for book in books:
            self._restore(book, None)

    def apply(self, entry: Entry) -> tuple[BookChange, ...]:
        """Fold the next entry. One that is folded already changes nothing; a gap raises ValueError."""
        if entry.seq <= self.seq:
            return ()
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} follows {self.seq}: read entry {self.seq + 1} first")
        key = book_key(entry)
        fold = self._folds.get(key)
        before = fold.book if fold else None
        fold = fold or BookFold(empty_book(entry))
        after = fold.apply(entry, partial(self._history, *key), self._charges)
        self._folds[key] = fold
        self._count(before, after)
        self.seq = entry.seq
        return (BookChange(seq=entry.seq, before=before, after=after),)

    def get(self, account: AccountId, strategy: StrategyName, instrument: InstrumentId) -> Book | None:
        """The book, or None where the strategy never traded the instrument."""
        fold = self._folds.get((account, strategy, instrument))
        return fold.book if fold else None

    def of_instrument(self, account: AccountId, instrument: InstrumentId) -> tuple[Book, ...]:
        """The books of all strategies, `Discretionary` included, in one instrument; by strategy name."""
        names = sorted(self._strategies.get((account, instrument), ()))
        return tuple(self._folds[account, name, instrument].book for name in names)

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
        return (fold.book for fold in self._folds.values())

    def __len__(self) -> int:
        return len(self._folds)

    def dump(self) -> bytes:
        """The state as bytes."""
        folds = self._folds.values()
        are_needed = any(fold.checkpoints.kept != (None,) or not is_short(fold.book.entries) for fold in folds)
        kept = tuple(fold.checkpoints.kept for fold in folds) if are_needed else msgspec.UNSET
        return msgspec.msgpack.encode(_Snapshot(self.seq, tuple(self), kept))

    @classmethod
    def load(cls, payload: bytes, history: History, charges: ChargesOf = no_charges) -> "Books":
        """The books of a `dump`."""
        snapshot = msgspec.msgpack.decode(payload, type=_Snapshot)
        loaded = cls(history, seq=snapshot.seq, charges=charges)
        earlier = repeat(None) if snapshot.kept is msgspec.UNSET else snapshot.kept
        for book, kept in zip(snapshot.books, earlier, strict=False):
            loaded._restore(book, kept)
        return loaded

    def _restore(self, book: Book, kept: Sequence[Book | None] | None) -> None:
        self._folds[book.key] = restored(book, kept)
        self._count(None, book)

    def _count(self, before: Book | None, book: Book) -> None:
        """Keep up what the books of an instrument add up to."""
        place = (book.account, book.instrument)
        held = before.quantity if before else ZERO
        if book.quantity is not held:
            self._nets[place] = EXACT.add(self._nets.get(place, ZERO), EXACT.subtract(book.quantity, held))
        if before is None:
            self._strategies.setdefault(place, set()).add(book.strategy)
