"""The tables that people read: schemas, rows, and how ArcticDB is written and read."""

from mats.store.tables import schemas
from mats.store.tables.backtests import LIBRARY, BacktestLibrary, ResultError
from mats.store.tables.bars import BarStore, Covered, Known, StoredBars, StoredCoverage
from mats.store.tables.connection import (
    STORE_ERRORS,
    DiskReservedError,
    NewerTableError,
    StoreAddressError,
    StoreDamagedError,
    StoreUnreachableError,
    check_disk_space,
    connect,
    connected,
    open_library,
    require_in_place,
    safe_uri,
    store_uri,
    symbols,
    write_lock,
)
from mats.store.tables.fills import check_storable
from mats.store.tables.frames import RejectFile, Row, Value, conform, from_frame
from mats.store.tables.reader import Reader
from mats.store.tables.rows import (
    Mark,
    PositionRow,
    book_row,
    history_row,
    known_of,
    mark_of,
    position_row,
    revalued,
    snapshot_of,
    trade_row,
)
from mats.store.tables.schemas import Schema
from mats.store.tables.snapshot_policy import SnapshotInfo, hourly_due, reconciled_due
from mats.store.tables.store import LOG_LIBRARIES, Rejects, Store, strategy_equities, strategy_table
from mats.store.tables.symbol_names import library_part, symbol_name
from mats.store.tables.table_writer import TableWriter, format_of
from mats.store.tables.time_index import INDEX_NAME, MAX_TIME, time_index

__all__ = [
    "INDEX_NAME",
    "LIBRARY",
    "LOG_LIBRARIES",
    "MAX_TIME",
    "STORE_ERRORS",
    "BacktestLibrary",
    "BarStore",
    "Covered",
    "DiskReservedError",
    "Known",
    "Mark",
    "NewerTableError",
    "PositionRow",
    "Reader",
    "RejectFile",
    "Rejects",
    "ResultError",
    "Row",
    "Schema",
    "SnapshotInfo",
    "Store",
    "StoreAddressError",
    "StoreDamagedError",
    "StoreUnreachableError",
    "StoredBars",
    "StoredCoverage",
    "TableWriter",
    "Value",
    "book_row",
    "check_disk_space",
    "check_storable",
    "conform",
    "connect",
    "connected",
    "format_of",
    "from_frame",
    "history_row",
    "hourly_due",
    "known_of",
    "library_part",
    "mark_of",
    "open_library",
    "position_row",
    "reconciled_due",
    "require_in_place",
    "revalued",
    "safe_uri",
    "schemas",
    "snapshot_of",
    "store_uri",
    "strategy_equities",
    "strategy_table",
    "symbol_name",
    "symbols",
    "time_index",
    "trade_row",
    "write_lock",
]
