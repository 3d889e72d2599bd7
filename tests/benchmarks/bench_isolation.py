"""What a bad strategy costs two good ones and the operator: `python tests/benchmarks/bench_isolation.py [deed ...]`.

Each deed runs on a daemon and a paper gateway as processes, with the bad strategy in a process of its own and, where
the interpreter survives that, on a thread of the daemon. The good ones are counted in fills for each bar of the
gateway, alone and beside it. Meanwhile `status` is requested again and again, and half way the bad one is halted. At
the end the daemon stops in order and its books equal the gateway's, or this fails.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.patience import PATIENCE
from tests.system.bad_strategies import BAR, DEEDS, GOOD, Host, House, bad, hanging_at_import
from tests.system.harness import killed_at_end, until

BARS = 40
HANGS = "hangs"
ON_A_THREAD = ("loops", "blocks", "prints", "floods", HANGS)
"""The others end the daemon, or hold the interpreter that it runs on."""
SPACING = 0.25
"""Seconds between two requests of the operator."""


class Figures(msgspec.Struct, frozen=True):
    """The least of fills kept by a good strategy; seconds, of `status` the longest; the load average meanwhile."""

    kept: float
    status: float
    halt: float
    load: float


def measure(deed: str, host: Host, folder: Path) -> Figures:
    if deed == HANGS:
        return measure_import(host, folder)
    house = House(folder, {deed: bad(deed, folder)}, host)
    with killed_at_end(house.daemon, house.gateway):
        house.trade_on(1)
        alone = house.rates_over(BARS)
        house.loose()
        house.until_begun([deed])
        beside, status, halt = disturbed(house, deed, BARS)
        load = os.getloadavg()[0]
        house.end()
    return Figures(kept(alone, beside), status, halt, load)


def measure_import(host: Host, folder: Path) -> Figures:
    """It is at its deed from the start on, until it is given up after some seconds."""
    house = House(folder, {HANGS: hanging_at_import(folder)}, host)
    with killed_at_end(house.daemon, house.gateway):
        house.trade_on(1)
        beside, status, halt = disturbed(house, HANGS, BARS // 2)
        load = os.getloadavg()[0]
        log = house.daemon.data / "logs" / "mats.log"
        until(lambda: "was not loaded within" in log.read_text(), PATIENCE, "it is given up")
        alone = house.rates_over(BARS)
        house.end()
    return Figures(kept(alone, beside), status, halt, load)


def disturbed(house: House, name: str, bars: int) -> tuple[dict[str, float], float, float]:
    """Fills a bar of the good ones, the longest `status`, and the `halt`, in seconds."""
    first, statuses, halt, pause = house.read(), [timed(house.status)], 0.0, threading.Event()
    while (market := house.read().market) < first.market + bars * BAR:
        statuses.append(timed(house.status))
        if not halt and market >= first.market + bars // 2 * BAR:
            halt = timed(lambda: house.halt(name))
        pause.wait(SPACING)
    return first.rates(house.read()), max(statuses), halt


def kept(alone: dict[str, float], beside: dict[str, float]) -> float:
    return min(beside[good] / alone[good] for good in GOOD)


def timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def main() -> None:
    chosen = sys.argv[1:] or [*DEEDS, HANGS]
    table = Table(title=f"one bad strategy beside two good ones, {BARS} bars alone and {BARS} beside it")
    for column in ("", "host", "fills kept", "status, s", "halt, s", "load"):
        table.add_column(column, justify="left" if column in ("", "host") else "right")
    hosts: tuple[Host, ...] = ("process", "thread")
    for host in hosts:
        for deed in [name for name in chosen if host == "process" or name in ON_A_THREAD]:
            with tempfile.TemporaryDirectory() as folder:
                got = measure(deed, host, Path(folder))
            row = (deed, host, f"{got.kept:.2f}", f"{got.status:.2f}", f"{got.halt:.2f}", f"{got.load:.1f}")
            print(*row, sep="\t", file=sys.stderr, flush=True)
            table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
