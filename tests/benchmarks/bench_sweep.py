"""A sweep of 64 combinations on 100,000 bars by one worker and by two: `python tests/benchmarks/bench_sweep.py`.

The time is that of the whole sweep, the start of its workers included. Rounds alternate, so that what else the machine
does meets both. Wall seconds compare only on a quiet machine; the CPU seconds that all workers used together bound
what a quiet one can reach, also on a busy one.
"""

import multiprocessing
import os
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from market_backtest import write
from ours_backtest import market, spec
from rich.console import Console
from rich.table import Table

from mats.model.bar_columns import BarData
from mats.sweep.grid import parse_axes
from mats.sweep.local_pool import LocalPool
from mats.sweep.plan import SweepPlan
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
        plan = SweepPlan(spec=spec(data, style), axes=parse_axes(AXES), metric="sharpe")
        runs: dict[int, list[Timed]] = {1: [], 2: []}
        for _ in range(ROUNDS):
            for workers, timed_ones in runs.items():
                timed_ones.append(timed(plan, data, workers))
        everything = [one.figures for timed_ones in runs.values() for one in timed_ones]
        assert all(one == other for one, other in pairwise(everything)), "the figures differ between rounds"
        console.print(table(style, runs))


class Timed(NamedTuple):
    """Wall seconds, CPU seconds of all workers, and the figures by number."""

    wall: float
    used: float
    figures: dict[int, dict[str, float | None]]


def timed(plan: SweepPlan, data: BarData, workers: int) -> Timed:
    """The whole sweep, the start of its workers included."""
    begun = perf_counter()
    with LocalPool(workers) as engine:
        outcomes = list(run_sweep(plan, data, engine))
        used = sum(cpu_seconds(process.pid) for process in multiprocessing.active_children())
    return Timed(perf_counter() - begun, used, {outcome.task.number: outcome.metrics for outcome in outcomes})


def cpu_seconds(pid: int | None) -> float:
    """What a process has used, user and system (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(style: str, runs: dict[int, list[Timed]]) -> Table:
    shown = Table(title=f"64 combinations × {BARS:,} bars, {style}", title_justify="left", box=None)
    for column in ("workers", "wall s, best", "median", "runs/s", "speed-up", "CPU s of workers", "bound"):
        shown.add_column(column, justify="right")
    wall = {workers: statistics.median(one.wall for one in timed_ones) for workers, timed_ones in runs.items()}
    used = {workers: statistics.median(one.used for one in timed_ones) for workers, timed_ones in runs.items()}
    for workers, timed_ones in runs.items():
        shown.add_row(
            str(workers), f"{min(one.wall for one in timed_ones):.2f}", f"{wall[workers]:.2f}",
            f"{64 / wall[workers]:.1f}", f"{wall[1] / wall[workers]:.2f}", f"{used[workers]:.2f}",
            f"{workers * used[1] / used[workers]:.2f}",
        )  # fmt: skip
    return shown


if __name__ == "__main__":
    main()
