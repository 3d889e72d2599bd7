"""The engine against a strategy worked out by hand: the same fills, the same equity."""

import pytest

from mats.backtest.engine import run_backtest
from tests.backtest.engine.ema_oracle import oracle
from tests.backtest.engine.made import market, real_bars, real_folder, record, spec_of, walk


def traded(run):
    return [
        (f.fill.execution.time, str(f.fill.execution.side), f.fill.execution.quantity, f.fill.execution.price)
        for f in run.fills
    ]


@pytest.mark.parametrize(("fast", "slow", "seed"), [(10, 30, 1), (5, 20, 2), (2, 50, 3)])
def test_the_fills_and_the_final_equity_are_those_of_the_oracle(fast, slow, seed):
    bars = walk(20_000, seed)
    data = market(bars)
    run = run_backtest(spec_of(data, record(instrument="SYN", fast=fast, slow=slow, warmup=0)), data)
    fills, equity = oracle(bars, fast, slow)
    assert len(fills) > 300
    assert traded(run) == fills
    assert abs(run.final_equity - float(equity)) < 1e-6


def test_the_same_on_the_real_daily_bars_of_ten_instruments():
    for path in sorted(real_folder("bars_1day").iterdir()):
        bars = real_bars(path, 86_400)
        data = market(bars)
        run = run_backtest(
            spec_of(data, record(instrument=bars.instrument, fast=10, slow=30, warmup=0, bar_seconds=86_400)), data
        )
        fills, equity = oracle(bars, 10, 30)
        assert len(fills) > 100
        assert traded(run) == fills
        assert abs(run.final_equity - float(equity)) < 1e-6
