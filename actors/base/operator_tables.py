"""The tables that operators write, for the persistence writer: strategies and explicit equities.

They are read through the guard. What was read last of the strategy table is in the journal too, so that a daemon that
is started while the store is away knows its strategies.
"""

import contextlib
from typing import Protocol

import msgspec
import structlog

from actors.base.journal_writes import JournalWrites
from actors.messages.persistence_writer import (
    EquitiesRead,
    ReadEquities,
    ReadTable,
    SeedStrategies,
    SetEquity,
    StrategiesRead,
)
from mats.model import Currency, StrategyRecord
from mats.runtime import Clock
from mats.store.journal import Journal
from mats.store.outages import StoreAway, StoreGuard
from mats.store.tables import Rejects, strategy_equities, strategy_table

READ_LAST = "strategies"
"""The name under which the journal keeps the strategy table."""


class Writer(Protocol):
    """The actor that they belong to."""

    clock: Clock
    writes: JournalWrites

    @property
    def log(self) -> structlog.stdlib.BoundLogger: ...

    def report_rejects(self, rejects: Rejects) -> None: ...


class OperatorTables:
    """Works in the turns of the persistence writer."""

    def __init__(self, writer: Writer, guard: StoreGuard, journal: Journal, base: Currency) -> None:
        self._writer, self._guard, self._journal, self._base = writer, guard, journal, base
        self._table: tuple[StrategyRecord, ...] | None = None
        self._seeding: SeedStrategies | None = None
        self._reading: ReadTable | None = None
        self._valuing: ReadEquities | None = None
        self._instruments = 0

    @property
    def known(self) -> bool:
        """Whether the strategy table was read, and every request for equities answered."""
        return self._table is not None and self._valuing is None

    def catch_up(self) -> None:
        """Answer what could not be answered while the store was away."""
        if self._seeding is not None:
            self.seed(self._seeding)
        elif self._reading is not None:
            self.read_table(self._reading)
        if self._valuing is not None:
            self.read_equities(self._valuing)
        self._store_instruments()

    def _store_instruments(self) -> None:
        """Copy what is new in the registry of instruments."""
        changed = self._journal.instruments(self._instruments)
        if not changed:
            return
        now = self._writer.clock.now()
        with contextlib.suppress(StoreAway):
            rejects = self._guard.run_once(
                lambda: self._guard.store.write_instruments([known for _, known in changed], now)
            )
            self._writer.report_rejects(rejects)
            self._instruments = changed[-1][0]

    def seed(self, request: SeedStrategies) -> None:
        """Add the records that are missing, and answer with the whole table; while the store is away, with the last."""
        repeated = request is self._seeding
        self._seeding = request
        try:
            read = self._guard.run("table", lambda: self._seeded(request.records))
        except StoreAway as away:
            if not repeated:
                request.reply_to.tell(StrategiesRead(self._read_last(), away=str(away)))
            return
        self._seeding = self._reading = None
        request.reply_to.tell(read)

    def read_table(self, request: ReadTable) -> None:
        """Answer with the table as it is now; while the store is away the one in force stays."""
        if self._seeding is not None:
            return
        self._reading = request
        with contextlib.suppress(StoreAway):
            request.reply_to.tell(self._guard.run("table", self._read))
            self._reading = None

    def read_equities(self, request: ReadEquities) -> None:
        self._valuing = request
        store = self._guard.store
        with contextlib.suppress(StoreAway):
            equities, faults = self._guard.run("equities", lambda: strategy_equities(store, request.places))
            request.reply_to.tell(EquitiesRead(equities, faults))
            self._valuing = None

    def set_equity(self, request: SetEquity) -> str:
        """Why it is not stored; empty when it is."""
        store, now = self._guard.store, self._writer.clock.now()
        account, strategy, equity = request.account, request.strategy, request.equity
        try:
            rejects = self._guard.run_once(
                lambda: store.append_strategy_equity(account, strategy, equity, self._base, now)
            )
        except StoreAway as away:
            return f"the equity of {strategy} is not stored: {away}; try again when it is back"
        return "; ".join(map(str, rejects))

    def _seeded(self, records: tuple[StrategyRecord, ...]) -> StrategiesRead:
        self._writer.report_rejects(self._guard.store.seed_strategies(records, self._writer.clock.now()))
        return self._read()

    def _read(self) -> StrategiesRead:
        records, fault = strategy_table(self._guard.store)
        if not fault and records != self._table:
            table = msgspec.json.encode(records)
            self._writer.writes.attempt(lambda: self._journal.save_snapshot(READ_LAST, 0, table))
            self._table = records
        return StrategiesRead(records, fault)

    def _read_last(self) -> tuple[StrategyRecord, ...]:
        """The strategy table as it was read last, by this process or an earlier one; empty where it never was."""
        if self._table is not None:
            return self._table
        saved = self._journal.load_snapshot(READ_LAST)
        if saved is None:
            return ()
        try:
            return msgspec.json.decode(saved[1], type=tuple[StrategyRecord, ...])
        except msgspec.ValidationError as error:
            self._writer.log.warning("the strategy table that was read last is not understood", error=str(error))
            return ()
