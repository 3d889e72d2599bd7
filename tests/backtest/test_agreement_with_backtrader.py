"""The same bars and the same rule give the same trades in backtrader, an engine that shares no line with this one.

`MATS_LONG=1` takes half a million bars in place of a few thousand. Skipped where backtrader is not installed.
"""

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mats.model.timestamp import SECOND
from tests.backtest.engine.made import real_bars, real_folder

pytest.importorskip("backtrader")

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
LONG = bool(os.environ.get("MATS_LONG"))
Fills = list[list[tuple[int, int, float]]]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def theirs() -> ModuleType:
    import peer_backtrader

    return peer_backtrader


def ours(bars: dict[str, np.ndarray], style: str) -> tuple[Fills, float]:
    """Bar, signed units and price of each fill, by instrument; and the final equity."""
    import ours_backtest
    from market_backtest import FIRST

    _, run = ours_backtest.measured(bars, style)
    assert run.state == "complete", run.failure
    fills: Fills = [[] for _ in bars["close"]]
    for ruled in run.fills:
        done = ruled.fill.execution
        at = (done.time - FIRST * SECOND) // (60 * SECOND)
        fills[int(done.instrument[1:])].append((at, int(done.signed_quantity), float(done.price)))
    return fills, run.final_equity


def agree(bars: dict[str, np.ndarray], theirs: ModuleType, least: int, style: str = "bars") -> None:
    reference = theirs.run(bars)
    fills, equity = ours(bars, style)
    assert sum(map(len, fills)) >= least
    assert fills == reference.fills
    assert equity == pytest.approx(reference.equity, abs=1e-6, rel=0)


@pytest.mark.parametrize("style", ["bars", "signals"])
def test_one_instrument_of_minute_bars(theirs: ModuleType, style: str) -> None:
    from market_backtest import minute_bars

    count = 500_000 if LONG else 8_000
    bars = {name: values[None] for name, values in minute_bars(count, 21).items()}
    agree(bars, theirs, count // 50, style)


def test_three_instruments_share_the_capital(theirs: ModuleType) -> None:
    from market_backtest import COLUMNS, minute_bars

    made = [minute_bars(100_000 if LONG else 2_500, seed) for seed in (31, 32, 33)]
    agree({name: np.stack([one[name] for one in made]) for name in COLUMNS}, theirs, 150)


def test_the_real_daily_bars_of_ten_instruments(theirs: ModuleType) -> None:
    from market_backtest import COLUMNS

    files = sorted(real_folder("bars_1day").iterdir())
    assert len(files) >= 10
    for path in files if LONG else files[::3]:
        bars = real_bars(path, 86_400)
        agree({name: getattr(bars, name)[None] for name in COLUMNS}, theirs, 50)
