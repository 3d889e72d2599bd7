"""The command as a person runs it: in a process of its own, with settings and data of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]

BUYER = '''
from mats.strategy import Bar, Strategy


class Buyer(Strategy):
    """Holds a part of its equity in one instrument from its first bar on."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        strength: float = 0.5
        bar_seconds: int = 5
        warmup: int = 0

    params: Params

    def on_bar(self, bar: Bar) -> None:
        self.signal(bar.instrument, self.params.strength)
'''


class Ran(msgspec.Struct, frozen=True):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def sentences(self) -> list[str]:
        """What it said to a person on standard error."""
        return [line for line in self.err.splitlines() if line.startswith("mats: ")]

    @property
    def log(self) -> list[dict[str, object]]:
        """What it logged on standard error: every line that is not a sentence."""
        return [json.loads(line) for line in self.err.splitlines() if not line.startswith("mats: ")]

    @property
    def summary(self) -> dict[str, object]:
        """The last line of standard output."""
        return dict(json.loads(self.out.splitlines()[-1]))


def run(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Ran:
    """Run the program to its end."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=cwd,
        env={**_clean_environment(), **environment},
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The program while it runs; it is told to stop at the end, if it has not ended by then."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_clean_environment(),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)


def configure(folder: Path, settings: str = "", strategies: str | None = None, **files: str) -> Path:
    """Settings in a folder of their own: the strategy table as shipped unless given, `files` by stem as strategies."""
    (folder / "strategies").mkdir(parents=True, exist_ok=True)
    path = folder / "mats.toml"
    path.write_text(settings)
    if strategies is None:
        shutil.copy(ROOT / "config/strategies.toml", folder)
    else:
        (folder / "strategies.toml").write_text(strategies)
    for stem, text in files.items():
        (folder / "strategies" / f"{stem}.py").write_text(text)
    return path


def row(name: str, file: str = "buyer.py", class_name: str = "Buyer", weight: float = 0.2, params: str = "{}") -> str:
    """One row of a strategy table."""
    return (
        f'[[strategy]]\nname = "{name}"\nfile = "{file}"\nclass_name = "{class_name}"\n'
        f"target_weight = {weight}\nparams = {params}\n"
    )


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MATS_")}
