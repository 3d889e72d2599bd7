"""Real bars from files to a stored result that can be made again; skipped where there are none."""

import os
import shutil
from pathlib import Path

import pytest

from mats import backtest
from mats.backtest.result.result import BacktestResult
from mats.backtest.result.storage import store_result, verify
from mats.store.tables.connection import lmdb_uri

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MATS_DATA", ROOT.parent / "shared" / "data"))
CORE = ("cagr", "volatility", "sharpe", "sortino", "calmar", "turnover", "hit_rate", "profit_factor", "alpha", "beta")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no real bars here; MATS_DATA names their folder")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "mats.toml").write_text(f'data_dir = "{tmp_path}/data"\n')
    return tmp_path / "mats.toml"


def made_again(result: BacktestResult, folder: Path) -> bool:
    uri = lmdb_uri(folder / "data/arctic")
    store_result(uri, result)
    return verify(uri, result.name).same


def test_ten_instruments_of_daily_bars(settings: Path, tmp_path: Path) -> None:
    names = sorted(path.name.partition(".")[0] for path in (DATA / "bars_1day").iterdir())
    result = backtest.run(
        "examples/ema_cross.py",
        data=DATA / "bars_1day",
        instruments=names,
        params={"fast": 10, "slow": 30},
        bar_seconds=86_400,
        start="2008-01-01",
        config=settings,
    )
    assert result.run.state == "complete"
    assert result.metrics.undefined == {}
    assert len(result.record.by_strategy) == 10
    assert result.metrics.days_per_year == pytest.approx(252, abs=2)
    for name, metrics in result.record.by_strategy.items():
        assert {figure for figure in CORE if metrics.figures()[figure] is None} == set(), name
    finals = sum(metrics.final_equity for metrics in result.record.by_strategy.values())
    assert finals == pytest.approx(result.metrics.final_equity)
    assert made_again(result, tmp_path)


def test_minutes_over_a_split_of_seven_to_one(settings: Path, tmp_path: Path) -> None:
    shutil.copytree(DATA / "bars_1min/aapl_2014-06", tmp_path / "bars")
    (tmp_path / "bars/AAPL.actions.csv").write_text("time,kind,value\n2014-06-09,split,7\n")
    result = backtest.run(
        "examples/ema_cross.py",
        data=tmp_path / "bars",
        instruments=["AAPL"],
        params={"fast": 100, "slow": 600},
        config=settings,
    )
    assert result.metrics.benchmark_return == pytest.approx(0.01, abs=0.03)
    assert result.metrics.max_drawdown > -0.05
    assert made_again(result, tmp_path)


def test_a_pair_pays_the_spread_that_its_bars_quote(settings: Path, tmp_path: Path) -> None:
    result = backtest.run(
        "examples/ema_cross.py",
        data=DATA / "bars_1min/gbpusd_2012-02",
        instruments=["GBPUSD"],
        params={"strength": 0.9},
        end="2012-02-04",
        config=settings,
    )
    assert result.run.state == "complete"
    assert len(result.trades) > 50
    assert made_again(result, tmp_path)
