"""One backtest by MATS as `peers_backtest` runs the others: `python ours_backtest.py STYLE BARS.npz` prints JSON."""

import json
import resource
import sys
from decimal import Decimal
from pathlib import Path
from time import process_time

import numpy as np
from market_backtest import CAPITAL, FEE, FIRST, SHARE

from mats.backtest.engine import BacktestRun, run_backtest
from mats.backtest.spec import BacktestSpec, ModelSettings
from mats.instruments import parse_instrument
from mats.model.bar_columns import BarColumns, BarData
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import SECOND
from mats.risk import Limits

STYLES = {"bars": "PeerCross", "signals": "PeerCrossSignals"}
HUGE = Decimal(10) ** 15
UNLIMITED = Limits(
    max_order_quantity=HUGE, max_order_notional=HUGE, max_position_notional=HUGE, max_account_notional=HUGE,
    max_orders_per_minute=10**9, max_price_age_seconds=1e9,
)  # fmt: skip


def market(bars: dict[str, np.ndarray]) -> BarData:
    """The bars as columns, by the minute."""
    count, size = bars["close"].shape
    start = (FIRST + 60 * np.arange(size, dtype=np.int64)) * SECOND
    volume = np.full(size, 1e6)
    columns = {
        f"S{i}": BarColumns(f"S{i}", 60, start, *(bars[name][i] for name in ("open", "high", "low", "close")), volume)
        for i in range(count)
    }
    return BarData(columns, {name: parse_instrument(name) for name in columns})


def spec(data: BarData, style: str) -> BacktestSpec:
    """Next opens, half a cent a unit, nothing else."""
    names = sorted(data.bars)
    first = data.bars[names[0]]
    record = StrategyRecord(
        name="cross", file="peer_cross.py", class_name=STYLES[style], target_weight=1.0,
        params={"instruments": names, "strength": SHARE / len(names)},
    )  # fmt: skip
    return BacktestSpec(
        strategies=(record,), folder=str(Path(__file__).parent / "strategies"), bar_seconds=60, style=style,
        start=int(first.start[0]), end=int(first.end[-1]), capital=Decimal(int(CAPITAL)), limits=UNLIMITED,
        models=ModelSettings(fees="per-unit", fee_per_unit=Decimal(str(FEE)), spread_ticks=0, participation=0.0),
    )  # fmt: skip


def measured(bars: dict[str, np.ndarray], style: str) -> tuple[float, BacktestRun]:
    """Seconds of everything from spec to result, and the result."""
    data = market(bars)
    begun = process_time()
    run = run_backtest(spec(data, style), data)
    return process_time() - begun, run


if __name__ == "__main__":
    with np.load(sys.argv[2]) as file:
        loaded = {name: file[name] for name in file.files}
    seconds, run = measured(loaded, sys.argv[1])
    assert run.state == "complete", run.failure
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": seconds, "fills": len(run.fills), "equity": run.final_equity, "memory": memory}
    print(json.dumps(told | {"parts": dict(run.seconds)}))
