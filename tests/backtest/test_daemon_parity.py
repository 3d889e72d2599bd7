"""The engine and the whole daemon in virtual time: the same wishes, orders and fills, to the instant and the cent."""

from collections import Counter
from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from mats.backtest.engine import run_backtest
from mats.backtest.spec import BacktestSpec, ModelSettings
from mats.model.bar_columns import BarColumns, BarData
from mats.model.orders import OrderView
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import DAY, HOUR, MINUTE
from mats.risk import Limits
from mats.venue.markets import default_universe
from tests.backtest.whole_daemon import OPENING, run_daemon

NAMES = ("BAC", "IBM", "SPY")
BARS = 240
BEGIN = 19_675 * DAY + 15 * HOUR
"""All within one session, at the end of whose day the exchange ends `DAY` orders."""


def random_bars(name: str, seed: int) -> BarColumns:
    """A walk in cents; one minute in ten is missing, each instrument its own."""
    draw = np.random.default_rng(seed)
    start = BEGIN + MINUTE * np.flatnonzero(draw.random(BARS) > 0.1)
    close = 10_000 + np.cumsum(draw.integers(-20, 21, len(start)))
    opened = close + draw.integers(-5, 6, len(start))
    high, low = np.maximum(opened, close) + 3, np.minimum(opened, close) - 3
    prices = (np.round(cents / 100, 2) for cents in (opened, high, low, close))
    return BarColumns(name, 60, start.astype(np.int64), *prices, np.full(len(start), 1e7))


def spec_of(records: tuple[StrategyRecord, ...], bars: dict[str, BarColumns]) -> BacktestSpec:
    """Strategies that are free in what they trade, over all of the bars."""
    return BacktestSpec(
        strategies=records,
        folder=".",
        bar_seconds=60,
        start=min(int(columns.start[0]) for columns in bars.values()),
        end=max(int(columns.end[-1]) for columns in bars.values()),
        equities={record.name: Decimal(100_000) for record in records},
        models=ModelSettings(participation=0),
        limits=Limits(max_orders_per_minute=1_000_000, max_price_age_seconds=1e9),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_the_engine_decides_and_trades_as_the_daemon_does(seed: int) -> None:
    bars = {name: random_bars(name, seed * 10 + number) for number, name in enumerate(NAMES)}
    universe = default_universe()
    data = BarData(bars, {name: universe.instrument(name) for name in NAMES})
    records = tuple(
        StrategyRecord(
            name=f"{kind}-{name.lower()}",
            file="examples/ema_cross.py",
            class_name="EmaCross",
            params={"instrument": name, "fast": fast, "slow": 3 * fast, "short": 0.5, "warmup": 0},
            target_weight=0.1,
        )
        for kind, fast in (("quick", 2), ("slow", 4))
        for name in NAMES
    )
    spec = spec_of(records, bars)
    quick, whole = run_backtest(spec, data), run_daemon(spec, data)
    assert len(quick.fills) > 100
    assert {(s.time, s.strategy, s.strength) for s in quick.signals} == {
        (s.time, s.strategy, s.strength) for s in whole.signals
    }
    assert {(o.created, o.strategy, o.side, o.quantity, o.state) for o in quick.orders} == {
        (o.created, o.strategy, o.side, o.quantity, o.state) for o in whole.orders.values()
    }
    charged = {c.execution.exec_id: c.commission.amount for c in whole.commissions}
    seen = {
        (f.strategy, f.execution.time - OPENING, f.execution.side, f.execution.quantity, f.execution.price): charged[
            f.execution.exec_id
        ]
        for f in whole.fills
    }
    assert seen == {
        (f.strategy, f.execution.time, f.execution.side, f.execution.quantity, f.execution.price): ruled.commission
        for ruled in quick.fills
        if (f := ruled.fill)
    }


def test_brackets_end_as_those_of_the_daemon_do() -> None:
    """The daemon's market shows opening prices alone, so the bars have no others."""
    walks = {name: random_bars(name, 20 + number) for number, name in enumerate(NAMES)}
    bars = {name: replace(walk, high=walk.open, low=walk.open, close=walk.open) for name, walk in walks.items()}
    universe = default_universe()
    data = BarData(bars, {name: universe.instrument(name) for name in NAMES})
    records = tuple(
        StrategyRecord(
            name=f"bracket-{name.lower()}",
            file="examples/ema_bracket.py",
            class_name="EmaBracket",
            params={"instrument": name, "fast": 2, "slow": 5, "atr": 3, "trail": 1.5, "warmup": 0},
            target_weight=0.1,
        )
        for name in NAMES
    )
    spec = spec_of(records, bars)
    quick, whole = run_backtest(spec, data), run_daemon(spec, data)
    assert Counter((o.ticket.order_type, o.state) for o in quick.orders)["STP", "FILLED"] > 30
    assert Counter(map(_ended, quick.orders)) == Counter(map(_ended, whole.orders.values()))


def _ended(order: OrderView) -> tuple[object, ...]:
    """What an order was, and how it has ended."""
    kind = order.ticket.order_type
    return order.created, order.strategy, order.side, order.quantity, kind, order.filled, order.state
