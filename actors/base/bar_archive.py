"""Bars that the daemon sees, on their way into the store: collected by market data, stored by the persistence writer.

They are worth less than a fill: beyond a bound the oldest are dropped, and what a killed daemon had not stored yet can
be asked of the broker again (`mats data repair`).
"""

from collections import deque
from collections.abc import Iterable

import structlog

from actors.messages.addresses import PersistenceWriterMessage
from actors.messages.persistence_writer import StoreBars
from mats.data.download import columns_of
from mats.model import Bar, InstrumentId
from mats.runtime import Ref
from mats.store import LockHeldError
from mats.store.outages import StoreAway, StoreGuard
from mats.store.tables import BarStore, write_lock

MAX_BARS = 200_000
"""Bars that wait for the store: those of 50 instruments over five hours."""
SYMBOLS_A_TURN = 5
"""So many instruments are stored in one turn of the writer, so that fills do not wait."""
COMPACT_AFTER = 100
"""Appends of one instrument until its small segments are merged."""


class BarCollector:
    """The bars since the last flush."""

    def __init__(self, store: Ref[PersistenceWriterMessage] | None) -> None:
        """Without a `store` nothing is collected."""
        self._store = store
        self._bars: deque[Bar] = deque(maxlen=MAX_BARS)

    def add(self, bar: Bar) -> None:
        if self._store is not None:
            self._bars.append(bar)

    def flush(self) -> None:
        """Send them on; a writer that has no room gets them the next time."""
        if self._store is not None and self._bars and self._store.offer(StoreBars(tuple(self._bars))):
            self._bars.clear()


class BarArchive:
    """The bars that wait for the store, by instrument; a few instruments are stored at a time."""

    def __init__(self, uri: str, guard: StoreGuard, log: structlog.stdlib.BoundLogger) -> None:
        self._uri, self._guard, self._log = uri, guard, log
        self._waiting: dict[tuple[InstrumentId, int], list[Bar]] = {}
        self._count = 0
        self._appends: dict[tuple[InstrumentId, int], int] = {}

    def add(self, bars: Iterable[Bar]) -> None:
        """Keep them until the store has them; beyond the bound the instrument that waits longest loses its own."""
        for bar in bars:
            self._waiting.setdefault((bar.instrument, bar.seconds), []).append(bar)
            self._count += 1
        while self._count > MAX_BARS:
            instrument, _ = key = next(iter(self._waiting))
            dropped = self._waiting.pop(key)
            self._count -= len(dropped)
            self._log.warning(
                "bars dropped: the store took none for too long; `mats data repair` asks for them again",
                instrument=instrument, bars=len(dropped),
            )  # fmt: skip

    def store_some(self) -> None:
        """Store the bars of a few instruments; those that the store does not take stay."""
        self._store(list(self._waiting)[:SYMBOLS_A_TURN])

    def store_all(self) -> None:
        """Store what waits."""
        self._store(list(self._waiting))

    def _store(self, keys: list[tuple[InstrumentId, int]]) -> None:
        if not keys:
            return
        try:
            self._guard.run_once(lambda: self._write(keys))
        except (StoreAway, LockHeldError):
            return  # it is away, or an import writes bars: the next turn tries again

    def _write(self, keys: list[tuple[InstrumentId, int]]) -> None:
        store = BarStore(self._uri)
        with write_lock(self._uri, "bars", attempts=1):
            for instrument, seconds in keys:
                key = instrument, seconds
                store.write(columns_of(instrument, seconds, self._waiting[key]))
                self._count -= len(self._waiting.pop(key))
                self._appends[key] = self._appends.get(key, 0) + 1
                if self._appends[key] % COMPACT_AFTER == 0:
                    store.compact(instrument, seconds)
