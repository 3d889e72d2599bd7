"""MATS and its peers side by side: `python tests/benchmarks/bench_backtest_peers.py [--quick] [--rounds 3]`.

The same bars and the same rule (`market_backtest`) in a process each, one after the other and in turns, so that what
else the machine does meets all of them. Seconds are CPU seconds of the run alone: imports, data and feeds were made
before. `make bench-backtest` makes an environment of their own for the peers.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from market_backtest import SETS, oracle, write
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
QUICK = "--quick" in sys.argv
ROUNDS = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else 1 if QUICK else 3
PEERS_PYTHON = sys.argv[sys.argv.index("--python") + 1] if "--python" in sys.argv else ROOT / ".venv-peers/bin/python"
OURS = ("bars", "signals")
PEERS = ("vnpy", "backtesting", "bt", "nautilus", "backtrader")
PATIENCE = 900.0


class Ran(msgspec.Struct):
    seconds: float
    fills: int
    equity: float
    memory: float
    parts: dict[str, float] = {}


def main() -> None:
    """Print a table for each set of bars."""
    import numpy as np

    console = Console(width=120)
    if not Path(PEERS_PYTHON).exists():
        console.print("the peers are not installed; `make bench-backtest` installs them and runs this")
        return
    with tempfile.TemporaryDirectory(prefix="mats-bench-") as scratch:
        for name, (instruments, bars) in SETS.items():
            bars = bars // 25 if QUICK else bars
            path = Path(scratch) / f"{name}.npz"
            write(path, instruments, bars, seed=11)
            with np.load(path) as file:
                truth = oracle(file["open"], file["close"])
            runs = rounds(path)
            console.print(table(f"{instruments} × {bars:,} one-minute bars", runs, truth, instruments * bars))
            console.print(parts(runs))


def rounds(path: Path) -> dict[str, list[Ran]]:
    """Everybody once, then everybody again."""
    runs: dict[str, list[Ran]] = {}
    for _ in range(ROUNDS):
        for style in OURS:
            runs.setdefault(f"MATS, {style}", []).append(child(sys.executable, "ours_backtest.py", style, path))
        for peer in PEERS:
            runs.setdefault(peer, []).append(child(str(PEERS_PYTHON), "peers_backtest.py", peer, path))
    return runs


def child(python: str, script: str, which: str, path: Path) -> Ran:
    """One run in a process of its own."""
    done = subprocess.run(
        [python, str(HERE / script), which, str(path)], capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={"PYTHONPATH": str(ROOT), "HOME": tempfile.gettempdir(), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{which} failed: {done.stderr[-2000:]}")
    return msgspec.convert(json.loads(done.stdout.splitlines()[-1]), Ran)


def table(title: str, runs: dict[str, list[Ran]], truth: tuple[int, float], bars: int) -> Table:
    """Medians of the rounds; how many times slower than MATS with a message for every bar."""
    shown = Table(title=title, title_justify="left", box=None)
    shown.add_column("", justify="left")
    for column in ("CPU s", "bars/s", "MATS is faster", "spread", "fills", "final equity", "MiB"):
        shown.add_column(column, justify="right")
    ours = statistics.median(run.seconds for run in runs["MATS, bars"])
    for name, ran in runs.items():
        seconds = statistics.median(run.seconds for run in ran)
        spread = (max(run.seconds for run in ran) - min(run.seconds for run in ran)) / seconds
        shown.add_row(
            name, f"{seconds:.3f}", f"{bars / seconds:,.0f}", f"{seconds / ours:.2f} ×", f"{spread:.0%}",
            f"{ran[0].fills:,}", f"{ran[0].equity:,.2f}", f"{ran[0].memory:,.0f}",
        )  # fmt: skip
    shown.add_row("bare loop of the rule", "", "", "", "", f"{truth[0]:,}", f"{truth[1]:,.2f}", "")
    return shown


def parts(runs: dict[str, list[Ran]]) -> str:
    """Where the time of MATS went."""
    lines = []
    for style in OURS:
        told = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in runs[f"MATS, {style}"][-1].parts.items())
        lines.append(f"MATS, {style}: {told}")
    return "\n".join((*lines, f"Python {sys.version.split()[0]}, {ROUNDS} rounds, medians", ""))


if __name__ == "__main__":
    main()
