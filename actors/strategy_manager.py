"""The strategy manager: reads the strategy table, checks it, and has each active strategy started."""

from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import ask_to_resubscribe
from actors.messages.addresses import (
    IbPoolMessage,
    MarketDataMessage,
    OrderManagerMessage,
    PersistenceWriterMessage,
    PortfolioManagerMessage,
    RiskManagerMessage,
    StrategyManagerMessage,
    StrategyMessage,
    strategy_at,
)
from actors.messages.ib_pool import LeaseConnection
from actors.messages.persistence_writer import ReadTable, SeedStrategies, StrategiesRead
from actors.messages.portfolio_manager import AccountsDiscovered, SetWeights
from actors.messages.strategy import StopTrading, StrategyLoaded, StrategyStarted, StrategyWaits
from actors.messages.strategy_manager import ParkStrategy, ReadStrategies, StartStrategy, StopStrategy, StrategyTable
from actors.messages.subscription import Republish
from actors.strategy import StrategyActor
from mats.model import AccountId, Host, StrategyName, StrategyRecord, check_weights
from mats.runtime import (
    Actor,
    Backoff,
    ChildFailed,
    ChildParked,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    Down,
    Limit,
    OwnProcess,
    Park,
    Ref,
    Refused,
    StartChild,
    StopChild,
    SupervisorMessage,
    Unpark,
)
from mats.strategy.hosting import check_change, differing, shares, turned_off, turned_on

LIMIT = Limit(restarts=3, seconds=300.0)
BACKOFF = Backoff(min=1.0, max=30.0, jitter=0.2)
START_SECONDS = 20.0
"""How long a strategy's file may take to be read."""
TABLE_SECONDS = 4.0
"""How soon a change of the stored strategy table is noticed."""


class RefreshTable(msgspec.Struct, frozen=True):
    pass


class StrategyManager(Actor[StrategyManagerMessage | RefreshTable | Down]):
    """A strategy with a fault is reported, and the others start."""

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        seeds: tuple[StrategyRecord, ...]
        folder: Path
        intent_prefix: str
        allow_leverage: bool
        host: Host
        supervisor: Ref[SupervisorMessage]
        store: Ref[PersistenceWriterMessage]
        pool: Ref[IbPoolMessage]
        market_data: Ref[MarketDataMessage]
        risk: Ref[RiskManagerMessage]
        orders: Ref[OrderManagerMessage]
        portfolio: Ref[PortfolioManagerMessage]

    def __init__(self, args: Args) -> None:
        self._args, self._allow_leverage = args, args.allow_leverage
        self._supervisor, self._store, self._pool = args.supervisor, args.store, args.pool

    def on_start(self) -> None:
        self._records: dict[StrategyName, StrategyRecord] = {}
        self._loaded, self._refused, self._away = False, "", ""
        self._accounts: tuple[AccountId, ...] = ()
        self._faults: dict[StrategyName, str] = {}
        self._running: set[StrategyName] = set()
        self._waiting: dict[StrategyName, str] = {}
        self._wanted: set[StrategyName] = set()
        self._loading: set[StrategyName] = set()
        self._stopping: set[StrategyName] = set()
        self._early: list[StrategyName] = []
        self._store.tell(SeedStrategies(self._args.seeds, self.ref))
        ask_to_resubscribe(self)
        self.every(TABLE_SECONDS, RefreshTable())

    def on_receive(self, message: StrategyManagerMessage | RefreshTable | Down) -> object:
        match message:
            case StrategiesRead():
                self._read(message)
            case RefreshTable():
                self._store.offer(ReadTable(self.ref))
            case AccountsDiscovered(accounts=accounts):
                self._accounts = accounts
            case StartStrategy(strategy=strategy):
                if self._loaded:
                    self._start(strategy)
                else:
                    self._early.append(strategy)
            case StopStrategy(strategy=strategy):
                self._stop(strategy)
            case Down():
                self._lose(str(message.tag))
            case ParkStrategy(strategy=strategy, reason=reason):
                self._supervisor.tell(Park(strategy, reason))
            case Republish():
                self._share_weights()
            case StrategyLoaded():
                self._on_loaded(message)
            case ChildFailed(name=path, reason=reason):
                self._on_start_failed(path.rpartition("/")[2], reason)
            case ChildStarted() | ChildStopped() | ChildParked() | Refused():
                pass
            case StrategyWaits(strategy=strategy, reason=reason):
                self._waiting[strategy] = reason
            case StrategyStarted(strategy=strategy):
                self._waiting.pop(strategy, None)
                self._running.add(strategy)
                self._wanted.add(strategy)
                self.watch(self._child(strategy), tag=strategy)
                self.log.info("strategy started", strategy=strategy)
            case ReadStrategies():
                return message.answer(self._table())
            case _:
                assert_never(message)
        return None

    # The table

    def _table(self) -> StrategyTable:
        records = tuple(self._records.values())
        return StrategyTable(
            records=records,
            running=frozenset(self._running),
            faults=dict(self._faults),
            loaded=self._loaded,
            refused=self._refused,
            loading=frozenset(self._loading),
            away=self._away,
            waiting=dict(self._waiting),
        )

    def _read(self, table: StrategiesRead) -> None:
        """The daemon starts with the first one; a changed one replaces it, or is rejected."""
        self._away, refused = table.away, table.fault
        if table.away and (self._loaded or not table.records):
            self.log.warning("strategy table not read; keeping the previous one, if any", reason=table.away)
            return
        if table.away:
            self.log.warning("strategies start from the table that was read last", reason=table.away)
        if not refused and not self._loaded:
            self._take_table(table.records)
            while self._early:
                self._start(self._early.pop())
        elif not refused and (records := {r.name: r for r in table.records}) != self._records:
            refused = self._change_table(records)
        if refused and refused != self._refused:
            self.log.error("strategy table rejected; keeping the previous one", reason=refused)
        self._refused = refused

    def _change_table(self, records: dict[StrategyName, StrategyRecord]) -> str:
        """Take the changed table; or return why it cannot apply while these strategies run."""
        try:
            check_change(self._records, records, self._wanted, self._allow_leverage, next(iter(self._accounts), ""))
        except ValueError as error:
            return str(error)
        self.log.info("strategy table changed", strategies=differing(self._records, records))
        started = turned_on(self._records, records, self._wanted, self._faults)
        stopped = turned_off(self._records, records, self._wanted)
        self._records = records
        self._faults = {name: fault for name, fault in self._faults.items() if name in records and records[name].active}
        for strategy in stopped:
            self._stop(strategy)
        self._share_weights()
        for strategy in started:
            self._start(strategy)
        return ""

    def _take_table(self, records: tuple[StrategyRecord, ...]) -> None:
        self._records = {record.name: record for record in records}
        self._loaded = True
        active = [record for record in records if record.active]
        self._share_weights()
        try:
            self._check_weights({record.name for record in active})
        except ValueError as error:
            self.log.error("no strategy started", reason=str(error))
            self._faults = {record.name: str(error) for record in active}
            return
        for record in active:
            if self._known(record.name):
                self._wanted.add(record.name)
            else:
                self._start(record.name)

    def _check_weights(self, strategies: set[StrategyName]) -> None:
        taking_part = shares(record for name, record in self._records.items() if name in strategies)
        check_weights(taking_part, self._allow_leverage, next(iter(self._accounts), ""))

    def _child(self, strategy: StrategyName) -> Ref[StrategyMessage]:
        return self.runtime.ref(strategy_at(strategy))

    def _known(self, strategy: StrategyName) -> bool:
        """Whether this process has started it before: it runs, is being restarted, or was stopped on purpose."""
        return self._child(strategy).incarnation > 0

    def _share_weights(self) -> None:
        """Of all that may run or hold positions: the active ones, and those that an operator has started."""
        shared = tuple(r for r in self._records.values() if r.active or r.name in self._wanted)
        weights = SetWeights(shared)
        self._args.portfolio.tell(weights)
        self._args.risk.tell(weights)

    def _start(self, strategy: StrategyName) -> None:
        """Its actor reads file and parameters, and says what is wrong with them; nobody waits for that."""
        record = self._records.get(strategy)
        if record is None:
            self.log.error("start request discarded: no such strategy in general/strategies", strategy=strategy)
            return
        try:
            self._check_weights(self._wanted | {strategy})
        except ValueError as error:
            self._faults[strategy] = str(error)
            self.log.error(str(error), strategy=strategy)
            return
        self._faults.pop(strategy, None)
        self._wanted.add(strategy)
        if not record.active:
            self._share_weights()
        if strategy in self._stopping:
            return
        self._loading.add(strategy)
        self._pool.tell(LeaseConnection(strategy))
        self._supervisor.tell(Unpark(strategy))
        self._supervisor.tell(StartChild(self._spec(record), reply_to=self.ref))

    def _on_loaded(self, loaded: StrategyLoaded) -> None:
        self._loading.discard(loaded.strategy)
        if loaded.fault:
            self._reject(loaded.strategy, loaded.fault)

    def _on_start_failed(self, strategy: StrategyName, reason: str) -> None:
        """The first start has failed before the file was read; only one that never ended is not tried again."""
        self._loading.discard(strategy)
        if reason == "abandoned":
            fault = f"strategy {strategy} was not loaded within {START_SECONDS:g} s; see what its file does at import"
            self._reject(strategy, fault)

    def _reject(self, strategy: StrategyName, fault: str) -> None:
        """It cannot run; its record or its file must change first."""
        self._faults[strategy] = fault
        self.log.error(fault, strategy=strategy)
        self._wanted.discard(strategy)
        self._supervisor.tell(StopChild(strategy))
        if strategy in self._records and not self._records[strategy].active:
            self._share_weights()

    def _spec(self, record: StrategyRecord) -> ChildSpec[StrategyActor.Args]:
        given = self._args
        args = StrategyActor.Args(
            record=record,
            folder=given.folder,
            intent_prefix=given.intent_prefix,
            market_data=given.market_data,
            risk=given.risk,
            orders=given.orders,
            portfolio=given.portfolio,
            manager=self.ref,
        )
        return ChildSpec(
            name=record.name,
            actor=StrategyActor,
            args=args,
            restart="transient",
            limit=LIMIT,
            backoff=BACKOFF,
            over_limit="park",
            start_deadline=START_SECONDS,
            stop_deadline=2.0,
            process=self._process_of(record),
        )

    def _process_of(self, record: StrategyRecord) -> OwnProcess | None:
        if record.host_or(self._args.host) == "thread":
            return None
        return OwnProcess(name=record.process, memory_mb=record.memory_mb)

    def _stop(self, strategy: StrategyName) -> None:
        """The strategy stops in order and ends by itself; then the supervisor forgets it."""
        if not self._known(strategy):
            self.log.warning("stop request discarded: strategy was never started", strategy=strategy)
            return
        self._running.discard(strategy)
        self._waiting.pop(strategy, None)
        self._wanted.discard(strategy)
        self._stopping.add(strategy)
        self.watch(self._child(strategy), tag=strategy)
        self._child(strategy).offer(StopTrading())

    def _lose(self, strategy: StrategyName) -> None:
        """It has ended: on request, or it failed and its supervisor decides."""
        self._running.discard(strategy)
        self._waiting.pop(strategy, None)
        if strategy in self._stopping:
            self._stopping.discard(strategy)
            self._supervisor.tell(StopChild(strategy))
            if strategy in self._wanted:  # started again meanwhile
                self._start(strategy)
