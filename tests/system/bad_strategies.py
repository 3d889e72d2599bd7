"""Strategies that do each bad deed there is, beside two good ones, on the daemon and the gateway as processes.

A bad strategy is well-behaved until it is let loose, so the good ones can be compared with themselves alone. They are
counted against the bars of the gateway, which lags where the machine does and skips none. Shared by the tests of
isolation and the benchmark of the same name.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from mats.model import SECOND
from mats.operator import protocol
from mats.operator.client import ask
from tests.patience import PATIENCE
from tests.system.harness import (
    Daemon,
    GatewayProcess,
    lively_strategies,
    look,
    prove,
    until,
    write_bars,
    write_settings,
)

BAR = 5 * SECOND
MINUTE_SECONDS = 6.0
"""A stored minute of twelve bars takes so long: two bars a second, fewer on a machine that cannot keep up."""
ORDERS_PER_MINUTE = 240
"""Twice what a good strategy needs."""
GOOD = ("lively-0", "lively-1")

Host = Literal["process", "thread"]

TEXT = """
import os, re, signal, sys, threading
from pathlib import Path

from mats.strategy import Bar, Strategy

HERE = Path({folder!r})
{at_import}


class Bad(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5

    def note(self, what: str) -> None:
        with (HERE / f"{name}.{{what}}").open("a") as notes:
            notes.write("x")

    def on_bar(self, bar: Bar) -> None:
        if (HERE / "loose").exists():
            self.note("begun")
            self.misbehave(bar)
            self.note("over")

    def misbehave(self, bar: Bar) -> None:
        {at_bar}
"""

DEEDS = {
    "exits": "os._exit(3)",
    "quits": "sys.exit(4)",
    "segfaults": "os.kill(os.getpid(), signal.SIGSEGV)",
    "grows": "self.held = [bytes(2**20) for _ in range(10_000)]",
    "burns": 're.match(r"(a+)+$", "a" * 40 + "b")',
    "loops": "while True: pass",
    "blocks": "threading.Event().wait()",
    "prints": 'for _ in range(100 * 1024): print("x" * 1023)',
    "floods": "for n in range(20_000): self.signal(bar.instrument, 0.5 * (n % 2 + 1))",
}
"""What is done at a bar. `burns` holds the interpreter in one call of C; `floods` trades back and forth."""

ENDS = {
    "exits": "ended with exit code 3",
    "quits": "SystemExit: 4",
    "segfaults": "ended with SIGSEGV",
    "grows": "memory_mb",
}
"""What is said of those that end again and again, when they are parked."""


def bad(name: str, folder: Path) -> str:
    """The file of a bad strategy, which notes in `folder` when it begins its deed and when it is over."""
    return TEXT.format(at_import="", at_bar=DEEDS[name], folder=str(folder), name=name)


def hanging_at_import(folder: Path) -> str:
    """The file of a strategy that is never read to its end."""
    return TEXT.format(at_import="threading.Event().wait()", at_bar="pass", folder=str(folder), name="hangs")


def entry(name: str, host: Host = "process") -> str:
    """A row of the strategy table."""
    more = "memory_mb = 100\n" if name == "grows" else ""
    return (
        f'[[strategy]]\nname = "{name}"\nfile = "{name}.py"\nclass_name = "Bad"\ntarget_weight = 0.02\n'
        f'host = "{host}"\n{more}'
    )


class Reading(msgspec.Struct, frozen=True):
    """How far the market of the gateway is (nanoseconds of its own time), and fills by strategy."""

    market: int
    fills: Mapping[str, int]

    def rates(self, later: "Reading") -> dict[str, float]:
        """Fills for each bar from here to `later`, by good strategy."""
        bars = (later.market - self.market) / BAR
        return {good: (later.fills.get(good, 0) - self.fills.get(good, 0)) / bars for good in GOOD}


class House:
    """A gateway, and a daemon with two good strategies and these bad ones."""

    def __init__(self, folder: Path, files: Mapping[str, str], host: Host = "process") -> None:
        self.folder, self.bad = folder, files.keys()
        self.gateway = GatewayProcess(folder, write_bars(folder / "bars", 3), bar_seconds=MINUTE_SECONDS)
        table = lively_strategies(2) + "".join(entry(name, host) for name in files)
        texts = {f"{name}.py": text for name, text in files.items()}
        config = write_settings(folder / "cfg", table, self.gateway.port, texts, orders_per_minute=ORDERS_PER_MINUTE)
        self.daemon = Daemon(config, folder / "run" / "data")

    def loose(self) -> None:
        """From their next bar on the bad ones do what they do."""
        (self.folder / "loose").touch()

    # What is counted

    def read(self) -> Reading:
        fills = _rows(
            self.daemon.data / "journal.db",
            "SELECT strategy, count(*) FROM entries JOIN executions USING (seq) GROUP BY strategy",
        )
        clock = _rows(self.folder / "gateway.db", "SELECT body FROM records WHERE kind = 'clock'")
        return Reading(int(clock[0][0]) if clock else 0, dict(fills))

    def intents(self, strategy: str) -> int:
        """How many orders of the strategy were approved."""
        rows = _rows(self.daemon.data / "journal.db", "SELECT count(*) FROM orders WHERE strategy = ?", strategy)
        return int(rows[0][0]) if rows else 0

    def trade_on(self, fills: int) -> None:
        """Each of the good ones has so many more fills."""
        first = self.read().fills
        for good in GOOD:
            target = first.get(good, 0) + fills
            until(lambda g=good, t=target: self.read().fills.get(g, 0) >= t, PATIENCE, f"{fills} more fills of {good}")

    def rates_over(self, bars: int) -> dict[str, float]:
        """Fills of the good ones for each of the next so many bars of the gateway."""
        first = self.read()
        end = first.market + bars * BAR
        until(lambda: self.read().market >= end, PATIENCE, f"{bars} bars of the gateway")
        return first.rates(self.read())

    # What the bad ones are at

    def until_begun(self, names: Iterable[str]) -> None:
        for name in names:
            until(lambda n=name: self._noted(n, "begun"), PATIENCE, f"{name} at work")

    def until_at_it(self, name: str) -> None:
        """It has begun its deed, another time or still, and the deed is not over."""
        until(lambda: self._noted(name, "begun") > self._noted(name, "over"), PATIENCE, f"{name} at it")

    def _noted(self, name: str, what: str) -> int:
        notes = self.folder / f"{name}.{what}"
        return notes.stat().st_size if notes.exists() else 0

    # The operator

    def status(self) -> protocol.DaemonStatus:
        return ask(self.daemon.data, protocol.StatusRequest(), protocol.DaemonStatus)

    def halt(self, strategy: str) -> None:
        """Answered when the halt is in force."""
        ask(self.daemon.data, protocol.HaltRequest(strategy=strategy, reason="it misbehaves"), protocol.Done)

    def parked(self) -> dict[str, str]:
        return {actor.name.partition("/")[2]: actor.parked for actor in self.status().actors if actor.parked}

    def slow(self) -> set[str]:
        return {actor.name.partition("/")[2] for actor in self.status().actors if actor.slow}

    def end(self) -> dict[str, Any]:
        """The daemon ends in order, and everything agrees; its summary."""
        summary = self.daemon.stop()
        prove(self.daemon.data, look(self.gateway.port))
        assert summary["breaks"] == 0
        return summary


def _rows(database: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a database of another process holds; nothing before it exists."""
    if not database.exists():
        return []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE)
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()
