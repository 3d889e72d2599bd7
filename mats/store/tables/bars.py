"""The libraries of history: bars (`bars/<SIZE>`), what is known of them (`coverage/<SIZE>`), splits and dividends
(`actions`). Imports, downloads and the daemon write, backtests read.
"""

from enum import StrEnum

import msgspec
import numpy as np
import pandas as pd
from arcticdb import LibraryOptions
from arcticdb.version_store.library import Library

from mats.model import InstrumentId, Nanos, exact, size_name, size_seconds
from mats.model.bar_columns import BarColumns, CorporateAction, Dividend, Split, merge_actions
from mats.store.tables import compaction, schemas
from mats.store.tables.connection import connect, open_library, symbols
from mats.store.tables.symbol_names import symbol_name
from mats.store.tables.time_index import time_index

PREFIX, COVERAGE_PREFIX = "bars/", "coverage/"
NUMBERS = ["open", "high", "low", "close", "volume", "spread"]


class StoredBars(msgspec.Struct, frozen=True, order=True):
    """The stored bars of one instrument and size: starts of the first and the last one, and their number."""

    instrument: InstrumentId
    seconds: int
    first: Nanos
    last: Nanos
    count: int


class Known(StrEnum):
    """What is known of a range of the past."""

    BARS = "bars"
    """The broker has answered with bars: all that there are."""
    EMPTY = "empty"
    """The broker has answered that there are none."""
    CLOSED = "closed"
    """The exchange was closed, by its calendar; nothing was asked."""


class Covered(msgspec.Struct, frozen=True, order=True):
    """A range `[start, end)` of which something is known."""

    start: Nanos
    end: Nanos
    known: Known


class StoredCoverage(msgspec.Struct, frozen=True):
    """What is known of the bars of one instrument and size, in the order of time; `source` is their kind of prices."""

    ranges: tuple[Covered, ...] = ()
    source: str = ""


class BarStore:
    """One process at a time may write; any may read."""

    def __init__(self, uri: str) -> None:
        self._arctic = connect(uri)

    def write(self, bars: BarColumns) -> int:
        """Store bars under their starts, replacing existing ones. Returns the number of changed rows.

        One commit, and none where all bars are stored already.
        """
        library = open_library(
            self._arctic,
            PREFIX + size_name(bars.seconds),
            LibraryOptions(rows_per_segment=schemas.BARS.rows_per_segment),
        )
        name = symbol_name(bars.instrument)
        frame = _frame(bars)
        if not library.has_symbol(name):
            library.write(name, frame)
            return len(frame)
        last = library.get_description(name).date_range[1]
        if frame.index[0] > pd.Timestamp(last).tz_convert("UTC"):
            library.append(name, frame, prune_previous_versions=True)
            return len(frame)
        return _update(library, name, frame)

    def compact(self, instrument: InstrumentId, seconds: int) -> None:
        """Merge the small segments that many small writes leave; the bars stay."""
        compaction.compact(self._arctic.get_library(PREFIX + size_name(seconds)), symbol_name(instrument))

    def write_actions(self, instrument: InstrumentId, actions: tuple[CorporateAction, ...]) -> int:
        """Add splits and dividends to those that are known; returns how many changed."""
        known = self.actions(instrument)
        together = merge_actions((*known, *actions))
        if together != known:
            library = open_library(self._arctic, "actions", LibraryOptions())
            library.write(symbol_name(instrument), _actions_frame(together), prune_previous_versions=True)
        return len(set(together) - set(known))

    def read(self, instrument: InstrumentId, seconds: int) -> BarColumns | None:
        """All bars of one size, None where there are none."""
        library = self._existing(PREFIX + size_name(seconds))
        if library is None or not library.has_symbol(instrument):
            return None
        frame = library.read(instrument, columns=NUMBERS).data
        opens, highs, lows, closes, volumes, spreads = (frame[name].to_numpy() for name in NUMBERS)
        quoted = None if np.isnan(spreads).all() else spreads
        return BarColumns(instrument, seconds, frame.index.asi8, opens, highs, lows, closes, volumes, quoted)

    def coverage(self, instrument: InstrumentId, seconds: int) -> StoredCoverage:
        """What is known of the bars of one size; nothing where they were not downloaded."""
        library = self._existing(COVERAGE_PREFIX + size_name(seconds))
        if library is None or not library.has_symbol(instrument):
            return StoredCoverage()
        frame = library.read(instrument).data
        ends = pd.DatetimeIndex(frame["end_utc"]).as_unit("ns").asi8.tolist()
        rows = zip(frame.index.asi8.tolist(), ends, frame["known"], strict=True)
        ranges = tuple(Covered(start, end, Known(known)) for start, end, known in rows)
        return StoredCoverage(ranges, str(frame["source"].iloc[0]))

    def write_coverage(self, instrument: InstrumentId, seconds: int, known: StoredCoverage) -> None:
        """Replace what is known; the bars themselves are stored before that."""
        library = open_library(self._arctic, COVERAGE_PREFIX + size_name(seconds), LibraryOptions())
        library.write(symbol_name(instrument), _coverage_frame(known), prune_previous_versions=True)

    def actions(self, instrument: InstrumentId) -> tuple[CorporateAction, ...]:
        """The splits and dividends of an instrument, in order of time."""
        library = self._existing("actions")
        if library is None or not library.has_symbol(instrument):
            return ()
        frame = library.read(instrument).data
        rows = zip(frame.index.asi8.tolist(), frame["kind"], frame["value_exact"], frame["currency"], strict=True)
        return tuple(
            Split(time, exact(value)) if kind == "split" else Dividend(time, exact(value), currency)
            for time, kind, value, currency in rows
        )

    def contents(self) -> list[StoredBars]:
        """All stored bars, by instrument and size."""
        found: list[StoredBars] = []
        for name in self._arctic.list_libraries():
            if name.startswith(PREFIX):
                library = self._arctic.get_library(name)
                found += [_stored(library, name, symbol) for symbol in symbols(library)]
        return sorted(found)

    def sizes(self, instrument: InstrumentId) -> list[int]:
        """The sizes in seconds in which there are bars of an instrument, ascending."""
        names = [name for name in self._arctic.list_libraries() if name.startswith(PREFIX)]
        has = [name for name in names if self._arctic.get_library(name).has_symbol(instrument)]
        return sorted(size_seconds(name.removeprefix(PREFIX)) for name in has)

    def _existing(self, name: str) -> Library | None:
        return self._arctic.get_library(name) if self._arctic.has_library(name) else None


def _update(library: Library, name: str, frame: pd.DataFrame) -> int:
    """Merge `frame` into the stored bars between its first and its last one."""
    span = (frame.index[0], frame.index[-1])
    stored: pd.DataFrame = library.read(name, date_range=span).data
    merged = frame.reindex(frame.index.union(stored.index).rename(frame.index.name))
    kept = merged.index.difference(frame.index)
    merged.loc[kept] = stored.loc[kept]
    merged = merged.astype(frame.dtypes.to_dict())
    before = stored.reindex(merged.index)
    changed = ~((merged == before) | (merged.isna() & before.isna())).all(axis=1)
    if changed.any():
        library.update(name, merged, date_range=span, prune_previous_versions=True)
    return int(changed.sum())


def _stored(library: Library, name: str, symbol: str) -> StoredBars:
    described = library.get_description(symbol)
    first, last = (pd.Timestamp(moment).as_unit("ns").value for moment in described.date_range)
    return StoredBars(symbol, size_seconds(name.removeprefix(PREFIX)), first, last, int(described.row_count))


def _frame(bars: BarColumns) -> pd.DataFrame:
    length = len(bars)
    columns = {name: getattr(bars, name) for name in NUMBERS[:-1]}
    columns["wap"] = np.zeros(length)
    columns["count"] = np.zeros(length, dtype=np.int64)
    columns["spread"] = np.full(length, np.nan) if bars.spread is None else bars.spread
    return pd.DataFrame(columns, index=time_index(bars.start.tolist()))


def _coverage_frame(known: StoredCoverage) -> pd.DataFrame:
    columns = {
        "end_utc": pd.to_datetime([item.end for item in known.ranges]),
        "known": [item.known.value for item in known.ranges],
        "source": [known.source] * len(known.ranges),
    }
    return pd.DataFrame(columns, index=time_index([item.start for item in known.ranges]))


def _actions_frame(actions: tuple[CorporateAction, ...]) -> pd.DataFrame:
    rows = [
        ("split", str(a.ratio), "") if isinstance(a, Split) else ("dividend", str(a.amount), a.currency)
        for a in actions
    ]
    index = time_index([action.time for action in actions])
    return pd.DataFrame(rows, columns=list(schemas.ACTIONS.columns), index=index)
