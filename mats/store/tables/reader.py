"""The tables as DataFrames, for notebooks and the command line. It runs beside the daemon and never writes.

A reader lives in its own process. The connection looks up the newest version at every read, because the daemon drops
old ones; a read is repeated where its version disappeared.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

import pandas as pd
from arcticdb import QueryBuilder
from arcticdb.exceptions import KeyNotFoundException, NoDataFoundException, StorageException
from arcticdb.version_store.library import Library

from mats.store.tables.connection import connect, symbols
from mats.store.tables.symbol_names import library_part

ATTEMPTS = 4
PAUSE_SECONDS = 0.02

Span = tuple[datetime | None, datetime | None]
"""First and last time to read, both included and both aware; None leaves that side open."""

ALL: Span = (None, None)

_NEVER = threading.Event()

T = TypeVar("T")


class Reader:
    """The tables as DataFrames, whole or of one span.

    A table that does not exist yet is empty. For the present state query the daemon, not the store.
    """

    def __init__(self, uri: str, pause: Callable[[float], object] = _NEVER.wait) -> None:
        self._arctic = connect(uri)
        self._pause = pause

    def fills(self, account: str, span: Span = ALL) -> pd.DataFrame:
        return self.table("fills", account, span)

    def orders(self, account: str, span: Span = ALL) -> pd.DataFrame:
        """Orders by the time of their creation, each in its latest state."""
        return self.table("orders", account, span)

    def trades(self, account: str, span: Span = ALL) -> pd.DataFrame:
        return self.table("trades", account, span)

    def portfolio(self, account: str) -> pd.DataFrame:
        """The open positions, one row for each strategy and instrument."""
        return self.table("portfolio", account)

    def portfolio_history(self, account: str, span: Span = ALL) -> pd.DataFrame:
        return self.table("portfolio_history", account, span)

    def positions(self, strategy: str) -> pd.DataFrame:
        """The last known position of a strategy in every instrument it ever traded, flat ones included."""
        name = f"positions/{library_part(strategy)}"
        found = self._try(lambda: symbols(self._library(name))) if self._arctic.has_library(name) else []
        rows = [self._try(partial(self._tail, name, symbol)) for symbol in found]
        return pd.concat(rows) if rows else pd.DataFrame()

    def position_history(self, strategy: str, instrument: str, span: Span = ALL) -> pd.DataFrame:
        return self.table(f"positions/{library_part(strategy)}", instrument, span)

    def account_summary(self, account: str, span: Span = ALL) -> pd.DataFrame:
        return self.table(library_part(account), "account_summary", span)

    def strategies(self) -> pd.DataFrame:
        return self.table("general", "strategies")

    def bars(self, size: str, instrument: str, span: Span = ALL) -> pd.DataFrame:
        return self.table(f"bars/{library_part(size)}", instrument, span)

    def table(self, library: str, symbol: str, span: Span = ALL, where: QueryBuilder | None = None) -> pd.DataFrame:
        """Any table, or the part of it in `span` and the rows that match `where`; empty when there is none."""
        if not self._arctic.has_library(library):
            return pd.DataFrame()
        return self._try(partial(self._read, library, symbol, span, where))

    def _read(self, library: str, symbol: str, span: Span, where: QueryBuilder | None) -> pd.DataFrame:
        opened = self._library(library)
        if not opened.has_symbol(symbol):
            return pd.DataFrame()
        frame: pd.DataFrame = opened.read(symbol, date_range=None if span == ALL else span, query_builder=where).data
        return frame

    def _tail(self, library: str, symbol: str) -> pd.DataFrame:
        frame: pd.DataFrame = self._library(library).tail(symbol, 1).data
        return frame

    def _library(self, name: str) -> Library:
        return self._arctic.get_library(name)

    def _try(self, read: Callable[[], T]) -> T:
        """Read, and repeat where the version disappeared between finding and reading it; the last error is raised."""
        for _ in range(ATTEMPTS - 1):
            try:
                return read()
            except (NoDataFoundException, KeyNotFoundException, StorageException):
                self._pause(PAUSE_SECONDS)
        return read()
