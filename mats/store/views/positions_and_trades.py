"""The fold behind the views: positions and trades, from the same entries that the tables hold.

The writer keeps this fold itself, so that no view depends on a message that a crash may lose: it is folded again from
the entries after its last saved state, with the same result.
"""

from collections.abc import Mapping
from itertools import product

import msgspec

from mats.ledger.books import (
    Book,
    BookKey,
    Books,
    ChargesOf,
    History,
    Matching,
    RoundTrips,
    Trade,
    TradeChange,
    no_charges,
)
from mats.model import AccountId, Entry, InstrumentId, Nanos
from mats.store.tables import Mark, PositionRow, book_row

TradeKey = tuple[AccountId, str, Nanos]


class _Snapshot(msgspec.Struct, frozen=True):
    books: bytes
    trips: bytes
    since: tuple[tuple[BookKey, Nanos], ...]


class Views:
    """The books after entry `seq`, valued at the last known prices; and the changes that are not stored yet.

    `portfolio` are the rows that changed (at first all open positions), `changes` one row for each change of a book.
    `trades` are the round trips that changed, by account, id and closing time; None where one no longer exists.
    """

    def __init__(
        self, history: History, saved: bytes = b"", matching: Matching = "fifo", charges: ChargesOf = no_charges
    ) -> None:
        """The `saved` state, or empty; all trades are matched again where the matching method has changed."""
        snapshot = msgspec.msgpack.decode(saved, type=_Snapshot) if saved else None
        self._books = Books.load(snapshot.books, history, charges) if snapshot else Books(history, charges=charges)
        self._trips = RoundTrips.load(snapshot.trips, history) if snapshot else RoundTrips(history, matching)
        self._since: dict[BookKey, Nanos] = dict(snapshot.since) if snapshot else {}
        self._changed_at: dict[AccountId, int] = {}
        for book in self._books:
            self._changed_at[book.account] = max(book.seq, self.changed_at(book.account))
        self._marks: dict[InstrumentId, Mark] = {}
        self._changed = {book.key: None for book in self._books if book.quantity}
        self.changes: list[PositionRow] = []
        self.trades: dict[TradeKey, Trade | None] = {}
        if self._trips.matching != matching:
            self._change_trades(self._trips.rematch(matching))

    @property
    def seq(self) -> int:
        return self._books.seq

    def save(self) -> bytes:
        """The state as bytes, without prices, which arrive again."""
        return msgspec.msgpack.encode(_Snapshot(self._books.dump(), self._trips.dump(), tuple(self._since.items())))

    def accounts(self) -> tuple[AccountId, ...]:
        return tuple(self._changed_at)

    def changed_at(self, account: AccountId) -> int:
        """The last entry that touched the account's books, 0 where none has."""
        return self._changed_at.get(account, 0)

    def skip(self, seq: int) -> None:
        """Continue after entry `seq`, where entries are missing from every table."""
        self._books.seq = self._trips.seq = seq

    def apply(self, entry: Entry) -> None:
        """Fold the next entry; one that is folded already changes nothing."""
        for changed in self._books.apply(entry):
            book = changed.after
            self._since[book.key] = max(entry.recorded, self._since.get(book.key, 0))
            self._changed_at[book.account] = book.seq
            self._changed[book.key] = None
            self.changes.append(self._row(book))
        self._change_trades(self._trips.apply(entry))

    def _change_trades(self, change: TradeChange) -> None:
        self.trades.update((_trade_key(trade), None) for trade in change.removed)
        self.trades.update((_trade_key(trade), trade) for trade in change.kept)

    def mark(self, marks: Mapping[InstrumentId, Mark]) -> None:
        """Newer prices; positions held at a changed price have changed."""
        moved = {name: mark for name, mark in marks.items() if self._price(name) != mark.price}
        self._marks.update(moved)
        for account, instrument in product(self._changed_at, moved):
            for book in self._books.of_instrument(account, instrument):
                if book.quantity:
                    self._changed[book.key] = None

    def restore_marks(self, marks: Mapping[InstrumentId, Mark]) -> None:
        """Stored prices, for instruments that have no newer one."""
        self.mark({name: mark for name, mark in marks.items() if name not in self._marks})

    def portfolio(self) -> list[PositionRow]:
        """The rows that changed since the last `mark_stored`; those of flat books have quantity 0."""
        return [self._row(self._book(key)) for key in self._changed]

    def held(self, account: AccountId, after: int) -> list[PositionRow]:
        """The open positions of an account, and those closed after entry `after`; by strategy and instrument."""
        books = (book for book in self._books if book.account == account and (book.quantity or book.seq > after))
        return sorted(map(self._row, books), key=lambda row: (row.strategy, row.instrument))

    def mark_stored(self) -> None:
        """All changes so far are stored."""
        self._changed.clear()
        self.changes.clear()
        self.trades.clear()

    def _book(self, key: BookKey) -> Book:
        book = self._books.get(*key)
        assert book is not None, f"no book {key}"
        return book

    def _price(self, instrument: InstrumentId) -> float | None:
        mark = self._marks.get(instrument)
        return mark.price if mark else None

    def _row(self, book: Book) -> PositionRow:
        return book_row(book, self._since[book.key], self._marks.get(book.instrument))


def _trade_key(trade: Trade) -> TradeKey:
    return trade.account, trade.id, trade.exit_time
