"""Rows of one symbol that are older than those its writer keeps in memory, read back where changes need them.

A read costs milliseconds whatever it brings, so rows that lie near one another are read in one stretch, and stay until
the next commit.
"""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
from arcticdb.version_store.library import Library

from mats.model import SECOND, Nanos
from mats.store.tables.frames import Row, Value, from_frame
from mats.store.tables.schemas import Schema
from mats.store.tables.time_index import second_of

Key = tuple[Value, ...]
Span = tuple[Nanos, Nanos]
"""First and last index, both included."""


class Stretch(NamedTuple):
    """All stored rows from `first` to `last`, by index and by key."""

    first: Nanos
    last: Nanos
    rows: dict[Nanos, Row]
    keys: dict[Key, Nanos]


class OldRows:
    """The stretches that were read since the last commit."""

    def __init__(self, library: Library, name: str, schema: Schema) -> None:
        self._library, self._name, self._schema = library, name, schema
        self._stretches: list[Stretch] = []

    def forget(self) -> None:
        """The table has changed."""
        self._stretches.clear()

    def preload(self, spans: Iterable[Span]) -> None:
        """Read these, and what lies between two that are no further apart than changes of one call."""
        for first, last in _joined(spans, self._schema.run_gap):
            self._load(first, last)

    def second(self, time: Nanos) -> Stretch:
        """A stretch that contains the whole second of `time`."""
        start = second_of(time)
        end = start + SECOND - 1
        return self._known(start, end) or self._load(start, end)

    def row(self, time: Nanos) -> Row | None:
        """The stored row at an index."""
        known = self._known(time, time)
        return (self._read(time, time) if known is None else known.rows).get(time)

    def rows(self, first: Nanos, last: Nanos) -> dict[Nanos, Row]:
        """The stored rows of a span, in order."""
        known = self._known(first, last)
        if known is None:
            return self._read(first, last)
        return {time: row for time, row in known.rows.items() if first <= time <= last}

    def _known(self, first: Nanos, last: Nanos) -> Stretch | None:
        return next((known for known in self._stretches if known.first <= first and last <= known.last), None)

    def _load(self, first: Nanos, last: Nanos) -> Stretch:
        rows = self._read(first, last)
        keys = {tuple(row[column] for column in self._schema.key): time for time, row in rows.items()}
        self._stretches.append(Stretch(first, last, rows, keys if self._schema.key else {}))
        return self._stretches[-1]

    def _read(self, first: Nanos, last: Nanos) -> dict[Nanos, Row]:
        span = (pd.Timestamp(first, tz="UTC"), pd.Timestamp(last, tz="UTC"))
        return from_frame(self._library.read(self._name, date_range=span).data, self._schema)


def _joined(spans: Iterable[Span], gap: Nanos) -> list[Span]:
    """The spans in order, those with at most `gap` between them as one."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return joined
