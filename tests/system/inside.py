"""The whole system in the process of the test: actors can be probed and crashed, the gateway can be made to fail."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from actors.base.refs import Refs
from actors.daemon.shutdown_summary import ShutdownSummary
from actors.ib_connection import Timing
from actors.messages.fill_log import Progress, ReadProgress, ReplayMerged, StagesBehind, StoreReported
from actors.messages.market_data import WatchPrices
from actors.messages.persistence_writer import StrategiesRead
from actors.messages.portfolio_manager import PortfolioSnapshot, ReadPortfolio
from actors.operator.operator import Operator
from actors.tree import DaemonPlan, build, ib_connection
from mats.gateway import PaperGateway
from mats.gateway.faults.fault_injector import FaultInjector
from mats.model.strategy_table import read_records
from mats.operator.run_summary import RunSummary
from mats.risk import Limits
from mats.runtime import DeadLetter, SystemClock, ThreadRuntime
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from tests.patience import PATIENCE
from tests.system.harness import LIVELY, Look, count, look, prove, until, write_bars

T = TypeVar("T")

VOID_AT_THE_END = (ReplayMerged, StagesBehind, StoreReported, StrategiesRead, WatchPrices)
"""Answers and reports of the fill log and of the store, and requests for prices: nobody needs them at the end."""


class GatewayThread:
    """A paper gateway on a loop of its own."""

    def __init__(self, **options: Any) -> None:
        self._options, self._listens = options, threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._listens.wait(PATIENCE), "the gateway did not listen"
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as fault:
            self._fault = fault
            self._listens.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with PaperGateway(**self._options) as self.gateway:
            self._listens.set()
            await self._stop.wait()

    def call(self, act: Callable[[PaperGateway], T]) -> T:
        """Do something in the gateway's own thread and return what it returns."""

        async def acting() -> T:
            return act(self.gateway)

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result(PATIENCE)

    def fault(self, act: Callable[[FaultInjector], T]) -> T:
        return self.call(lambda gateway: act(gateway.faults))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)


class System:
    """A running tree over `data`, and what tests ask of it."""

    def __init__(self, folder: Path, gateway: GatewayThread, **settings: Any) -> None:
        """`settings` are those of the `DaemonPlan` that are to differ."""
        self.data, self.gateway = folder / "data", gateway
        self.data.mkdir(exist_ok=True)
        journal = Journal(self.data / "journal.db")
        boot = journal.open_boot()
        journal.close()
        self.runtime = ThreadRuntime(seed=boot.number, clock=SystemClock())
        self.names = Refs.of(self.runtime)
        self.letters: list[DeadLetter] = []
        self._ending = False
        self.runtime.dead_letters.subscribe(self.letters.append)
        self.operator = Operator(self.runtime, self.names)
        plan = _plan(folder, self.data, gateway.gateway.port, boot.branch)
        plan = msgspec.structs.replace(plan, **settings)
        self.runtime.start(build(plan, self.names))
        assert self.operator.wait_for_broker(PATIENCE), [actor for actor in self.runtime.status() if actor.last_failure]
        assert self.operator.wait_for_strategies(PATIENCE)

    # What the test sees

    def fills(self, strategy: str = "") -> int:
        """Executions that the gateway reports, of one strategy or of all."""
        fills = self.gateway.fault(lambda faults: faults.fills())
        return sum(fill.order_ref.startswith(f"{strategy}:") if strategy else True for fill in fills)

    def incarnations(self) -> dict[str, int]:
        return {actor.name: actor.incarnation for actor in self.runtime.status()}

    def state(self, name: str) -> str:
        return next((actor.state for actor in self.runtime.status() if actor.name == name), "never started")

    def portfolio(self) -> PortfolioSnapshot:
        portfolio = self.names.portfolio.ask(ReadPortfolio(), timeout=PATIENCE)
        assert isinstance(portfolio, PortfolioSnapshot)
        return portfolio

    # What the test waits for

    def wait_for_fills(self, more: int, *strategies: str, seconds: float = PATIENCE) -> None:
        """Until each of the strategies (or all together) has so many more executions at the gateway."""
        targets = {strategy: self.fills(strategy) + more for strategy in strategies or ("",)}
        for name, target in targets.items():
            until(lambda n=name, t=target: self.fills(n) >= t, seconds, f"{more} more fills of {name or 'all'}")

    def wait_for_agreement(self, seconds: float = PATIENCE) -> None:
        """Until a comparison with the broker that begins after now finds no difference."""
        begun = self.runtime.monotonic()

        def agreed() -> bool:
            portfolio = self.portfolio()
            self.operator.reconcile()
            ago = portfolio.reconciled_seconds_ago
            return ago is not None and ago < self.runtime.monotonic() - begun and not portfolio.breaks

        until(agreed, seconds, "the agreement of books and broker")

    def wait_until_booked(self, seconds: float = PATIENCE) -> None:
        """Until every execution of the gateway is in the journal, and every stage has every entry."""

        def booked() -> bool:
            progress = self.names.fill_log.ask(ReadProgress(), timeout=PATIENCE)
            assert isinstance(progress, Progress)
            everywhere = all(cursor == progress.last_seq for cursor in progress.cursors.values())
            return everywhere and count(self.data / "journal.db", "executions") >= self.fills()

        until(booked, seconds, "every execution in every stage")

    # The end

    def finish(self) -> tuple[RunSummary, Look]:
        """Stop as the daemon does; the summary, and the gateway as an independent client sees it."""
        self.operator.stop_strategies(5)
        summary = ShutdownSummary(self.runtime, self.names, self.operator, self.data / "journal.db").take()
        self._ending = True
        report = self.runtime.stop(15)
        summary = msgspec.structs.replace(summary, abandoned=tuple(actor.name for actor in report.abandoned))
        return summary, look(self.gateway.gateway.port)

    def finish_and_prove(self) -> RunSummary:
        """The end of a test in which nothing may be lost."""
        summary, seen = self.finish()
        assert not self.lost(), self.lost()
        prove(self.data, seen, msgspec.to_builtins(summary) | {"dead_letters": 0})
        return summary

    def lost(self) -> list[str]:
        """Dead letters, but for news that found their reader gone at the end."""
        return [
            f"{x.reason} at {x.target}: {x.message!r}"[:300]
            for x in self.letters
            if not (self._ending and x.reason in ("unprocessed", "closed") and isinstance(x.message, VOID_AT_THE_END))
        ]


def _plan(folder: Path, data: Path, port: int, prefix: str) -> DaemonPlan:
    return DaemonPlan(
        journal=data / "journal.db",
        rejects=data / "rejects.jsonl",
        store_uri=lmdb_uri(data / "arctic"),
        connection=partial(
            ib_connection,
            Timing(host="127.0.0.1", port=port, connect_timeout=30.0, replay_timeout=60.0, heartbeat=15.0),
        ),
        gateway=None,
        limits=Limits(max_orders_per_minute=1_000_000),
        base_currency="USD",
        live_accounts=(),
        reconcile_every=1.0,
        grace=1.0,
        allow_leverage=False,
        seeds=read_records(folder / "strategies.toml"),
        strategy_folder=folder / "strategies",
        intent_prefix=prefix,
    )


def write_strategies(folder: Path, table: str, **files: str) -> None:
    """The strategy table, and the strategy files by stem; `lively` is always there."""
    (folder / "strategies").mkdir(parents=True, exist_ok=True)
    (folder / "strategies.toml").write_text(table)
    for stem, text in ({"lively": LIVELY} | files).items():
        (folder / "strategies" / f"{stem}.py").write_text(text)


@contextmanager
def lively_gateway(folder: Path, bar_seconds: float = 1.5, seed: int = 3) -> Iterator[GatewayThread]:
    """A gateway in a thread that replays lively bars."""
    gateway = GatewayThread(replay=write_bars(folder / "bars", seed), bar_seconds=bar_seconds, hold_seconds=0.2)
    try:
        yield gateway
    finally:
        gateway.stop()


@contextmanager
def running_system(folder: Path, gateway: GatewayThread, **settings: Any) -> Iterator[System]:
    """A running tree that is gone afterwards, however the test ends; `settings` of the `DaemonPlan` may differ."""
    system = System(folder, gateway, **settings)
    try:
        yield system
    finally:
        system.runtime.stop(8)
