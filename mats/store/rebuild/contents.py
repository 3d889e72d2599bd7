"""Reads the fills of a store and all views of them, table by table."""

from collections.abc import Callable

import pandas as pd

from mats.errors import UserError
from mats.model import AccountId, Entry, Nanos
from mats.store.rebuild.view_tables import Name, Table, keyed, schema_of
from mats.store.tables import Reader, Row, Schema, connect, from_frame, schemas, symbols
from mats.store.views import decode_entries

POSITIONS = "positions/"
DERIVED_LIBRARIES = ("portfolio", "portfolio_history", "orders", "trades")
"""Libraries whose rows follow from the fills, with a symbol for each account."""

Progress = Callable[[str], object]
"""Called with the name of the table that is read."""


class TableError(UserError):
    """A table lacks columns that this program writes; the message names it and the fix."""


class Contents:
    """Views are read before the fills that they follow from, so that they are never ahead while a daemon writes."""

    def __init__(self, uri: str, progress: Progress = lambda _: None) -> None:
        self._arctic, self._reader, self._progress = connect(uri), Reader(uri), progress
        libraries = self._arctic.list_libraries()
        followers = [name for name in libraries if name in DERIVED_LIBRARIES or name.startswith(POSITIONS)]
        self.views: dict[Name, Table] = {
            (library, symbol): keyed(library, self._rows(library, symbol, schema_of(library)))
            for library in followers
            for symbol in self._symbols(library)
        }
        self.entries: list[Entry] = sorted(
            (entry for account in self._accounts(libraries) for entry in self._log(account)),
            key=lambda entry: entry.seq,
        )

    def _accounts(self, libraries: list[str]) -> list[AccountId]:
        return sorted({a for name in ("fills", "adjustments") if name in libraries for a in self._symbols(name)})

    def _log(self, account: AccountId) -> list[Entry]:
        """Fills first: a row that is replaced meanwhile is then read twice rather than missed."""
        fills = self._rows("fills", account, schemas.FILLS)
        corrections = self._rows("fill_corrections", account, schemas.FILL_CORRECTIONS)
        adjustments = self._rows("adjustments", account, schemas.ADJUSTMENTS)
        return decode_entries(account, fills.values(), corrections.values(), adjustments.values())

    def _symbols(self, library: str) -> list[str]:
        return symbols(self._arctic.get_library(library))

    def _rows(self, library: str, symbol: str, schema: Schema) -> dict[Nanos, Row]:
        self._progress(f"{library}/{symbol}")
        frame = self._reader.table(library, symbol)
        return from_frame(_checked(frame, library, symbol, schema), schema) if len(frame) else {}


def _checked(frame: pd.DataFrame, library: str, symbol: str, schema: Schema) -> pd.DataFrame:
    odd = sorted(set(frame.columns) ^ set(schema.columns))
    if odd:
        raise TableError(
            f"table {library}/{symbol} was written by another version of this program (columns {', '.join(odd)});"
            " use that version, or start with another data directory"
        )
    return frame
