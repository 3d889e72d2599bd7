"""Round trips of all books: the fold of the fill log into completed trades, entry by entry.

Executions count in their latest revision, in the order of `mats.ledger.books.history`. An adjustment opens at its
price. Units that it removes make a trade at its price where it has a P&L, as an expiry does; else they leave without
one, because no sale is known. An adjustment of the quantity at unchanged cost is a split.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from mats.ledger.books.book import BookKey
from mats.ledger.books.history import Charge, Executed, History, Step, book_key, charge_of, effective_steps
from mats.ledger.books.lots import Lot, Matching, OpenLots, UnchargedExecution
from mats.ledger.books.trades import Trade
from mats.model import (
    EXACT,
    ONE,
    ZERO,
    AdjustmentRecorded,
    CommissionRecorded,
    Currency,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    IntentId,
    Nanos,
)


class TradeChange(msgspec.Struct, frozen=True):
    """The trades that an entry changed: `kept` are new or replace those with their id; `removed` no longer exist.

    A removed trade is given as it was. One whose closing time changed is removed and kept.
    """

    kept: tuple[Trade, ...] = ()
    removed: tuple[Trade, ...] = ()


NO_CHANGE = TradeChange()


def round_trips(entries: Sequence[Entry], matching: Matching = "fifo") -> tuple[Trade, ...]:
    """The completed trades of one book, each execution at its latest revision and with its share of commissions."""
    return tuple(_refolded(entries, matching)[1]) if entries else ()


class RoundTrips:
    """The open lots of every book, up to entry `seq` of the log; completed trades are returned and not kept.

    `history` serves entries that change the past, as for `Books`. Without the whole past a correction is undone at its
    old price and booked again, a late fill counts at the end, and an older commission changes no trade.
    """

    def __init__(self, history: History, matching: Matching = "fifo") -> None:
        self.seq = 0
        self._history, self.matching = history, matching
        self._books: dict[BookKey, _Book] = {}

    def apply(self, entry: Entry) -> TradeChange:
        """Fold the next entry. One that is folded already changes nothing; a gap raises ValueError.

        Where the history cannot be read its error is raised, and nothing has changed.
        """
        if entry.seq <= self.seq:
            return NO_CHANGE
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} follows {self.seq}: read entry {self.seq + 1} first")
        key = book_key(entry)
        book = self._books.get(key) or self._books.setdefault(key, _Book(_lots_of(entry, self.matching)))
        change = self._refold_change(key, book, entry) if book.changes_past(entry) else None
        if change is None:
            change = self._folded_change(key, book, entry)
        self.seq = entry.seq
        return change

    def _folded_change(self, key: BookKey, book: "_Book", entry: Entry) -> TradeChange:
        """The change by an entry at the end of the book; the past is read for a commission of what was evicted."""
        counted = book.entries, book.seq
        trades = book.folded(entry)
        if trades is None:
            try:
                return self._refold_change(key, book, entry) or NO_CHANGE
            except BaseException:
                book.entries, book.seq = counted
                raise
        return TradeChange(tuple(trades)) if trades else NO_CHANGE

    def lots(self, key: BookKey) -> tuple[Lot, ...]:
        """The open lots of a book, oldest first: its position transactions."""
        return tuple(self._books[key].lots.lots.values()) if key in self._books else ()

    def dump(self) -> bytes:
        """The state as bytes."""
        books = [_saved(book) for book in self._books.values()]
        return msgspec.msgpack.encode(_Snapshot(self.seq, books, self.matching))

    @classmethod
    def load(cls, payload: bytes, history: History) -> "RoundTrips":
        """The state of a `dump`, under the method it was folded with."""
        snapshot = msgspec.msgpack.decode(payload, type=_Snapshot)
        loaded = cls(history, snapshot.matching)
        loaded.seq = snapshot.seq
        loaded._books = {saved.key: _restored(saved, snapshot.matching) for saved in snapshot.books}
        return loaded

    def rematch(self, matching: Matching) -> TradeChange:
        """Fold every book again under another method; the change of all trades there ever were.

        Raises ValueError, without a change, where the past of a book is incomplete: methods are never mixed.
        """
        changes, books = [], {}
        for key, book in self._books.items():
            whole = self._history(*key)
            past = [known for known in whole if known.seq <= self.seq]
            if len(past) != book.entries:
                raise ValueError(
                    f"{len(past)} of the {book.entries} entries of {'/'.join(key)} are available, so its trades cannot"
                    f" be matched {matching}; set portfolio.matching back to {self.matching}"
                )
            before = round_trips(whole, self.matching)  # trades of later entries may be stored; they are returned again
            books[key], after = _refolded(past, matching)
            changes.append(_change(before, after))
        self.matching, self._books = matching, books
        kept = (trade for change in changes for trade in change.kept)
        return TradeChange(tuple(kept), tuple(trade for change in changes for trade in change.removed))

    def _refold_change(self, key: BookKey, book: "_Book", entry: Entry) -> TradeChange | None:
        """The trades of a book before and after an entry that changes its past; None where that past is not whole."""
        past = [known for known in self._history(*key) if known.seq <= entry.seq]
        if len(past) != book.entries + (0 if book.seq == entry.seq else 1):
            return None
        before = round_trips(past[:-1], self.matching)
        self._books[key], after = _refolded(past, self.matching)
        return _change(before, after)


class _Book:
    """The lots of one book, and what tells whether an entry changes its past."""

    def __init__(self, lots: OpenLots) -> None:
        self.lots = lots
        self.entries = self.seq = 0
        self.time: Nanos = 0
        self.corrected: set[str] = set()

    def changes_past(self, entry: Entry) -> bool:
        """Whether an entry belongs before the end of the book, or replaces an earlier one."""
        match entry:
            case FillRecorded():
                return entry.execution.time < self.time
            case FillCorrected():
                return True
            case CommissionRecorded():
                return entry.previous is not None or entry.execution.family in self.corrected
            case AdjustmentRecorded():
                return False

    def folded(self, entry: Entry) -> list[Trade] | None:
        """The trades that `entry` makes or changes, where no later one is folded; None where evicted."""
        self.entries += 1
        self.seq = entry.seq
        match entry:
            case FillRecorded():
                self.time = max(self.time, entry.execution.time)
                return self.lots.apply(_lot(entry.execution, entry.intent_id, entry.rate, None))
            case CommissionRecorded():
                return [] if self.changes_past(entry) else self.lots.charge(entry.execution.family, charge_of(entry))
            case AdjustmentRecorded():
                return _adjusted(self.lots, entry)
            case FillCorrected():
                self.corrected.add(entry.execution.family)
                return self.lots.apply(_undoing(entry)) + self.lots.apply(_replacement(entry))


class _Saved(msgspec.Struct):
    """A book in a saved state."""

    key: BookKey
    currency: Currency
    multiplier: Decimal
    lots: list[Lot]
    waiting: dict[str, UnchargedExecution]
    unfinished: list[Trade]
    forgetful: bool
    entries: int
    seq: int
    time: Nanos
    corrected: list[str]


class _Snapshot(msgspec.Struct):
    seq: int
    books: list[_Saved]
    matching: Matching = "fifo"


def _saved(book: _Book) -> _Saved:
    lots = book.lots
    return _Saved(
        key=lots.key,
        currency=lots.currency,
        multiplier=lots.multiplier,
        lots=list(lots.lots.values()),
        waiting=lots.waiting,
        unfinished=list(lots.unfinished.values()),
        forgetful=lots.forgetful,
        entries=book.entries,
        seq=book.seq,
        time=book.time,
        corrected=sorted(book.corrected),
    )


def _restored(saved: _Saved, matching: Matching) -> _Book:
    lots = OpenLots(saved.key, saved.currency, saved.multiplier, matching)
    lots.lots.update((lot.id, lot) for lot in saved.lots)
    lots.waiting, lots.forgetful = saved.waiting, saved.forgetful
    lots.unfinished = {trade.id: trade for trade in saved.unfinished}
    book = _Book(lots)
    book.entries, book.seq, book.time, book.corrected = saved.entries, saved.seq, saved.time, set(saved.corrected)
    return book


def _change(before: Sequence[Trade], after: Sequence[Trade]) -> TradeChange:
    known = {trade.id: trade for trade in before}
    places = {(trade.id, trade.exit_time) for trade in after}
    return TradeChange(
        kept=tuple(trade for trade in after if known.get(trade.id) != trade),
        removed=tuple(trade for trade in known.values() if (trade.id, trade.exit_time) not in places),
    )


def _refolded(entries: Sequence[Entry], matching: Matching) -> tuple[_Book, list[Trade]]:
    """A book from its whole history, and its completed trades."""
    steps, newest = effective_steps(entries)
    book = _Book(_lots_of(entries[0], matching))
    trades = [trade for step in steps for trade in _stepped(book.lots, step)]
    book.entries, book.seq, book.time = len(entries), entries[-1].seq, newest
    book.corrected = {e.execution.family for e in entries if isinstance(e, FillCorrected)}
    return book, trades


def _stepped(lots: OpenLots, step: Step) -> Iterator[Trade]:
    if isinstance(step, Executed):
        yield from lots.apply(_lot(step.execution, step.intent_id, step.rate, step.charge))
    else:
        yield from _adjusted(lots, step)


def _adjusted(lots: OpenLots, entry: AdjustmentRecorded) -> list[Trade]:
    """The trades of an adjustment; units that it adds have no commission."""
    lot = Lot(
        id=f"adjustment-{entry.seq}",
        time=entry.recorded,
        price=entry.price,
        quantity=entry.quantity,
        size=entry.quantity.copy_abs(),
        rate=entry.rate,
        charge=Charge(ZERO, entry.currency, ONE),
    )
    if entry.cost is None:
        left = lots.remove(entry.quantity)
    elif entry.realized:
        return lots.apply(lot)
    elif not entry.cost and _same_side(lots.quantity, after := EXACT.add(lots.quantity, entry.quantity)):
        lots.rescale(after)
        return []
    else:
        left = lots.remove(entry.quantity)
        value = entry.cost.copy_negate() if entry.quantity.is_signed() else entry.cost
        lot = msgspec.structs.replace(lot, value=value)
    return lots.apply(lot.less(EXACT.subtract(lot.size, left.copy_abs())))


def _same_side(held: Decimal, after: Decimal) -> bool:
    return bool(held) and bool(after) and held.is_signed() == after.is_signed()


def _lots_of(entry: Entry, matching: Matching) -> OpenLots:
    source = entry if isinstance(entry, AdjustmentRecorded) else entry.execution
    return OpenLots(book_key(entry), source.currency, source.multiplier, matching)


def _lot(execution: Execution, intent_id: IntentId, rate: Decimal | None, charge: Charge | None) -> Lot:
    return Lot(
        id=execution.family,
        time=execution.time,
        price=execution.price,
        quantity=execution.signed_quantity,
        size=execution.quantity,
        intent_id=intent_id,
        rate=rate,
        charge=charge,
    )


def _undoing(entry: FillCorrected) -> Lot:
    """The reversal of the corrected report, at its price."""
    old, free = entry.previous, Charge(ZERO, entry.previous.currency, ONE)
    undone = _lot(old, entry.intent_id, entry.rate, free)
    quantity = undone.quantity.copy_negate()
    return msgspec.structs.replace(undone, id=f"undone-{entry.seq}", time=entry.execution.time, quantity=quantity)


def _replacement(entry: FillCorrected) -> Lot:
    lot = _lot(entry.execution, entry.intent_id, entry.rate, Charge(ZERO, entry.execution.currency, ONE))
    return msgspec.structs.replace(lot, id=entry.execution.exec_id)
