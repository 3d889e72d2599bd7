"""Library `backtests`: results that are stored completely or not at all.

A result is a symbol with a table of its metrics and its record as metadata, and pieces `NAME/PIECE`. The pieces are
written first, and the symbol, which says which version of each piece is its own, last: that is the one commit. Pieces
without their symbol are what a process left that was stopped; the next one that writes removes them.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from arcticdb import LibraryOptions
from arcticdb.version_store.library import Library

from mats.errors import UserError
from mats.store.tables.connection import connect, open_library, symbols, write_lock
from mats.store.tables.symbol_names import symbol_name

LIBRARY = "backtests"


class ResultError(UserError):
    """A result that cannot be stored or does not exist; the text names it and the fix."""


class BacktestLibrary:
    """Stored results by name. Writing processes exclude each other."""

    def __init__(self, uri: str) -> None:
        self._uri, self._arctic = uri, connect(uri)

    def names(self) -> list[str]:
        """The names of all results."""
        library = self._existing()
        if library is None:
            return []
        whole = [symbol for symbol in symbols(library) if "/" not in symbol]
        return [symbol for symbol in whole if "record" in (library.read_metadata(symbol).metadata or {})]

    def write(self, name: str, metrics: pd.DataFrame, record: str, pieces: Mapping[str, pd.DataFrame]) -> None:
        """Store a new result; ResultError where the name is taken."""
        with write_lock(self._uri, LIBRARY):
            library = open_library(self._arctic, LIBRARY, LibraryOptions(recursive_normalizers=True))
            if library.has_symbol(symbol_name(name)):
                raise ResultError(f"a result {name} exists; choose another --description, or replace it with --replace")
            _write(library, name, metrics, record, pieces)

    def replace(self, name: str, metrics: pd.DataFrame, record: str, pieces: Mapping[str, pd.DataFrame]) -> None:
        """Store a result, replacing the one of that name if there is one; until the commit the old one stays."""
        with write_lock(self._uri, LIBRARY):
            library = open_library(self._arctic, LIBRARY, LibraryOptions(recursive_normalizers=True))
            _write(library, symbol_name(name), metrics, record, pieces)

    def check_free(self, name: str) -> None:
        """Raise ResultError where the name is taken, before a long run."""
        library = self._existing()
        if library is not None and library.has_symbol(symbol_name(name)):
            raise ResultError(f"a result {name} exists; choose another --description, or replace it with --replace")

    def record(self, name: str) -> str:
        """The record of a result."""
        return str(self._metadata(name)["record"])

    def piece(self, name: str, piece: str) -> pd.DataFrame:
        """One table of a result; an empty frame where it has none of that name."""
        version = self._metadata(name)["pieces"].get(piece)
        if version is None:
            return pd.DataFrame()
        frame: pd.DataFrame = self._open().read(f"{name}/{piece}", as_of=version).data
        return frame

    def delete(self, name: str) -> None:
        """Delete a result: its symbol first, so that no incomplete one is ever seen."""
        with write_lock(self._uri, LIBRARY):
            self._metadata(name)
            library = self._open()
            library.delete(name)
            _sweep(library)

    def _metadata(self, name: str) -> dict[str, Any]:
        library = self._existing()
        if library is None or "/" in name or not library.has_symbol(symbol_name(name)):
            has = ", ".join(self.names()[-5:]) or "none"
            raise ResultError(f"there is no result {name} (the newest are {has}); `mats backtest list` shows them all")
        metadata = library.read_metadata(name).metadata or {}
        if "record" not in metadata:
            raise ResultError(f"{name} is not the result of a backtest; `mats backtest list` shows those")
        return dict(metadata)

    def _open(self) -> Library:
        return self._arctic.get_library(LIBRARY)

    def _existing(self) -> Library | None:
        return self._open() if self._arctic.has_library(LIBRARY) else None


def _write(library: Library, name: str, metrics: pd.DataFrame, record: str, pieces: Mapping[str, pd.DataFrame]) -> None:
    _sweep(library)
    versions = {piece: int(library.write(f"{name}/{piece}", frame).version) for piece, frame in pieces.items()}
    library.write(name, metrics, metadata={"record": record, "pieces": versions}, prune_previous_versions=True)
    for piece, version in versions.items():
        if version:
            library.prune_previous_versions(f"{name}/{piece}")


def _sweep(library: Library) -> None:
    """Remove pieces whose symbol was never written."""
    known = set(symbols(library))
    for symbol in sorted(known):
        name, slash, _ = symbol.partition("/")
        if slash and name not in known:
            library.delete(symbol)
