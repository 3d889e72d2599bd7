"""Writes the tables. One process writes a store, through one actor, with one `Store`.

Every method is synchronous and usually makes one commit per symbol. It may be repeated, except for equities: rows that
are stored already change nothing. A method that raises has an unknown outcome; call it again. Rows that do not fit
their table are returned as rejects, and the rest of the batch is stored.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import TypeVar

from arcticdb import Arctic, LibraryOptions
from arcticdb.version_store.library import Library

from mats.instruments import KnownInstrument
from mats.ledger.books import Trade
from mats.model import (
    AccountId,
    AccountValue,
    Currency,
    Entry,
    InstrumentId,
    Nanos,
    OrderView,
    StrategyName,
    StrategyRecord,
    exact,
)
from mats.store.tables import compaction, schemas
from mats.store.tables.connection import connect, open_library, symbols
from mats.store.tables.fills import FillTables
from mats.store.tables.frames import ROW_ERRORS, Raw, Reject, conform
from mats.store.tables.rows import (
    Mark,
    PositionRow,
    history_row,
    instrument_row,
    mark_of,
    order_row,
    position_row,
    snapshot_of,
    strategy_of,
    strategy_row,
    summary_row,
    trade_row,
)
from mats.store.tables.schemas import Schema
from mats.store.tables.snapshot_policy import SnapshotInfo, has_changed, summary_interval_over
from mats.store.tables.symbol_names import check_distinct, library_part, symbol_name
from mats.store.tables.table_writer import TableWriter

Rejects = list[Reject]


LOG_LIBRARIES = ("fills", "fill_corrections", "adjustments")
"""Libraries that hold the fill log, with a table for each account."""

CLEARED = "cleared"
"""In `equity_exact` instead of an amount: from this row on the target weight applies again."""


class UnreadableTableError(Exception):
    """An operator's table has an invalid value; the message names the table, the fault and the fix."""


class Store:
    """Opens itself and each library when it is first used, and reads each symbol's tail once."""

    def __init__(self, uri: str, branch: str = "") -> None:
        """`uri` is `lmdb_uri(directory)`, or an `s3://` or `s3s://` address with the credentials in the environment.

        `branch` is the branch of the journal whose log is stored.
        """
        self._uri, self._branch = uri, branch
        self._arctic: Arctic | None = None
        self._libraries: dict[str, Library] = {}
        self._symbols: dict[tuple[str, str], TableWriter] = {}
        self._names: set[str] | None = None

    def close(self) -> None:
        """Release the connection; the last release closes the files. The next use opens it again."""
        self._symbols.clear()
        self._libraries.clear()
        self._arctic = self._names = None

    @property
    def _strategies(self) -> set[str]:
        """The names in the strategy table, and of those that have positions: no two may share a library."""
        if self._names is None:
            rows = self._symbol("general", "strategies", schemas.STRATEGIES).rows()
            self._names = {str(row["name"]) for row in rows}
        return self._names

    # Tables of the fill log

    def append_fills(self, account: AccountId, entries: Sequence[Entry]) -> Rejects:
        """Store entries of one account, ascending in seq: executions, corrections, commissions, adjustments."""
        return self._fill_tables(account).append(entries) if entries else []

    def fills_seq(self, account: AccountId) -> int:
        """The seq of the last batch whose fills are stored; every entry up to it may be sent again without effect."""
        return self._fill_tables(account).fills.seq

    def log_seqs(self) -> dict[tuple[str, AccountId], int]:
        """How far each table of the fill log is, by library and account, of those that were used."""
        return {
            (library, account): symbol.seq
            for (library, account), symbol in self._symbols.items()
            if library in LOG_LIBRARIES and symbol.usable and symbol.seq
        }

    def fills_stored(self) -> int:
        """How many executions are stored, over all accounts; it lists the library, so it is not for hot paths."""
        library = self._library("fills", LibraryOptions(rows_per_segment=schemas.FILLS.rows_per_segment))
        return sum(int(library.get_description(symbol).row_count) for symbol in symbols(library))

    # Present state: one row each, replaced when it changes

    def upsert_orders(self, account: AccountId, views: Sequence[OrderView]) -> Rejects:
        """Store the latest view of each order; an order keeps the index of its creation."""
        symbol = self._symbol("orders", account, schemas.ORDERS)
        symbol.preload(((view.intent_id,), view.created) for view in views)
        return _upsert("orders", symbol, schemas.ORDERS, views, lambda view: (view.created, order_row(view)))

    def upsert_portfolio(self, account: AccountId, rows: Sequence[PositionRow]) -> Rejects:
        """Store the positions that changed; rows of flat positions are removed."""
        symbol = self._symbol("portfolio", account, schemas.PORTFOLIO)
        latest = {(row.strategy, row.instrument): row for row in rows}
        held = [row for row in latest.values() if row.quantity]
        with symbol.batch():
            for key in (key for key, row in latest.items() if not row.quantity):
                symbol.remove(key)
            return _put_all("portfolio", symbol, schemas.PORTFOLIO, held, _position)

    def change_trades(self, account: AccountId, changes: Sequence[tuple[str, Nanos, Trade | None]]) -> Rejects:
        """Store the round trips that changed, by id and closing time; the row of one that is None is removed."""
        symbol = self._symbol("trades", account, schemas.TRADES)
        symbol.preload(((name,), closed) for name, closed, _ in changes)
        with symbol.batch():
            for name, closed, trade in changes:
                if trade is None:
                    symbol.remove((name,), closed)
            kept = [trade for _, _, trade in changes if trade is not None]
            return _put_all("trades", symbol, schemas.TRADES, kept, lambda trade: (trade.exit_time, trade_row(trade)))

    def marks(self, account: AccountId) -> dict[InstrumentId, Mark]:
        """The prices at which the stored portfolio of an account is valued."""
        rows = self._symbol("portfolio", account, schemas.PORTFOLIO).rows()
        return {instrument: mark for instrument, mark in map(mark_of, rows) if mark is not None}

    def seed_strategies(self, records: Sequence[StrategyRecord], time: Nanos) -> Rejects:
        """Store the records whose name the table does not have yet; an operator's changes stay."""
        return self.write_strategies([r for r in records if r.name not in self._strategies], time)

    def write_strategies(self, records: Sequence[StrategyRecord], time: Nanos) -> Rejects:
        """Store or replace strategies by name; ValueError when two names would share a library."""
        names = self._strategies | {record.name for record in records}
        check_distinct(sorted(names))
        symbol = self._symbol("general", "strategies", schemas.STRATEGIES)
        rejects = _upsert(
            "general", symbol, schemas.STRATEGIES, records, lambda record: (time, strategy_row(record, time))
        )
        self._names = names
        return rejects

    def read_strategies(self) -> list[StrategyRecord]:
        """The strategy table as it is now, whoever wrote it, oldest first; UnreadableTableError names the fault."""
        with _readable("general/strategies"):
            symbol = self._symbol("general", "strategies", schemas.STRATEGIES)
            symbol.refresh()
            return [strategy_of(row) for row in symbol.rows()]

    def write_instruments(self, known: Sequence[KnownInstrument], time: Nanos) -> Rejects:
        """Store or replace contracts by contract id."""
        symbol = self._symbol("general", "instruments", schemas.INSTRUMENTS)
        return _upsert("general", symbol, schemas.INSTRUMENTS, known, lambda one: (time, instrument_row(one, time)))

    # Tables that only grow

    def append_positions(self, strategy: StrategyName, rows: Sequence[PositionRow]) -> Rejects:
        """Store position changes of a strategy: a symbol for each instrument, the last row is the latest."""
        check_distinct(sorted(self._strategies | {strategy}))
        self._strategies.add(strategy)
        library, rejects = f"positions/{library_part(strategy)}", Rejects()
        for instrument, group in groupby(sorted(rows, key=_instrument), key=_instrument):
            try:
                symbol = self._symbol(library, instrument, schemas.POSITIONS)
            except ValueError as error:
                rejects += [Reject(library, instrument, repr(row), str(error)) for row in group]
                continue
            rejects += _add(library, symbol, schemas.POSITIONS, group, _position)
        return rejects

    def last_snapshot(self, account: AccountId) -> SnapshotInfo | None:
        """The newest snapshot in the history of an account's portfolio."""
        row = self._symbol("portfolio_history", account, schemas.PORTFOLIO_HISTORY).last_row()
        return snapshot_of(row) if row else None

    def append_portfolio_history(
        self, account: AccountId, rows: Sequence[PositionRow], kept: SnapshotInfo, reason: str
    ) -> Rejects:
        """Store a complete snapshot; its rows follow each other from `kept.time` on, one nanosecond apart.

        One that is stored already (the outcome of the call before was unknown) is not stored again.
        """
        symbol = self._symbol("portfolio_history", account, schemas.PORTFOLIO_HISTORY)
        if self.last_snapshot(account) == kept:
            return []
        raw = partial(history_row, kept=kept, reason=reason)
        return _extend("portfolio_history", symbol, schemas.PORTFOLIO_HISTORY, kept.time, rows, raw)

    def summary_due(self, account: AccountId, now: Nanos) -> bool:
        """Whether the last figures of an account were stored long enough ago to store newer ones."""
        return summary_interval_over(self._summary(account).last_row(), now)

    def append_account_summary(
        self, account: AccountId, values: Sequence[AccountValue], currency: Currency, time: Nanos
    ) -> Rejects:
        """Store the account's figures of `time` in its base currency, if they have changed."""
        symbol = self._summary(account)

        def put(values: Sequence[AccountValue]) -> None:
            row = conform(summary_row(values, currency, time), schemas.ACCOUNT_SUMMARY)
            if has_changed(symbol.last_row(), row):
                symbol.put(symbol.after_last(time), row)

        with symbol.batch():
            return _each(_account_library(account), symbol, [values], put)

    def append_strategy_equity(
        self, account: AccountId, strategy: StrategyName, equity: Decimal | None, currency: Currency, time: Nanos
    ) -> Rejects:
        """Give a strategy an explicit equity from `time` on; it wins over its target weight; None ends it."""
        library, symbol = self._equity_symbol(account, strategy)
        exact_text = CLEARED if equity is None else str(equity)
        row: Raw = {"equity": equity, "equity_exact": exact_text, "currency": currency, "event_time_utc": time}
        return _extend(library, symbol, schemas.EQUITY, time, [row], dict)

    def strategy_equity(self, account: AccountId, strategy: StrategyName) -> Decimal | None:
        """The explicit equity of a strategy in an account now, whoever wrote it; None where its target weight applies.

        A row that has the amount in `equity` alone counts too. UnreadableTableError names an invalid amount.
        """
        library = _account_library(account)
        with _readable(f"{library}/strategy_{strategy}_equity"):
            _, symbol = self._equity_symbol(account, strategy)
            symbol.refresh()
            row = symbol.last_row()
            if row is None or row["equity_exact"] == CLEARED:
                return None
            equity = exact(str(row["equity_exact"] or row["equity"]))
            if equity < 0:
                raise ValueError(f"an equity of {equity} is below 0")
            return equity

    # Upkeep

    def compact_due(self) -> list[str]:
        """Compact symbols with enough small segments to slow reading; return them. Call between batches."""
        return self._compact(compaction.COMPACT_AT)

    def compact(self) -> list[str]:
        """Compact symbols at idle times, from a lower weight on; return them."""
        return self._compact(compaction.COMPACT_AT_IDLE)

    def compact_versions(self) -> list[str]:
        """Compact the version keys of symbols with many of them; return the symbols."""
        due = [names for names, symbol in self._symbols.items() if symbol.usable and symbol.compact_versions()]
        return [f"{library}/{name}" for library, name in due]

    def _compact(self, weight: int) -> list[str]:
        due = [(names, symbol) for names, symbol in self._symbols.items() if symbol.uncompacted >= weight]
        for _, symbol in due:
            symbol.compact()
        return [f"{library}/{name}" for (library, name), _ in due]

    # Libraries and symbols

    def _library(self, name: str, options: LibraryOptions) -> Library:
        if name not in self._libraries:
            if self._arctic is None:
                self._arctic = connect(self._uri)
            self._libraries[name] = open_library(self._arctic, name, options)
        return self._libraries[name]

    def _symbol(self, library_name: str, name: str, schema: Schema) -> TableWriter:
        """The symbol; one whose last batch failed is read again. Symbols are never listed: that can take a second."""
        key = (library_name, symbol_name(name))
        if key not in self._symbols or not self._symbols[key].usable:
            library = self._library(library_name, LibraryOptions(rows_per_segment=schema.rows_per_segment))
            self._symbols[key] = TableWriter(library, name, schema, self._branch)
        return self._symbols[key]

    def _fill_tables(self, account: AccountId) -> FillTables:
        return FillTables(
            self._symbol("fills", account, schemas.FILLS),
            self._symbol("fill_corrections", account, schemas.FILL_CORRECTIONS),
            self._symbol("adjustments", account, schemas.ADJUSTMENTS),
        )

    def _summary(self, account: AccountId) -> TableWriter:
        return self._symbol(_account_library(account), "account_summary", schemas.ACCOUNT_SUMMARY)

    def _equity_symbol(self, account: AccountId, strategy: StrategyName) -> tuple[str, TableWriter]:
        library = _account_library(account)
        return library, self._symbol(library, f"strategy_{strategy}_equity", schemas.EQUITY)


T = TypeVar("T")


@contextmanager
def _readable(table: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, *ROW_ERRORS) as error:
        raise UnreadableTableError(f"{table} cannot be read: {error}; fix the row that was written last") from error


def _upsert(
    library: str, symbol: TableWriter, schema: Schema, items: Iterable[T], row_of: Callable[[T], tuple[Nanos, Raw]]
) -> Rejects:
    """Put the row of each item at the index of its key, or in a free slot of its time; one commit."""
    with symbol.batch():
        return _put_all(library, symbol, schema, items, row_of)


def _put_all(
    library: str, symbol: TableWriter, schema: Schema, items: Iterable[T], row_of: Callable[[T], tuple[Nanos, Raw]]
) -> Rejects:
    def put(item: T) -> None:
        time, raw = row_of(item)
        row = conform(raw, schema)
        at = symbol.find(tuple(row[name] for name in schema.key), time)
        symbol.put(symbol.slot(time) if at is None else at, row)

    return _each(library, symbol, items, put)


def _add(
    library: str, symbol: TableWriter, schema: Schema, items: Iterable[T], row_of: Callable[[T], tuple[Nanos, Raw]]
) -> Rejects:
    """Put the row of each item whose key is not stored yet; one commit."""

    def put(item: T) -> None:
        time, raw = row_of(item)
        row = conform(raw, schema)
        if symbol.find(tuple(row[name] for name in schema.key), time) is None:
            symbol.put(symbol.slot(time), row)

    with symbol.batch():
        return _each(library, symbol, items, put)


def _extend(
    library: str, symbol: TableWriter, schema: Schema, time: Nanos, items: Iterable[T], row_of: Callable[[T], Raw]
) -> Rejects:
    """Append the row of each item at `time` or just after the last one; one commit."""

    def put(item: T) -> None:
        symbol.put(symbol.after_last(time), conform(row_of(item), schema))

    with symbol.batch():
        return _each(library, symbol, items, put)


def _each(library: str, symbol: TableWriter, items: Iterable[T], put: Callable[[T], None]) -> Rejects:
    """Put every item that fits its table; the others are rejects."""
    rejects = Rejects()
    for item in items:
        try:
            put(item)
        except ROW_ERRORS as error:
            rejects.append(Reject(library, symbol.name, repr(item), str(error)))
    return rejects


def _position(row: PositionRow) -> tuple[Nanos, Raw]:
    return row.time, position_row(row)


def _account_library(account: AccountId) -> str:
    library = library_part(account)
    if library in schemas.LIBRARIES:
        raise ValueError(f"account {account!r} has the name of a library of the store; rename the account")
    return library


def _instrument(row: PositionRow) -> InstrumentId:
    return row.instrument


def strategy_table(store: Store) -> tuple[tuple[StrategyRecord, ...], str]:
    """`general/strategies`, and the reason where it cannot be read."""
    try:
        return tuple(store.read_strategies()), ""
    except UnreadableTableError as error:
        return (), str(error)


def strategy_equities(
    store: Store, places: Iterable[tuple[AccountId, StrategyName]]
) -> tuple[dict[StrategyName, Decimal], dict[StrategyName, str]]:
    """The explicit equities of strategies that have one, and the reason for each table that cannot be read."""
    equities, faults = dict[StrategyName, Decimal](), dict[StrategyName, str]()
    for account, strategy in places:
        try:
            equity = store.strategy_equity(account, strategy)
        except UnreadableTableError as error:
            faults[strategy] = str(error)
        else:
            if equity is not None:
                equities[strategy] = equity
    return equities, faults
