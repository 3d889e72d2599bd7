"""The daemon itself over stored bars in virtual time: every actor of the live tree, with the venue as its broker.

The engine of `mats.backtest` composes the same decisions without mailboxes; this is what it is held against. The market
shows its opens and nothing between them, so it is for orders that trade at once.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.base.refs import Refs
from actors.messages.persistence_writer import EquitiesRead, ReadEquities
from actors.persistence_writer import PersistenceWriter
from actors.risk_manager import RiskManager
from actors.tree import DaemonPlan, build
from mats.backtest.spec import BacktestSpec
from mats.model.bar_columns import BarColumns, BarData
from mats.model.executions import CommissionRecorded, FillRecorded
from mats.model.instrument import Instrument
from mats.model.market_data import Bar, Quote
from mats.model.orders import Signal, StrategyName
from mats.model.timestamp import SECOND, Nanos
from mats.runtime import Actor, ChildSpec, SupervisorSpec, VirtualRuntime
from mats.store.journal.journal import Journal
from mats.venue.markets import Listing, Universe
from tests.backtest.light_store import Disk, LightStore
from tests.simulation.brokerage import Brokerage
from tests.simulation.line import VenueLine
from tests.simulation.simulated_connection import simulated_connection

ACCOUNT = "DU0000001"
OPENING: Nanos = SECOND // 1000
"""How long after the bars before it a bar opens: what was decided at their close is at the venue by then."""
NEVER = 1e9
START_SECONDS = 10.0


class NothingIsDue:
    """Hours at which no data are expected: a bar that the data lack was never traded, and its silence is no fault."""

    def is_open(self, _instrument: Instrument, _at: Nanos) -> bool:
        return False


class Step(msgspec.Struct, frozen=True):
    """What the market shows at one instant: quotes, and then the bars that end there."""

    time: Nanos
    quotes: tuple[Quote, ...]
    bars: tuple[Bar, ...]


class Heard(Disk):
    """What a run leaves behind: wishes as risk heard them, orders as they were last, entries of the fill log."""

    signals: list[Signal] = msgspec.field(default_factory=list)

    @property
    def fills(self) -> list[FillRecorded]:
        return [entry for entry in self.entries if isinstance(entry, FillRecorded)]

    @property
    def commissions(self) -> list[CommissionRecorded]:
        return [entry for entry in self.entries if isinstance(entry, CommissionRecorded)]


class Market(Actor[Step]):
    """Plays the steps; nothing else tells the venue the time."""

    class Args(msgspec.Struct, frozen=True):
        broker: Brokerage
        steps: Iterator[Step]
        over: Callable[[], None]

    def __init__(self, args: Args) -> None:
        self._broker, self._steps, self._over = args.broker, args.steps, args.over

    def on_start(self) -> None:
        self._await_next()

    def on_receive(self, message: Step) -> None:
        self._broker.book(self._broker.exchange.advance(message.time))
        self._broker.on_market(message.quotes, message.bars)
        self._await_next()

    def _await_next(self) -> None:
        step = next(self._steps, None)
        if step is None:
            self._over()
        else:
            self.after((step.time - self.clock.now()) / SECOND, step)


class HeardRisk(RiskManager):
    """The risk manager, with a note of every signal that it hears."""

    class Args(msgspec.Struct, frozen=True):
        heard: Heard
        risk: RiskManager.Args

    def __init__(self, args: Args) -> None:
        super().__init__(args.risk)
        self._heard = args.heard

    def on_receive(self, message: Any) -> object:
        if isinstance(message, Signal):
            self._heard.signals.append(message)
        return super().on_receive(message)


class HeardWriter(LightStore):
    """The last stage where nothing is stored: it also knows what the strategies may use."""

    class Args(LightStore.Args, frozen=True, kw_only=True):
        equities: Mapping[StrategyName, Decimal]

    def __init__(self, args: Args) -> None:
        super().__init__(args)
        self._equities = args.equities

    def on_receive(self, message: object) -> object:
        if isinstance(message, ReadEquities):
            message.reply_to.tell(EquitiesRead(self._equities))
        return super().on_receive(message)


def run_daemon(spec: BacktestSpec, data: BarData) -> Heard:
    """Run the whole tree over the bars, first to last."""
    with TemporaryDirectory(prefix="mats-backtest-") as folder:
        return _run(spec, data, Path(folder))


def _run(spec: BacktestSpec, data: BarData, folder: Path) -> Heard:
    heard = Heard()
    first = min(int(columns.start[0]) for columns in data.bars.values())
    runtime = VirtualRuntime(start=first - round(START_SECONDS * SECOND))
    broker = Brokerage(_universe(data), {ACCOUNT: spec.capital}, runtime.clock.now)
    names = Refs.of(runtime)
    folder.mkdir(parents=True, exist_ok=True)
    Journal(folder / "journal.db").close()
    runtime.start(_recorded(build(_plan(spec, broker, folder), names), heard, spec, names))
    runtime.advance(START_SECONDS / 2)
    over: list[bool] = []
    runtime.spawn(Market, Market.Args(broker, steps(data), lambda: over.append(True)), name="market")
    runtime.run_until(lambda: bool(over))
    runtime.advance(START_SECONDS)
    return heard


def steps(data: BarData) -> Iterator[Step]:
    """Each bar shows its opening quote a moment after it begins, and at its end a close without size, and itself."""
    shown: dict[Nanos, tuple[list[Quote], list[Bar]]] = {}
    for name in sorted(data.bars):
        columns = data.bars[name]
        tick = float(data.instruments[name].tick_size)
        for bar in _bars(columns):
            quotes, _ = shown.setdefault(bar.start + OPENING, ([], []))
            quotes.append(quote(bar, bar.open, tick, bar.start + OPENING, size=1e9))
            quotes, bars = shown.setdefault(bar.end, ([], []))
            quotes.append(quote(bar, bar.close, tick, bar.end, size=0.0))
            bars.append(bar)
    for time in sorted(shown):
        quotes, bars = shown[time]
        yield Step(time, tuple(quotes), tuple(bars))


def quote(bar: Bar, price: float, tick: float, time: Nanos, size: float) -> Quote:
    """One tick wide with the price at the ask, as replays open. Without a size nobody trades there."""
    return Quote(bar.instrument, time, round(price - tick, 8), price, size, size, price)


def _bars(columns: BarColumns) -> Iterator[Bar]:
    rows = zip(
        *(c.tolist() for c in (columns.start, columns.open, columns.high, columns.low, columns.close, columns.volume)),
        strict=True,
    )
    for start, opened, high, low, close, volume in rows:
        yield Bar(columns.instrument, start, columns.seconds, opened, high, low, close, volume)


def _universe(data: BarData) -> Universe:
    return Universe(
        Listing(instrument=replace(data.instruments[name], con_id=number), price=1.0, volatility=0.0)
        for number, name in enumerate(sorted(data.instruments), 1)
    )


def _plan(spec: BacktestSpec, broker: Brokerage, folder: Path) -> DaemonPlan:
    return DaemonPlan(
        journal=folder / "journal.db",
        rejects=folder / "rejects.jsonl",
        store_uri="",
        connection=partial(simulated_connection, VenueLine(broker, spec.models.latency)),
        gateway=None,
        limits=replace(spec.limits, max_price_age_seconds=NEVER),
        hours=NothingIsDue(),
        base_currency=spec.currency,
        live_accounts=(),
        reconcile_every=NEVER,
        grace=NEVER,
        allow_leverage=True,
        seeds=spec.strategies,
        strategy_folder=Path(spec.folder),
        intent_prefix="b",
    )


def _recorded(tree: SupervisorSpec, heard: Heard, spec: BacktestSpec, names: Refs) -> SupervisorSpec:
    """The live tree with a writer that stores nothing and a risk manager that takes notes."""

    def child(given: ChildSpec[Any] | SupervisorSpec) -> ChildSpec[Any] | SupervisorSpec:
        if isinstance(given, SupervisorSpec):
            return replace(given, children=tuple(child(inner) for inner in given.children))
        if given.actor is PersistenceWriter:
            args = HeardWriter.Args(
                flush=lambda: None,
                disk=heard,
                equities=spec.equities,
                fill_log=names.fill_log,
                publishers=given.args.publishers,
            )
            return replace(given, actor=HeardWriter, args=args)
        if given.actor is RiskManager:
            return replace(given, actor=HeardRisk, args=HeardRisk.Args(heard, given.args))
        return given

    return replace(tree, children=tuple(child(inner) for inner in tree.children))
