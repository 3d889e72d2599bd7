"""The same bars live and in a backtest: the same orders at the same instants, and fills that differ by latency only.

Live means: the daemon and the paper gateway as processes, TWS protocol between them, the stored minutes replayed.
"""

import gzip
import os
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mats.backtest.engine import run_backtest
from mats.backtest.engine.run_records import BacktestRun
from mats.backtest.spec import BacktestSpec, ModelSettings
from mats.model.bar_columns import BarColumns, BarData
from mats.model.market_data import Quote
from mats.model.money import exact
from mats.model.orders import Side
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import SECOND, Nanos
from mats.risk import Limits
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.store import Store
from mats.venue.markets import default_universe
from mats.venue.markets.bar_replay import BarReplay, read_minutes
from tests.system.harness import ACCOUNT, Daemon, GatewayProcess, count, killed_at_end, until

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MATS_DATA", ROOT.parent / "shared" / "data")) / "bars_1min" / "us_2013-10"
HOUR, MINUTES = "2013-10-08 14:", 40
BAR_SECONDS = 0.4
"""Wall seconds of a stored minute: who is on the way for less than 33 ms meets the quote that it opened with."""
EQUITY = Decimal(15_000)
"""Small, so that every order is within the size of one quote."""


class Decision(NamedTuple):
    """An order as it was decided on."""

    time: Nanos
    strategy: str
    side: Side
    quantity: Decimal


class Deal(NamedTuple):
    """How the order was filled."""

    time: Nanos
    price: Decimal
    quantity: Decimal


def an_hour(source: Path, folder: Path) -> Path:
    """Some minutes of a regular session, each file cut to them."""
    folder.mkdir()
    for path in sorted(source.glob("*.csv.gz")):
        with gzip.open(path, "rt") as file:
            header, *rows = file.readlines()
        kept = [row for row in rows if row.startswith(HOUR) and int(row[len(HOUR) :][:2]) < MINUTES]
        (folder / path.name.removesuffix(".gz")).write_text("".join([header, *kept]))
    return folder


def columns(path: Path) -> BarColumns:
    minutes = list(read_minutes(path))
    start = np.array([minute.start for minute in minutes], dtype=np.int64)
    prices = ([getattr(m, name) for m in minutes] for name in ("open", "high", "low", "close", "volume"))
    return BarColumns(path.stem, 60, start, *(np.array(column) for column in prices))


def strategies(names: list[str]) -> tuple[StrategyRecord, ...]:
    return tuple(
        StrategyRecord(
            name=f"ema-{name.lower()}",
            file="examples/ema_cross.py",
            class_name="EmaCross",
            params={"instrument": name, "fast": 2, "slow": 4, "short": 0.4, "warmup": 0},
            target_weight=0.1,
        )
        for name in names
    )


def backtest(folder: Path, records: tuple[StrategyRecord, ...]) -> BacktestRun:
    bars = {path.stem: columns(path) for path in sorted(folder.glob("*.csv"))}
    universe = default_universe()
    spec = BacktestSpec(
        strategies=records,
        folder=".",
        bar_seconds=60,
        start=min(int(b.start[0]) for b in bars.values()),
        end=max(int(b.end[-1]) for b in bars.values()),
        equities={record.name: EQUITY for record in records},
        models=ModelSettings(participation=0),
        limits=Limits(max_orders_per_minute=1_000_000),
    )
    return run_backtest(spec, BarData(bars, {name: universe.instrument(name) for name in bars}))


def settings(folder: Path, port: int, records: tuple[StrategyRecord, ...]) -> Path:
    """The daemon's settings, its strategy table, and each strategy's explicit equity in the store."""
    folder.mkdir()
    table = [
        f'[[strategy]]\nname = "{r.name}"\nfile = "{r.file}"\nclass_name = "{r.class_name}"\ntarget_weight = 0.1\n'
        f'params = {{ instrument = "{r.params["instrument"]}", fast = 2, slow = 4, short = 0.4, warmup = 0 }}\n'
        for r in records
    ]
    (folder / "strategies.toml").write_text("\n".join(table))
    config = folder / "mats.toml"
    config.write_text(
        f'[gateway]\nhost = "127.0.0.1"\nport = {port}\n'
        "[risk]\nmax_orders_per_minute = 1000000\nmax_price_age_seconds = 3600.0\n"
    )
    return config


def live(folder: Path, bars: Path, records: tuple[StrategyRecord, ...], orders: int) -> dict[Decision, Deal]:
    """Run the daemon on the gateway until it has made so many orders; each of them with its fill."""
    data = folder / "data"
    data.mkdir()
    gateway = GatewayProcess(folder, bars, BAR_SECONDS)
    config = settings(folder / "config", gateway.port, records)
    store = Store(lmdb_uri(data / "arctic"))
    for record in records:
        store.append_strategy_equity(ACCOUNT, record.name, EQUITY, "USD", SECOND)
    store.close()
    with killed_at_end(gateway):
        daemon = Daemon(config, data)
        with killed_at_end(daemon):
            until(lambda: count(data / "journal.db", "orders") >= orders, 60, f"{orders} orders")
            until(lambda: daemon.executions() >= orders, 10, f"{orders} executions")
            daemon.stop()
    return journalled(data / "journal.db")


def journalled(path: Path) -> dict[Decision, Deal]:
    journal = Journal(path)
    found: dict[Decision, Deal] = {}
    for order in journal.recent_orders(10_000):
        intent = order.intent
        fills = [
            e.execution
            for e in journal.entries_of(intent.account, intent.strategy, intent.instrument.id)
            if hasattr(e, "execution") and e.intent_id == intent.intent_id
        ]
        (fill,) = {execution.exec_id: execution for execution in fills}.values()
        decision = Decision(intent.time, intent.strategy, intent.side, intent.quantity)
        found[decision] = Deal(fill.time, fill.price, fill.quantity)
    journal.close()
    return found


def backtested(run: BacktestRun) -> dict[Decision, Deal]:
    fills = {ruled.fill.intent_id: ruled.fill.execution for ruled in run.fills}
    return {
        Decision(order.created, order.strategy, order.side, order.quantity): Deal(fill.time, fill.price, fill.quantity)
        for order in run.orders
        if (fill := fills.get(order.intent_id))
    }


@pytest.mark.skipif(not DATA.is_dir(), reason="no real market data here; set MATS_DATA to its folder")
@pytest.mark.timeout(180)
def test_live_and_backtest_decide_alike_and_fill_alike_but_for_latency(tmp_path: Path) -> None:
    bars = an_hour(DATA, tmp_path / "bars")
    records = strategies([path.stem for path in sorted(bars.glob("*.csv"))])
    expected = backtested(backtest(bars, records))
    assert len(expected) > 40
    seen = live(tmp_path, bars, records, len(expected))
    assert seen.keys() == expected.keys()
    shown: dict[str, dict[Nanos, list[Quote]]] = defaultdict(lambda: defaultdict(list))
    for _, slices in BarReplay(bars, default_universe()).minutes(0):
        for piece in slices:
            for quote in piece.quotes:
                shown[quote.instrument][piece.time].append(quote)
    at_once = 0
    for decision, deal in seen.items():
        assert deal.quantity == expected[decision].quantity
        if deal.time == decision.time:
            at_once += 1
            assert deal == expected[decision]
        else:
            late = shown[decision.strategy.removeprefix("ema-").upper()][deal.time]
            assert deal.price in {exact(q.ask if decision.side is Side.BUY else q.bid) for q in late}
    assert at_once > 0.5 * len(seen), f"only {at_once} of {len(seen)} orders were at the market within its instant"
