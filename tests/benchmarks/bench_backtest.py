"""The engine alone: `python tests/benchmarks/bench_backtest.py [BARS]` runs one strategy in each style, and says where
the time goes.

Processor seconds, best of three, from spec to result; then what it costs to look at every order, fill and trade of it.
"""

import gc
import sys
from decimal import Decimal
from pathlib import Path
from time import process_time

import numpy as np
from market_backtest import CAPITAL, FEE, FIRST, minute_bars

from mats.backtest.engine import BacktestRun, run_backtest
from mats.backtest.spec import BacktestSpec, ModelSettings
from mats.instruments import parse_instrument
from mats.model.bar_columns import BarColumns, BarData
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import SECOND
from mats.risk import Limits

ROUNDS = 3
HUGE = Decimal(10) ** 15
LIMITS = Limits(max_order_quantity=HUGE, max_order_notional=HUGE, max_position_notional=HUGE, max_account_notional=HUGE)
STYLES = {
    "a message for each bar": ("ema_cross.py", "EmaCross"),
    "declared indicators": ("ema_cross_declared.py", "EmaCrossIndicators"),
    "declared signals": ("ema_cross_declared.py", "EmaCrossSignals"),
}


def columns(count: int) -> BarColumns:
    bars = minute_bars(count, seed=7)
    start = (FIRST + 60 * np.arange(count, dtype=np.int64)) * SECOND
    prices = (bars[name] for name in ("open", "high", "low", "close"))
    return BarColumns("SYN", 60, start, *prices, np.full(count, 1e6))


def once(bars: BarColumns, file: str, class_name: str) -> tuple[float, float, BacktestRun]:
    """Seconds of the run, seconds of looking at its records, and the run."""
    data = BarData({"SYN": bars}, {"SYN": parse_instrument("SYN")})
    params = {"instrument": "SYN", "fast": 10, "slow": 30, "warmup": 0}
    record = StrategyRecord(
        name="ema", file=f"examples/{file}", class_name=class_name, params=params, target_weight=1.0
    )
    models = ModelSettings(fees="per-unit", fee_per_unit=Decimal(str(FEE)), spread_ticks=0, participation=0.0)
    spec = BacktestSpec(
        strategies=(record,), folder=str(Path.cwd()), bar_seconds=60, start=int(bars.start[0]),
        end=int(bars.end[-1]), capital=Decimal(int(CAPITAL)), limits=LIMITS, models=models,
    )  # fmt: skip
    gc.collect()
    begun = process_time()
    run = run_backtest(spec, data)
    ran = process_time() - begun
    begun = process_time()
    counted = len(run.orders), len(run.fills), len(run.trades)
    assert run.state == "complete", run.failure
    assert counted[0] == counted[1] >= 2 * counted[2]
    return ran, process_time() - begun, run


def main() -> None:
    """Measure, and print."""
    bars = columns(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
    print(f"{len(bars):,} bars, CPython {sys.version.split()[0]}; processor seconds, best of {ROUNDS}\n")
    print(f"{'':24} {'run':>7} {'bars/s':>10} {'fills':>7} {'records':>8}   where the time of the run goes")
    for label, (file, class_name) in STYLES.items():
        ran, looked, run = min((once(bars, file, class_name) for _ in range(ROUNDS)), key=lambda result: result[0])
        parts = ", ".join(f"{name} {seconds:.3f}" for name, seconds in run.seconds.items())
        rate = len(bars) / ran
        print(f"{label:24} {ran:7.3f} {rate:10,.0f} {len(run.fills):7,} {looked:8.3f}   {parts}")


if __name__ == "__main__":
    main()
