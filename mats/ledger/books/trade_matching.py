"""Round trips of all books: the fold of the fill log into completed trades, entry by entry."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

import msgspec

from mats.ledger.books.book import BookKey
from mats.ledger.books.checkpoints import Checkpoints, is_short
from mats.ledger.books.execution_order import History, book_key
from mats.ledger.books.lots import Lot, Matching, OpenLots, UnchargedExecution
from mats.ledger.books.trade_record import Trade
from mats.ledger.books.trip_book import LotsCheckpoint, TripBook, change_past, empty_book, recall, whole_fold
from mats.ledger.books.uncharged import UnchargedQueue, eviction_order
from mats.model import CommissionRecorded, Currency, Entry, Nanos


class TradeChange(msgspec.Struct, frozen=True):
    """The trades that an entry changed: `kept` are new or replace those with their id; `removed` no longer exist.

    A removed trade is given as it was. One whose closing time changed is removed and kept.
    """

    kept: tuple[Trade, ...] = ()
    removed: tuple[Trade, ...] = ()


NO_CHANGE = TradeChange()


def round_trips(entries: Sequence[Entry], matching: Matching = "fifo") -> tuple[Trade, ...]:
    """The completed trades of one book, each execution at its latest revision and with its share of commissions."""
    return tuple(whole_fold(entries, matching)[1].values()) if entries else ()


class RoundTrips:
    """The open lots of every book, up to entry `seq` of the log; completed trades are returned and not kept.

    `history` serves entries that change the past, as for `Books`, and commissions of trades that were evicted. Where
    the book is settled, or the past is missing, a correction is undone at its old price and booked again, a late fill
    counts at the end, and a commission that replaces an older one changes no trade.
    """

    def __init__(self, history: History, matching: Matching = "fifo") -> None:
        self.seq = 0
        self._history, self.matching = history, matching
        self._books: dict[BookKey, TripBook] = {}
        self._uncharged = UnchargedQueue()

    def apply(self, entry: Entry) -> TradeChange:
        """Fold the next entry. One that is folded already changes nothing; a gap raises ValueError.

        Where the history cannot be read its error is raised, and nothing has changed: the entry can be folded later.
        """
        if entry.seq <= self.seq:
            return NO_CHANGE
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} follows {self.seq}: read entry {self.seq + 1} first")
        key = book_key(entry)
        book = self._books.get(key) or self._books.setdefault(key, empty_book(entry, self.matching))
        if book.changes_past(entry):
            change = self._change_past(book, entry) or self._made(book, entry, book.settled_with(entry))
        else:
            change = self._made(book, entry, book.folded(entry))
        self._books[key].keep()
        self.seq = entry.seq
        return change

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
        for saved in snapshot.books:
            book = loaded._books[saved.key] = _restored(saved, snapshot.matching)
            loaded._uncharged.add(saved.key, book.lots.waiting)
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
            books[key], after = whole_fold(past, matching)
            changes.append(_change(before, tuple(after.values())))
        self.matching, self._books, self._uncharged = matching, books, UnchargedQueue()
        for key, book in books.items():
            self._wait(key, book.lots.waiting)
        kept = (trade for change in changes for trade in change.kept)
        return TradeChange(tuple(kept), tuple(trade for change in changes for trade in change.removed))

    def _made(self, book: TripBook, entry: Entry, trades: Sequence[Trade]) -> TradeChange:
        """The change that is these trades, which wait for commissions or, by a commission, no longer do."""
        if not trades:
            return NO_CHANGE
        if isinstance(entry, CommissionRecorded):
            self._uncharged.remove(book.lots.key, (entry.execution.family,))
        else:
            self._wait(book.lots.key, [family for trade in trades for family in trade.uncharged])
        return TradeChange(tuple(trades))

    def _change_past(self, book: TripBook, entry: Entry) -> TradeChange | None:
        """The trades of a book before and after an entry that changes its past; None where that is settled, or not
        whole. What was evicted is found in the whole history, together with what comes next."""
        key = book.lots.key
        history = partial(self._history, *key)
        found = change_past(book, entry, history)
        if found is None and book.has_evicted(entry):
            found = recall(book, entry, history)
        if found is None:
            return None
        self._books[key] = found.book
        self._uncharged.remove(key, book.lots.waiting)
        self._wait(key, eviction_order(found.book.lots.waiting, found.entries))
        return _change(found.before, found.after)

    def _wait(self, key: BookKey, families: Iterable[str]) -> None:
        self._uncharged.add(key, families)
        while self._uncharged.is_over:
            owner, family = self._uncharged.pop()
            self._books[owner].lots.evict(family)


class _SavedState(msgspec.Struct):
    """An earlier state of a book; `lots` are places among the open lots and the `other` ones of that book."""

    lots: list[int]
    entries: int
    seq: int
    time: Nanos
    corrected: list[str]


class _Earlier(msgspec.Struct):
    """The earlier states of a book, None for the empty one; they have most of their lots in common."""

    states: list[_SavedState | None]
    other: list[Lot]


class _Saved(msgspec.Struct):
    """A book in a saved state; one that was saved without its earlier states has none."""

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
    earlier: _Earlier | msgspec.UnsetType = msgspec.UNSET


class _Snapshot(msgspec.Struct):
    seq: int
    books: list[_Saved]
    matching: Matching = "fifo"


def _saved(book: TripBook) -> _Saved:
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
        earlier=_saved_states(book),
    )


def _saved_states(book: TripBook) -> _Earlier | msgspec.UnsetType:
    """The states that a load could not know: that of a long book may be the empty one alone."""
    kept, lots = book.checkpoints.kept, book.lots.lots.values()
    if kept == (None,) and is_short(book.entries):
        return msgspec.UNSET
    places = {id(lot): place for place, lot in enumerate(lots)}
    others = {id(lot): lot for state in kept if state for lot in state.lots if id(lot) not in places}
    places |= {name: place for place, name in enumerate(others, len(lots))}
    return _Earlier([None if state is None else _saved_state(state, places) for state in kept], list(others.values()))


def _saved_state(state: LotsCheckpoint, places: Mapping[int, int]) -> _SavedState:
    lots = [places[id(lot)] for lot in state.lots]
    return _SavedState(lots, state.entries, state.seq, state.time, sorted(state.corrected))


def _restored_states(saved: _Saved, book: TripBook) -> Checkpoints[LotsCheckpoint]:
    """A book that was saved without its earlier states is settled, if it is long."""
    if saved.earlier is msgspec.UNSET:
        return Checkpoints((None,) if is_short(saved.entries) else (book.state(),))
    lots = saved.lots + saved.earlier.other
    return Checkpoints([None if state is None else _restored_state(state, lots) for state in saved.earlier.states])


def _restored_state(saved: _SavedState, lots: Sequence[Lot]) -> LotsCheckpoint:
    held = tuple(lots[place] for place in saved.lots)
    return LotsCheckpoint(held, saved.entries, saved.seq, saved.time, frozenset(saved.corrected))


def _restored(saved: _Saved, matching: Matching) -> TripBook:
    lots = OpenLots(saved.key, saved.currency, saved.multiplier, matching)
    lots.restore(saved.lots)
    lots.waiting, lots.forgetful = saved.waiting, saved.forgetful
    lots.unfinished = {trade.id: trade for trade in saved.unfinished}
    book = TripBook(lots)
    book.entries, book.seq, book.time, book.corrected = saved.entries, saved.seq, saved.time, frozenset(saved.corrected)
    book.checkpoints = _restored_states(saved, book)
    return book


def _change(before: Sequence[Trade], after: Sequence[Trade]) -> TradeChange:
    known = {trade.id: trade for trade in before}
    places = {(trade.id, trade.exit_time) for trade in after}
    return TradeChange(
        kept=tuple(trade for trade in after if known.get(trade.id) != trade),
        removed=tuple(trade for trade in known.values() if (trade.id, trade.exit_time) not in places),
    )
