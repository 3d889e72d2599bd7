"""All books: the fold of the fill log into what each strategy holds."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.ledger.book import Book, BookChange, BookKey, adjust, move, trade
from mats.model.executions import AdjustmentRecorded, CommissionRecorded, Entry, Execution, FillCorrected, FillRecorded
from mats.model.instrument import InstrumentId
from mats.model.money import ZERO, Currency
from mats.model.orders import AccountId, StrategyName

History = Callable[[AccountId, StrategyName, InstrumentId], Sequence[Entry]]
"""All entries of one book in the order of the log, up to the one being applied at least."""


def key_of(entry: Entry) -> BookKey:
    """The book that an entry belongs to."""
    if isinstance(entry, AdjustmentRecorded):
        return entry.account, entry.strategy, entry.instrument
    return entry.execution.account, entry.strategy, entry.execution.instrument


def latest(entries: Sequence[Entry]) -> tuple[dict[str, Execution], dict[str, CommissionRecorded]]:
    """By execution family, in the order of their first reports: the latest revision, and the commission that holds.

    The commission of a later revision replaces that of an earlier one.
    """
    executions: dict[str, Execution] = {}
    commissions: dict[str, CommissionRecorded] = {}
    for entry in entries:
        if isinstance(entry, FillRecorded | FillCorrected):
            executions[entry.execution.family] = entry.execution
        elif isinstance(entry, CommissionRecorded):
            known = commissions.get(entry.execution.family)
            if known is None or entry.execution.revision >= known.execution.revision:
                commissions[entry.execution.family] = entry
    return executions, commissions


def refold(entries: Sequence[Entry]) -> Book:
    """The book of `entries`, all of one book: each execution at its latest revision, in the place of its first one."""
    executions, commissions = latest(entries)
    book = empty_book(entries[0])
    for entry in entries:
        if isinstance(entry, AdjustmentRecorded):
            book = _adjusted(book, entry)
        elif entry.execution.family in executions and not isinstance(entry, CommissionRecorded):
            book = _traded(book, executions.pop(entry.execution.family))
    for recorded in commissions.values():
        book = _charged(book, recorded.commission.currency, recorded.commission.amount)
    corrected = frozenset(e.execution.family for e in entries if isinstance(e, FillCorrected))
    return replace(book, entries=len(entries), seq=entries[-1].seq, corrected=corrected)


def empty_book(entry: Entry) -> Book:
    """The flat book that `entry` will be the first to touch."""
    account, strategy, instrument = key_of(entry)
    source = entry if isinstance(entry, AdjustmentRecorded) else entry.execution
    return Book(
        account=account,
        strategy=strategy,
        instrument=instrument,
        currency=source.currency,
        multiplier=source.multiplier,
    )


def _traded(book: Book, execution: Execution) -> Book:
    return trade(book, execution.signed_quantity, execution.price, execution.multiplier)


def _adjusted(book: Book, entry: AdjustmentRecorded) -> Book:
    if entry.cost is not None:
        return move(book, entry.quantity, entry.cost, entry.realized)
    return adjust(book, entry.quantity, entry.price, entry.multiplier)


def _charged(book: Book, currency: Currency, amount: Decimal) -> Book:
    total = book.commissions.get(currency, ZERO) + amount
    return replace(book, commissions={**book.commissions, currency: total})


def _folded(book: Book, entry: Entry) -> Book:
    """The book after `entry` alone. A correction without its history is undone at its old price and booked anew."""
    match entry:
        case FillRecorded():
            return _traded(book, entry.execution)
        case CommissionRecorded():
            return _charged(book, entry.commission.currency, entry.commission.amount)
        case AdjustmentRecorded():
            return _adjusted(book, entry)
        case FillCorrected():
            previous = entry.previous
            undone = trade(book, -previous.signed_quantity, previous.price, previous.multiplier)
            return replace(_traded(undone, entry.execution), corrected=book.corrected | {entry.execution.family})


class _Snapshot(msgspec.Struct, frozen=True):
    seq: int
    books: tuple[Book, ...]


class Books:
    """Every book, up to entry `seq` of the log.

    `history` serves corrections, which are rare: it must include the correction itself, and may reach beyond it.
    """

    def __init__(self, history: History, books: Sequence[Book] = (), seq: int = 0) -> None:
        self.seq = seq
        self._history = history
        self._books: dict[BookKey, Book] = {}
        self._strategies: dict[tuple[AccountId, InstrumentId], set[StrategyName]] = {}
        for book in books:
            self._put(book)

    def apply(self, entry: Entry) -> tuple[BookChange, ...]:
        """Fold the next entry. One that is folded already changes nothing; a gap raises ValueError."""
        if entry.seq <= self.seq:
            return ()
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} follows {self.seq}: ask the fill log for entry {self.seq + 1} first")
        before = self._books.get(key_of(entry))
        book = before or empty_book(entry)
        after = self._corrected(book, entry) or _folded(book, entry)
        after = replace(after, entries=book.entries + 1, seq=entry.seq)
        self._put(after)
        self.seq = entry.seq
        return (BookChange(seq=entry.seq, before=before, after=after),)

    def get(self, account: AccountId, strategy: StrategyName, instrument: InstrumentId) -> Book | None:
        """The book, or None where the strategy never touched the instrument."""
        return self._books.get((account, strategy, instrument))

    def of_instrument(self, account: AccountId, instrument: InstrumentId) -> tuple[Book, ...]:
        """The books of all strategies, `Discretionary` included, in one instrument; by strategy name."""
        names = sorted(self._strategies.get((account, instrument), ()))
        return tuple(self._books[account, name, instrument] for name in names)

    def of_strategy(self, strategy: StrategyName) -> tuple[Book, ...]:
        """The books of one strategy in all accounts and instruments."""
        return tuple(book for book in self if book.strategy == strategy)

    def net(self, account: AccountId, instrument: InstrumentId) -> Decimal:
        """Σ strategies + `Discretionary`: what the broker must hold."""
        return sum((book.quantity for book in self.of_instrument(account, instrument)), ZERO)

    def instruments(self) -> frozenset[tuple[AccountId, InstrumentId]]:
        """Every account and instrument that has a book."""
        return frozenset(self._strategies)

    def __iter__(self) -> Iterator[Book]:
        return iter(self._books.values())

    def __len__(self) -> int:
        return len(self._books)

    def dump(self) -> bytes:
        """Everything as bytes for a snapshot."""
        return msgspec.msgpack.encode(_Snapshot(self.seq, tuple(self._books.values())))

    @classmethod
    def load(cls, payload: bytes, history: History) -> "Books":
        """The books of `dump`."""
        snapshot = msgspec.msgpack.decode(payload, type=_Snapshot)
        return cls(history, snapshot.books, snapshot.seq)

    def _put(self, book: Book) -> None:
        self._books[book.key] = book
        self._strategies.setdefault((book.account, book.instrument), set()).add(book.strategy)

    def _corrected(self, book: Book, entry: Entry) -> Book | None:
        """The refolded book where an entry changes the past, and the whole past is still there to refold."""
        changes_past = isinstance(entry, FillCorrected) or (
            isinstance(entry, CommissionRecorded) and entry.execution.family in book.corrected
        )
        if not changes_past:
            return None
        past = [known for known in self._history(*book.key) if known.seq <= entry.seq]
        return refold(past) if len(past) == book.entries + 1 else None
