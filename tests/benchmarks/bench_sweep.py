"""A sweep of 64 combinations on 100,000 bars by one worker and by two: `python tests/benchmarks/bench_sweep.py`.

The time is that of the whole sweep, the start of its workers included. Rounds alternate, so that what else the machine
does meets both; compare only on a quiet machine.
"""

import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from time import perf_counter

from market_backtest import write
from ours_backtest import market, spec
from rich.console import Console
from rich.table import Table

from mats.data.columns import MarketData
from mats.sweep.grid import parse_axes
from mats.sweep.local import LocalEngine
from mats.sweep.outcomes import Outcome
from mats.sweep.plan import Plan
from mats.sweep.run import run_sweep

QUICK = "--quick" in sys.argv
BARS = 10_000 if QUICK else 100_000
ROUNDS = 1 if QUICK else 3
AXES = ("fast=3:24:3", "slow=30:100:10")
"""Eight by eight."""


def main() -> None:
    """Print the table."""
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="mats-bench-") as scratch:
        write(Path(scratch) / "bars.npz", 1, BARS, seed=11)
        with np.load(Path(scratch) / "bars.npz") as file:
            data = market({name: file[name] for name in file.files})
    console = Console(width=120)
    for style in ("bars", "signals"):
        plan = Plan(spec=spec(data, style), axes=parse_axes(AXES), metric="sharpe")
        times: dict[int, list[float]] = {1: [], 2: []}
        figures: list[dict[int, dict[str, float | None]]] = []
        for _ in range(ROUNDS):
            for workers in times:
                seconds, outcomes = timed(plan, data, workers)
                times[workers].append(seconds)
                figures.append({outcome.task.number: outcome.metrics for outcome in outcomes})
        assert all(one == other for one, other in pairwise(figures)), "the figures differ between rounds"
        console.print(table(style, times))


def timed(plan: Plan, data: MarketData, workers: int) -> tuple[float, list[Outcome]]:
    """Seconds and outcomes of the whole sweep, the start of its workers included."""
    begun = perf_counter()
    with LocalEngine(workers) as engine:
        outcomes = list(run_sweep(plan, data, engine))
    return perf_counter() - begun, outcomes


def table(style: str, times: dict[int, list[float]]) -> Table:
    shown = Table(title=f"64 combinations × {BARS:,} bars, {style}", title_justify="left", box=None)
    for column in ("workers", "seconds, best", "median", "runs/s", "speed-up, best", "median"):
        shown.add_column(column, justify="right")
    for workers, seconds in times.items():
        best, middle = min(seconds), statistics.median(seconds)
        shown.add_row(
            str(workers), f"{best:.2f}", f"{middle:.2f}", f"{64 / middle:.1f}",
            f"{min(times[1]) / best:.2f}", f"{statistics.median(times[1]) / middle:.2f}",
        )  # fmt: skip
    return shown


if __name__ == "__main__":
    main()
