"""What a person waits for: one backtest of 500,000 bars from the command to the stored result, in a process of its own.

`python tests/benchmarks/bench_backtest_process.py [--quick]` prints seconds, processor seconds and peak memory, for
bars from a Parquet file and from the store, and what the imports alone take.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

PROGRAM = Path(__file__).resolve().parents[2] / "run.py"
MARKET = (
    "--fees per-unit --spread-ticks 0 --max-volume-fraction 0 --limits none --capital 1000000 --benchmark none".split()
)
STRATEGY = ["examples/ema_cross.py", "--param", "fast=10", "--param", "slow=30", "--instruments", "SYN"]
ROUNDS = 3

TIMED = """
import json, os, resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


def write_bars(path: Path, count: int) -> None:
    """A walk in cents from 100 by the minute; an open is not the close before it."""
    random = np.random.default_rng(1_000)
    close = np.round(np.maximum(100 + np.cumsum(random.normal(0, 0.03, count)), 5), 2)
    opened = np.round(np.concatenate(([100.0], close[:-1])) + random.normal(0, 0.01, count), 2)
    frame = pd.DataFrame({"open": opened, "close": close, "volume": 1e6})
    frame["high"], frame["low"] = (
        frame[["open", "close"]].max(axis=1) + 0.02,
        frame[["open", "close"]].min(axis=1) - 0.02,
    )
    frame.insert(0, "timestamp", pd.date_range("2020-01-01", periods=count, freq="min", tz="UTC"))
    frame.to_parquet(path)


def timed(*arguments: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak MiB of a Python process."""
    command = [sys.executable, "-c", TIMED, sys.executable, *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    code, wall, cpu, memory = json.loads(told)
    if code:
        raise SystemExit(f"{' '.join(arguments)} ended with {code}")
    return wall, cpu, memory


def main() -> None:
    count = 50_000 if "--quick" in sys.argv else 500_000
    with tempfile.TemporaryDirectory() as folder:
        bars = Path(folder) / "SYN.parquet"
        write_bars(bars, count)
        where = ["--data-dir", f"{folder}/data"]
        timed(str(PROGRAM), "data", "import", str(bars), *where)
        print(
            f"{count:,} bars, best of {ROUNDS}; load average {os.getloadavg()[0]:.1f}; Python {sys.version.split()[0]}"
        )
        print(f"{'':24} {'seconds':>8} {'processor':>10} {'MiB':>6}")
        runs = {
            "imports alone": ["-c", "import actors.cli, mats.cli.research.backtest, mats.backtest.result.metrics"],
            "Parquet → stored result": [str(PROGRAM), "backtest", *STRATEGY, "--data", str(bars), *MARKET, *where],
            "store → stored result": [str(PROGRAM), "backtest", *STRATEGY, "--bar-seconds", "60", *MARKET, *where],
        }
        for name, command in runs.items():
            replace = ["--replace"] if "backtest" in command else []
            wall, cpu, memory = min(timed(*command, *replace) for _ in range(ROUNDS))
            print(f"{name:24} {wall:8.2f} {cpu:10.2f} {memory:6.0f}")


if __name__ == "__main__":
    os.chdir(PROGRAM.parent)
    main()
