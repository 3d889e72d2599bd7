"""The tables that people read: schemas, rows, and how ArcticDB is written and read."""

from mats.store.tables import schemas
from mats.store.tables.backtests import LIBRARY, BacktestLibrary, ResultError
from mats.store.tables.bars import BarStore, StoredBars
from mats.store.tables.connection import STORE_FAULTS, check_room, connect, open_library, store_uri, symbols
from mats.store.tables.frames import RejectFile, Row, Value, conform, from_frame
from mats.store.tables.index import INDEX_NAME, LATEST, time_index
from mats.store.tables.names import library_part, symbol_name
from mats.store.tables.reader import Reader
from mats.store.tables.rows import (
    Mark,
    PositionRow,
    book_row,
    history_row,
    kept_of,
    mark_of,
    position_row,
    revalued,
    trade_row,
)
from mats.store.tables.schemas import Schema
from mats.store.tables.snapshot_policy import SnapshotPolicy, agreed_due, hour_due
from mats.store.tables.store import Rejects, Store, strategy_equities, strategy_table
from mats.store.tables.table_writer import TableWriter
from mats.store.tables.write_lock import turn

__all__ = [
    "INDEX_NAME",
    "LATEST",
    "LIBRARY",
    "STORE_FAULTS",
    "BacktestLibrary",
    "BarStore",
    "Mark",
    "PositionRow",
    "Reader",
    "RejectFile",
    "Rejects",
    "ResultError",
    "Row",
    "Schema",
    "SnapshotPolicy",
    "Store",
    "StoredBars",
    "TableWriter",
    "Value",
    "agreed_due",
    "book_row",
    "check_room",
    "conform",
    "connect",
    "from_frame",
    "history_row",
    "hour_due",
    "kept_of",
    "library_part",
    "mark_of",
    "open_library",
    "position_row",
    "revalued",
    "schemas",
    "store_uri",
    "strategy_equities",
    "strategy_table",
    "symbol_name",
    "symbols",
    "time_index",
    "trade_row",
    "turn",
]
