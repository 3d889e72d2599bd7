"""One symbol of one library, written by its only writer so that no row is lost, duplicated or overwritten by accident.

ArcticDB's `update` deletes every stored row between its first and its last index, `write` replaces a symbol silently,
and `append` drops metadata it is not given. Only this class calls them.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise

import pandas as pd
from arcticdb import QueryBuilder, VersionedItem
from arcticdb.version_store.library import Library
from msgspec.structs import replace

from mats.model import SECOND, Nanos
from mats.store.tables import compaction
from mats.store.tables.connection import NewerTableError
from mats.store.tables.frames import Row, from_frame, to_frame
from mats.store.tables.old_rows import Key, OldRows, Span
from mats.store.tables.schemas import Schema
from mats.store.tables.time_index import MAX_TIME, MIN_TIME, check_time, free_slot, next_slot, second_of

RUN_ROWS = 256
"""Changes to cached rows with at most this many unchanged rows between them are written in one call."""

CHECK_COMMITS = 32
"""The rows of a symbol are counted at least once in this many commits."""

_Run = tuple[Nanos, Nanos]


FORMAT = 1
"""Of the tables, in their metadata; tables of before it have none, and the same rows."""


class StoreError(Exception):
    """The store differs from what its only writer wrote; the message names the symbol."""


class TableWriter:
    """Changes are made by `put` and `remove` inside a `batch`, which usually writes them in one call.

    The newest rows are kept in memory: all stored rows from `_floor` on, and the pending ones among them. Of the rows
    before them in the same second only the keys are (`_behind`), so that a new row need not read them to find its own.
    """

    _rows: dict[Nanos, Row]
    _index: list[Nanos]
    _keys: dict[Key, Nanos]
    _behind: dict[Nanos, Key]
    _pending: dict[Nanos, Row | None]
    _floor: Nanos
    _last: Nanos | None
    _stored_last: Nanos | None
    _seq: int
    _version: int | None
    _unchecked: int
    _outdated: bool
    _compacted_versions: int

    def __init__(self, library: Library, name: str, schema: Schema, branch: str = "") -> None:
        """`branch` of the journal is the one on which it is written."""
        self._library, self.name, self._schema, self._branch = library, name, schema, branch
        self._exists = library.has_symbol(name)
        self._old = OldRows(library, name, schema)
        self.usable = True
        self._load()

    # What is stored

    @property
    def seq(self) -> int:
        """The entry of the fill log up to which this table is written, 0 where it follows none."""
        return self._seq

    @property
    def uncompacted(self) -> int:
        """Weight of the commits since the last compaction."""
        return self._uncompacted

    def rows(self) -> list[Row]:
        """The cached rows, in order: the newest ones, or all of a table that is cached whole."""
        return [self._rows[time] for time in self._index]

    def last_row(self) -> Row | None:
        return self._rows[self._index[-1]] if self._index else None

    def row(self, time: Nanos) -> Row | None:
        """The row at an index, pending changes included."""
        if time in self._pending:
            return self._pending[time]
        if time >= self._floor:
            return self._rows.get(time)
        return self._old.row(time)

    def find(self, key: Key, time: Nanos) -> Nanos | None:
        """Where the row of `key` is, that was placed in the second of `time`; older seconds cost one narrow read."""
        if key in self._keys:
            return self._keys[key]
        if time >= second_of(self._floor):
            return None
        at = self._old.second(time).keys.get(key)
        return None if at is not None and self.row(at) is None else at

    def search(self, key: Key) -> Nanos | None:
        """The index of the row of `key`, by a scan of the key columns: for the rare row whose time changed."""
        if key in self._keys or not self._exists:
            return self._keys.get(key)
        query = QueryBuilder()
        for column, value in zip(self._schema.key, key, strict=True):
            query = query[query[column] == value]
        found = self._library.read(self.name, query_builder=query, columns=[self._schema.key[0]]).data
        return int(found.index.asi8[0]) if len(found) else None

    def preload(self, places: Iterable[tuple[Key, Nanos]]) -> None:
        """Read the old rows of these keys, placed in the seconds of these times, before many of them are needed."""
        self._old.preload(span for key, time in places if (span := self._old_span(key, time)))

    def slot(self, time: Nanos) -> Nanos:
        """A free index for a new row of `time`: the time itself, moved by nanoseconds where that is taken."""
        slot = next_slot(check_time(time), self._last)
        return free_slot(time, self._second(time)) if slot is None else slot

    def after_last(self, time: Nanos) -> Nanos:
        """An index for a new row of a log that is only appended to: `time`, or just after the newest row."""
        return check_time(time) if self._last is None else max(check_time(time), self._last + 1)

    def refresh(self) -> None:
        """Reload when another process has written: for tables that an operator may write too."""
        exists = self._library.has_symbol(self.name)
        version = int(self._library.read_metadata(self.name).version) if exists else None
        if (exists, version) != (self._exists, self._version):
            self.usable = False
            self._exists = exists
            self._load()
            self.usable = True

    # Changes

    def put(self, time: Nanos, row: Row) -> None:
        """Insert or replace the row at an index; nothing is pending when the row is there already."""
        known = self.row(time)
        if known == row:
            return
        self._count += known is None
        self._pending[time] = row
        if time >= self._floor:
            if time not in self._rows:
                insort(self._index, time)
            self._rows[time] = row
        if self._schema.key:
            self._keys[self._key(row)] = time
        self._last = time if self._last is None else max(self._last, time)

    def remove(self, key: Key, time: Nanos = MAX_TIME) -> None:
        """Delete the row of `key`, if there is one: among the cached rows, or placed in the second of `time`."""
        at = self.find(key, time)
        if at is None:
            return
        self._keys.pop(key, None)
        self._count -= 1
        self._pending[at] = None
        if at >= self._floor:
            del self._rows[at]
            self._index.remove(at)

    @contextmanager
    def batch(self, seq: int = 0) -> Iterator[None]:
        """Make the changes of the block durable at its end, and `seq` with the last of them.

        Changes in one run of the table are written in one call, and so all together or not at all. An exception leaves
        the outcome unknown: the object is no longer `usable`, and the next one reads from disk.
        """
        try:
            yield
            if self._pending:
                self._commit(seq)
        except BaseException:
            self.usable = False
            raise

    def _commit(self, seq: int) -> None:
        if self._exists and not self._outdated:
            *earlier, last = self._runs()
            for run in earlier:
                self._write_run(run, self._seq)
            self._write_run(last, seq)
        else:
            self._create(seq)
        self._check_rows()
        self._seq = seq
        self._forget_old()

    def compact(self) -> None:
        """Merge small segments; see `mats.store.tables.compaction`."""
        if self._exists:
            compaction.compact(self._library, self.name)
            self._version = None
        self._uncompacted = 0

    def compact_versions(self) -> bool:
        """Compact version keys where there are many new ones; see `mats.store.tables.compaction`."""
        made = (self._version or 0) - self._compacted_versions
        if made < compaction.COMPACT_VERSIONS_AT:
            return False
        self._compacted_versions += made
        return compaction.compact_versions(self._library, self.name)

    def replace(self, rows: Mapping[Nanos, Row], seq: int) -> None:
        """Rewrite the whole table, `rows` ascending, in one commit; for repairs. The object ends with it."""
        self.usable = False
        if not rows:
            self._library.delete(self.name)
            return
        self._uncompacted, frame = compaction.APPEND_WEIGHT, to_frame(rows, self._schema)
        self._library.write(self.name, frame, metadata=self._metadata(seq), prune_previous_versions=True)

    # Implementation

    def _load(self) -> None:
        self._old.forget()
        self._pending, self._rows = {}, {}
        self._count = self._seq = self._uncompacted = self._unchecked = self._compacted_versions = 0
        self._version, self._outdated = None, False
        if self._exists:
            self._count = self._row_count()
            stored = self._library.tail(self.name, self._schema.cached)
            self._rows = from_frame(stored.data, self._schema) if self._count else {}
            self._outdated = not self._schema.added.keys() <= set(stored.data.columns)
            self._version = int(stored.version)
            metadata = stored.metadata or {}
            format_of(self.name, metadata)
            self._seq, self._uncompacted = metadata.get("seq", 0), metadata.get("loose", compaction.COMPACT_AT)
        self._index = list(self._rows)
        self._floor = MIN_TIME if len(self._index) == self._count else self._index[0]
        self._behind = self._keys_behind()
        keys = {time: self._key(row) for time, row in self._rows.items()} if self._schema.key else {}
        self._keys = {key: time for time, key in (self._behind | keys).items()}
        self._last = self._stored_last = self._index[-1] if self._index else None

    def _key(self, row: Row) -> Key:
        return tuple(row[column] for column in self._schema.key)

    def _keys_behind(self) -> dict[Nanos, Key]:
        """The keys of the stored rows in the second of the oldest cached one that are not cached themselves."""
        start = second_of(self._floor)
        if not self._schema.key or start == self._floor:
            return {}
        columns = {name: self._schema.columns[name] for name in self._schema.key}
        span = (pd.Timestamp(start, tz="UTC"), pd.Timestamp(self._floor - 1, tz="UTC"))
        stored = self._library.read(self.name, date_range=span, columns=list(columns)).data
        rows = from_frame(stored, replace(self._schema, columns=columns))
        return {time: self._key(row) for time, row in rows.items()}

    def _second(self, time: Nanos) -> dict[Nanos, Row]:
        """The rows of the second of `time`, pending changes included."""
        start = second_of(time)
        end = start + SECOND - 1
        if start >= self._floor:
            return self._cached(start, end)
        return self._with_pending(self._old.second(time).rows, start, end)

    def _old_span(self, key: Key, time: Nanos) -> Span | None:
        """Where to read to find the row of a key: None where that is in memory, else its index or its second."""
        if (at := self._keys.get(key)) is not None:
            return (at, at) if at < self._floor else None
        start = second_of(time)
        return (start, start + SECOND - 1) if start < second_of(self._floor) else None

    def _cached(self, first: Nanos, last: Nanos) -> dict[Nanos, Row]:
        span = self._index[bisect_left(self._index, first) : bisect_right(self._index, last)]
        return {time: self._rows[time] for time in span}

    def _with_pending(self, stored: dict[Nanos, Row], first: Nanos, last: Nanos) -> dict[Nanos, Row]:
        """The rows of a span as they will be: stored ones under the pending changes, in order of the index."""
        changed = {**stored, **{time: row for time, row in self._pending.items() if first <= time <= last}}
        return {time: row for time, row in sorted(changed.items()) if row is not None}

    def _runs(self) -> list[_Run]:
        """First and last index of each stretch of changes that one call can carry without rewriting too much."""
        times = sorted(self._pending)
        runs: list[_Run] = [(times[0], times[0])]
        for before, time in pairwise(times):
            if self._near(before, time):
                runs[-1] = (runs[-1][0], time)
            else:
                runs.append((time, time))
        return runs

    def _near(self, before: Nanos, time: Nanos) -> bool:
        if before < self._floor:
            return time - before <= self._schema.run_gap
        return bisect_left(self._index, time) - bisect_left(self._index, before) <= RUN_ROWS

    def _create(self, seq: int) -> None:
        """Write the whole table: a new one, or one that lacks columns."""
        rows = self._with_pending(self._rows, MIN_TIME, MAX_TIME)
        if not rows:
            return
        self._uncompacted = compaction.APPEND_WEIGHT
        self._expect(self._library.write(self.name, to_frame(rows, self._schema), metadata=self._metadata(seq)))
        self._exists, self._outdated = True, False
        self._stored_last = max(rows)

    def _write_run(self, run: _Run, seq: int) -> None:
        first, last = run
        if self._stored_last is None or first > self._stored_last:
            self._append(self._with_pending({}, first, last), seq)
        else:
            self._update(first, last, seq)

    def _append(self, rows: dict[Nanos, Row], seq: int) -> None:
        if not rows:
            return
        self._uncompacted += compaction.APPEND_WEIGHT
        self._expect(self._library.append(self.name, to_frame(rows, self._schema), metadata=self._metadata(seq)))
        self._stored_last = max(rows)

    def _update(self, first: Nanos, last: Nanos, seq: int) -> None:
        """Replace all stored rows from `first` to `last` by the complete run.

        `_stored_last` may stay above the true one after a removal; rows below it are inserted by update, which is
        correct as well.
        """
        self._uncompacted += compaction.UPDATE_WEIGHT
        span = (pd.Timestamp(first, tz="UTC"), pd.Timestamp(last, tz="UTC"))
        stored = self._cached(first, last)
        if first < self._floor:
            stored = self._old.rows(first, min(last, self._floor - 1)) | stored
        rows = self._with_pending(stored, first, last)
        if rows:
            frame = to_frame(rows, self._schema)
            self._expect(self._library.update(self.name, frame, metadata=self._metadata(seq), date_range=span))
            self._stored_last = max(self._stored_last or first, max(rows))
        else:
            self._library.delete_data_in_range(self.name, span)
            self._version = None

    def _metadata(self, seq: int) -> dict[str, int | str]:
        return {"format": FORMAT, "branch": self._branch, "seq": seq, "loose": self._uncompacted}

    def _expect(self, written: VersionedItem) -> None:
        """Versions follow one another; one of another writer in between would hide its rows or ours."""
        if self._version is not None and written.version != self._version + 1:
            raise StoreError(
                f"symbol {self.name} is at version {written.version} where its writer expects {self._version + 1};"
                " check for a second writer"
            )
        self._version = int(written.version)

    def _check_rows(self) -> None:
        """Count the stored rows: always where versions prove nothing, else now and then, because it costs a read."""
        self._unchecked += 1
        if self._version is not None and self._unchecked < CHECK_COMMITS:
            return
        self._unchecked = 0
        stored = self._row_count() if self._exists else 0
        if stored != self._count:
            raise StoreError(
                f"symbol {self.name} has {stored} rows where its writer expects {self._count};"
                " check for a second writer"
            )

    def _row_count(self) -> int:
        return int(self._library.get_description(self.name).row_count)

    def _forget_old(self) -> None:
        for time, row in self._pending.items():
            if time < self._floor and row is not None:
                self._forget_row(time, self._key(row))
        self._pending.clear()
        self._old.forget()
        if len(self._index) <= self._schema.cached + self._schema.cached // 8:
            return
        dropped = self._index[: -self._schema.cached]
        del self._index[: -self._schema.cached]
        self._floor = self._index[0]
        behind, self._behind = self._behind, {}
        for time in dropped:
            behind[time] = self._key(self._rows.pop(time))
        for time, key in behind.items():
            self._forget_row(time, key)

    def _forget_row(self, time: Nanos, key: Key) -> None:
        """Of a row that is not cached any more only the key is kept, where it is in the second of the oldest cached."""
        if time >= second_of(self._floor):
            self._behind[time] = key
        elif self._keys.get(key) == time:
            del self._keys[key]


def format_of(name: str, metadata: Mapping[str, object]) -> int:
    """The format of a table by its metadata; NewerTableError for one of a newer program."""
    found = metadata.get("format", 0)
    assert isinstance(found, int)
    if found > FORMAT:
        raise NewerTableError(
            f"table {name} has version {found} and this program knows up to {FORMAT}; start the newer program that "
            "wrote it"
        )
    return found
