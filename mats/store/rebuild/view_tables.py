"""The tables of views as they are rebuilt: rows by their key, each with its index."""

from collections.abc import Mapping
from typing import NamedTuple

from mats.model import Nanos
from mats.store.tables import Row, Schema, Value, schemas

Key = tuple[Value, ...]
Name = tuple[str, str]
"""Library and symbol."""


class Placed(NamedTuple):
    """A row and its index."""

    time: Nanos
    row: Row


Table = dict[Key, Placed]
Stored = Mapping[Name, Table]


SCHEMAS: dict[str, Schema] = {
    "portfolio": schemas.PORTFOLIO,
    "portfolio_history": schemas.PORTFOLIO_HISTORY,
    "orders": schemas.ORDERS,
    "trades": schemas.TRADES,
}
HISTORY_KEY = ("snapshot_seq", "snapshot_utc", "strategy", "symbol")


def schema_of(library: str) -> Schema:
    return SCHEMAS.get(library, schemas.POSITIONS)


def key_columns(library: str) -> tuple[str, ...]:
    """The columns that identify a row of a view."""
    return HISTORY_KEY if library == "portfolio_history" else schema_of(library).key


def keyed(library: str, rows: Mapping[Nanos, Row]) -> Table:
    """Stored rows by their key."""
    names = key_columns(library)
    return {tuple(row[name] for name in names): Placed(time, row) for time, row in rows.items()}
