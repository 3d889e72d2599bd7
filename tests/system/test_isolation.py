"""A strategy in a process of its own harms nobody, whatever it does: proved on the daemon and the gateway as processes.

Two good ones must trade on meanwhile, the operator is answered, and at the end the books equal the broker's.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from mats.operator import protocol
from mats.operator.client import ask
from tests.patience import PATIENCE
from tests.system.harness import (
    Daemon,
    GatewayProcess,
    killed_at_end,
    lively_strategies,
    look,
    prove,
    until,
    write_bars,
    write_settings,
)

BAD = """
import os, re, signal, sys, threading
from pathlib import Path

from mats.strategy import Bar, Strategy

{at_import}


class Bad(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5

    def on_bar(self, bar: Bar) -> None:
        Path({begun!r}).touch()
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
    "floods": "for _ in range(200_000): self.signal(bar.instrument, 0.01)",
}
ENDS = {
    "exits": "ended with exit code 3",
    "quits": "SystemExit: 4",
    "segfaults": "ended with SIGSEGV",
    "grows": "memory_mb",
}
"""What is said of those that end again and again, when they are parked."""


def bad(name: str, folder: Path) -> str:
    """The file of a bad strategy, which notes in `folder` that it has begun."""
    return BAD.format(at_import="", at_bar=DEEDS[name], begun=str(folder / name))


def entry(name: str) -> str:
    more = "memory_mb = 100\n" if name == "grows" else ""
    return (
        f'[[strategy]]\nname = "{name}"\nfile = "{name}.py"\nclass_name = "Bad"\ntarget_weight = 0.02\n'
        f'host = "process"\n{more}'
    )


class House:
    """A gateway, and a daemon with two good strategies and these bad ones."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder, self.bad = folder, files.keys()
        self.gateway = GatewayProcess(folder, write_bars(folder / "bars", 3), bar_seconds=1.0)
        table = lively_strategies(2) + "".join(map(entry, files))
        config = write_settings(folder / "cfg", table, self.gateway.port, {f"{n}.py": t for n, t in files.items()})
        self.daemon = Daemon(config, folder / "run" / "data")

    def fills(self, strategy: str) -> int:
        database = self.daemon.data / "journal.db"
        if not database.exists():
            return 0
        journal = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE)
        try:
            query = "SELECT count(*) FROM entries JOIN executions USING (seq) WHERE strategy = ?"
            return int(journal.execute(query, (strategy,)).fetchone()[0])
        except sqlite3.OperationalError:
            return 0
        finally:
            journal.close()

    def trade_on(self, fills: int) -> None:
        """Each of the good ones has so many more fills."""
        for good in ("lively-0", "lively-1"):
            target = self.fills(good) + fills
            until(lambda g=good, t=target: self.fills(g) >= t, PATIENCE, f"{fills} more fills of {good}")

    def status(self) -> protocol.DaemonStatus:
        return ask(self.daemon.data, protocol.StatusRequest(), protocol.DaemonStatus)

    def until_begun(self, names: Iterable[str]) -> None:
        for name in names:
            until((self.folder / name).exists, PATIENCE, f"{name} at work")

    def parked(self) -> dict[str, str]:
        return {actor.name.partition("/")[2]: actor.parked for actor in self.status().actors if actor.parked}

    def slow(self) -> set[str]:
        return {actor.name.partition("/")[2] for actor in self.status().actors if actor.slow}

    def end(self) -> None:
        """The daemon ends in order, and everything agrees."""
        summary = self.daemon.stop()
        prove(self.daemon.data, look(self.gateway.port))
        assert summary["breaks"] == 0


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    names: tuple[str, ...] = request.param
    house = House(tmp_path, {name: bad(name, tmp_path) for name in names})
    with killed_at_end(house.daemon, house.gateway):
        yield house


@pytest.mark.parametrize("house", [tuple(ENDS)], indirect=True)
def test_those_that_end_their_process_are_parked_with_the_reason_and_the_good_ones_trade_on(house: House) -> None:
    house.until_begun(ENDS)
    house.trade_on(3)
    until(lambda: house.parked().keys() == ENDS.keys(), PATIENCE, "all of them parked")
    for name, text in ENDS.items():
        assert text in house.parked()[name]
    house.trade_on(3)
    house.end()


@pytest.mark.parametrize("house", [("burns", "loops", "blocks")], indirect=True)
def test_those_that_hold_the_interpreter_or_wait_for_ever_delay_nobody(house: House) -> None:
    house.until_begun(house.bad)
    house.trade_on(5)
    assert not house.parked()
    until(lambda: house.bad <= house.slow(), PATIENCE, "they are said to be slow")
    house.trade_on(1)
    house.end()


@pytest.mark.parametrize("house", [("prints", "floods")], indirect=True)
def test_those_that_print_and_flood_are_told_in_a_few_lines_and_the_good_ones_trade_on(house: House) -> None:
    house.until_begun(("prints", "floods"))
    house.trade_on(5)
    log = house.daemon.data / "logs" / "mats.log"
    until(lambda: "requests refused" in log.read_text(), PATIENCE, "the word about the flood")
    house.trade_on(3)
    house.end()
    assert log.read_text().count('"event": "printed"') <= 80


def test_one_that_hangs_at_import_is_a_fault_and_the_good_ones_do_not_wait_for_it(tmp_path: Path) -> None:
    hangs = BAD.format(at_import="threading.Event().wait()", at_bar="pass", begun=str(tmp_path / "never"))
    house = House(tmp_path, {"hangs": hangs})
    with killed_at_end(house.daemon, house.gateway):
        until(lambda: house.fills("lively-0") >= 2 and house.fills("lively-1") >= 2, PATIENCE, "trading")
        log = house.daemon.data / "logs" / "mats.log"
        assert "was not loaded within" not in log.read_text(), "the good ones trade before it is given up"
        until(lambda: "strategy hangs was not loaded within" in log.read_text(), PATIENCE, "the word about it")
        house.trade_on(2)
        house.end()
