"""The tables in memory, beneath the real persistence writer: what it stores outlives it, and can be looked at."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from unittest import mock

import msgspec

from actors import persistence_writer
from mats.ledger.books import BookKey, Trade, book_key
from mats.model import (
    AccountId,
    AccountValue,
    Currency,
    Entry,
    InstrumentId,
    IntentId,
    Nanos,
    OrderView,
    StrategyName,
    StrategyRecord,
)
from mats.store.outages import guard
from mats.store.tables import Mark, Rejects, SnapshotInfo
from mats.store.tables.rows import PositionRow
from mats.store.views import book_history

URI = "memory://simulation"


class Disk(msgspec.Struct):
    """What was stored: each entry once, in the order of the log, and the newest view of each order and position.

    While `unreadable` or `unwritable` is set, every call that reads or writes raises it.
    """

    entries: list[Entry] = []
    orders: dict[IntentId, OrderView] = {}
    portfolio: dict[tuple[StrategyName, InstrumentId], Decimal] = {}
    strategies: dict[StrategyName, StrategyRecord] = {}
    snapshots: dict[AccountId, SnapshotInfo] = {}
    unreadable: Exception | None = None
    unwritable: Exception | None = None

    @property
    def seq(self) -> int:
        """The last entry that is stored."""
        return self.entries[-1].seq if self.entries else 0

    def read(self) -> None:
        if self.unreadable is not None:
            raise self.unreadable

    def write(self) -> None:
        if self.unwritable is not None:
            raise self.unwritable


class MemoryStore:
    """`mats.store.tables.Store`, as far as the persistence writer uses it, over a disk of one account."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def close(self) -> None:
        """Nothing is open."""

    def append_fills(self, account: AccountId, entries: Sequence[Entry]) -> Rejects:
        self._disk.write()
        self._disk.entries += [entry for entry in entries if entry.seq > self._disk.seq]
        return []

    def log_seqs(self) -> dict[tuple[str, AccountId], int]:
        return {}

    def fills_stored(self) -> int:
        self._disk.read()
        return len(self._disk.entries)

    def upsert_orders(self, account: AccountId, views: Sequence[OrderView]) -> Rejects:
        self._disk.write()
        self._disk.orders.update((view.intent_id, view) for view in views)
        return []

    def upsert_portfolio(self, account: AccountId, rows: Sequence[PositionRow]) -> Rejects:
        self._disk.write()
        self._disk.portfolio.update(((row.strategy, row.instrument), row.quantity) for row in rows)
        return []

    def append_positions(self, strategy: StrategyName, rows: Sequence[PositionRow]) -> Rejects:
        self._disk.write()
        return []

    def change_trades(self, account: AccountId, changes: Sequence[tuple[str, Nanos, Trade | None]]) -> Rejects:
        self._disk.write()
        return []

    def marks(self, account: AccountId) -> dict[InstrumentId, Mark]:
        self._disk.read()
        return {}

    def last_snapshot(self, account: AccountId) -> SnapshotInfo | None:
        self._disk.read()
        return self._disk.snapshots.get(account)

    def append_portfolio_history(
        self, account: AccountId, rows: Sequence[PositionRow], kept: SnapshotInfo, reason: str
    ) -> Rejects:
        self._disk.write()
        self._disk.snapshots[account] = kept
        return []

    def summary_due(self, account: AccountId, now: Nanos) -> bool:
        return True

    def append_account_summary(
        self, account: AccountId, values: Sequence[AccountValue], currency: Currency, time: Nanos
    ) -> Rejects:
        self._disk.write()
        return []

    def seed_strategies(self, records: Sequence[StrategyRecord], time: Nanos) -> Rejects:
        self._disk.write()
        for record in records:
            self._disk.strategies.setdefault(record.name, record)
        return []

    def read_strategies(self) -> list[StrategyRecord]:
        self._disk.read()
        return list(self._disk.strategies.values())

    def strategy_equity(self, account: AccountId, strategy: StrategyName) -> Decimal | None:
        self._disk.read()
        return None

    def compact_due(self) -> list[str]:
        return []

    def compact(self) -> list[str]:
        return []

    def compact_versions(self) -> list[str]:
        return []


@contextmanager
def stored_on(disk: Disk) -> Iterator[None]:
    """Whoever opens the store meanwhile gets the disk."""

    def of_book(uri: str, key: BookKey, through: int) -> list[Entry]:
        disk.read()
        return [entry for entry in disk.entries if entry.seq <= through and book_key(entry) == key]

    with (
        mock.patch.object(guard, "Store", lambda uri, branch: MemoryStore(disk)),
        mock.patch.object(persistence_writer, "require_lineage", lambda journal, uri: None),
        mock.patch.object(persistence_writer, "pruned_entries", of_book),
        mock.patch.object(book_history, "pruned_entries", of_book),
    ):
        yield
