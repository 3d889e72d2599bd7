"""Bars made from seeds, and specs to run them with."""

import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from mats.backtest.spec import BacktestSpec, ModelSettings
from mats.data.bar_files import read_table
from mats.data.quality import checked_bars
from mats.instruments import parse_instrument
from mats.model.bar_columns import BarColumns, BarData
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import SECOND
from mats.risk import Limits

ROOT = Path(__file__).resolve().parents[3]
STRATEGIES = Path(__file__).parent / "strategies"
START = 1_600_000_020 * SECOND  # a multiple of 60 s
HUGE = Decimal(10) ** 15
NO_LIMITS = Limits(
    max_order_quantity=HUGE, max_order_notional=HUGE, max_position_notional=HUGE, max_account_notional=HUGE
)
PLAIN = ModelSettings(fees="per-unit", spread_ticks=0, participation=0.0)
"""The next open, and half a cent a share."""


def walk(count: int, seed: int, name: str = "SYN", seconds: int = 60, start: int = START) -> BarColumns:
    """A random walk in cents whose next open is not the last close."""
    draw = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(draw.normal(0, 0.0008, count))), 2)
    opened = np.round(np.concatenate(([100.0], close[:-1])) * np.exp(draw.normal(0, 0.0003, count)), 2)
    high = np.round(np.maximum(opened, close) * (1 + np.abs(draw.normal(0, 0.0004, count))), 2)
    low = np.round(np.minimum(opened, close) * (1 - np.abs(draw.normal(0, 0.0004, count))), 2)
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    times = start + np.arange(count, dtype=np.int64) * seconds * SECOND
    volume = draw.integers(1_000, 1_000_000, count).astype(float)
    return BarColumns(name, seconds, times, opened, np.maximum(high, top), np.minimum(low, bottom), close, volume)


def bars_of(rows, name: str = "SYN", seconds: int = 60, start: int = START) -> BarColumns:
    """Bars of (open, high, low, close) or (open, high, low, close, volume), one after the other."""
    table = np.array([(*row, 0.0) if len(row) == 4 else row for row in rows], dtype=float).T
    times = start + np.arange(len(rows), dtype=np.int64) * seconds * SECOND
    return BarColumns(name, seconds, times, *table)


def market(*columns: BarColumns, actions=None) -> BarData:
    bars = {column.instrument: column for column in columns}
    return BarData(bars, {name: parse_instrument(name) for name in bars}, actions or {})


def record(name: str = "ema", file: str = "examples/ema_cross.py", class_name: str = "EmaCross", **more):
    weight = more.pop("weight", 1.0)
    return StrategyRecord(name=name, file=file, class_name=class_name, params=more, target_weight=weight)


def spec_of(data: BarData, *records: StrategyRecord, **more) -> BacktestSpec:
    """A spec over all of the data; plain models and no limits unless given."""
    columns = list(data.bars.values())
    settings = {
        "strategies": records, "folder": str(STRATEGIES), "bar_seconds": columns[0].seconds,
        "start": min(int(c.start[0]) for c in columns), "end": max(int(c.end[-1]) for c in columns),
        "models": PLAIN, "limits": NO_LIMITS,
    }  # fmt: skip
    return BacktestSpec(**(settings | more))


def real_folder(name: str) -> Path:
    """A folder of real data; the test that asks for it is skipped where it is absent."""
    folder = Path(os.environ.get("MATS_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.is_dir():
        pytest.skip("no real market data here; set MATS_DATA to its folder")
    return folder


def real_bars(path: Path, seconds: int) -> BarColumns:
    """The bars of a file."""
    return checked_bars(read_table(path, seconds=seconds))
