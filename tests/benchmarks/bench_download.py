"""A download from the paper gateway with IB's limits on, in time that does not wait, killed again and again.

`python -m tests.benchmarks.bench_download --instruments 30 --days 730 --kills 20 --size 1min`: the printed figures are
requests, their rate against what the limits allow, pacing violations, and whether a bar is missing or double.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mats.data.download import Download, Downloader, Progress
from mats.gateway import PaperGateway
from mats.gateway.pacing import STRICT
from mats.ib import IbSession, RequestFailed
from mats.ib.history import HistoricalBudget, HistoricalLimits, IbPages, PacedHistory, RequestCost, RequestLog
from mats.instruments import parse_instrument
from mats.model import DAY, SECOND, Instrument, Nanos, SecType, from_datetime, size_seconds
from mats.sessions import exchange_calendar
from mats.store.tables import BarStore, store_uri
from mats.venue.markets import default_universe
from mats.venue.models import choose_models
from tests.fast_time import LoopClock, run_fast

NOW = from_datetime(datetime(2026, 11, 28, 15, 0, tzinfo=UTC))
CALENDAR = exchange_calendar("XNYS")


def names(count: int) -> list[str]:
    """Stocks of the gateway: its own, and as many more as are needed."""
    stocks = (listing.instrument for listing in default_universe())
    own = [i.id for i in stocks if i.sec_type is SecType.STOCK and i.currency == "USD"]
    return [*own, *(f"MORE{chr(65 + number)}" for number in range(count - len(own)))][:count]


def more_instruments(folder: Path, count: int) -> Path:
    """The gateway's file of the stocks that it lacks."""
    table = '[[instrument]]\nsymbol = "{0}"\nsec_type = "STK"\ncurrency = "USD"\ncon_id = {1}\nexchange = "SMART"\n'
    table += 'primary_exchange = "NYSE"\nlocal_symbol = "{0}"\ntrading_class = "{0}"\nprice = 100.0\nvolatility = 0.3\n'
    made = [name for name in names(count) if name.startswith("MORE")]
    path = folder / "instruments.toml"
    path.write_text("\n".join(table.format(name, 880_000_000 + number) for number, name in enumerate(made)))
    return path


class Sent:
    """Every request, in a file that outlives kills: when it was sent, and what it counts for."""

    def __init__(self, path: Path, clock: LoopClock) -> None:
        self._file, self._clock = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), clock

    def __call__(self, cost: RequestCost) -> None:
        line = json.dumps([self._clock.now(), cost.identity, cost.series, cost.small, cost.weight])
        os.write(self._file, line.encode() + b"\n")


def last_sent(path: Path) -> Nanos:
    """When the last request was sent; the begin of the run where there was none."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return int(json.loads(lines[-1])[0]) if lines else NOW


async def download(clock: LoopClock, folder: Path, count: int, days: int, seconds: int) -> Progress:
    """One process's share of the work: as much as it comes to."""
    record = Sent(folder / "sent.jsonl", clock)
    log = RequestLog(folder / "history_requests.jsonl", clock.now)
    budget = HistoricalBudget(clock.monotonic)
    log.recall(budget)

    def on_sent(cost: RequestCost) -> None:
        log.add(cost)
        record(cost)

    models, made = choose_models(calendar="XNYS"), more_instruments(folder, count)
    async with PaperGateway(port=0, seed=1, clock=clock, limits=STRICT, models=models, instruments=made) as gateway:
        session = IbSession(98, lambda event: None, clock=clock.now, monotonic=clock.monotonic)
        await session.connect("127.0.0.1", gateway.port, 10)
        history = PacedHistory(session, budget, on_sent)
        instruments = [await session.resolve(parse_instrument(name)) for name in names(count)]
        wanted = [
            Download(instrument=each, seconds=seconds, start=NOW - days * DAY, end=NOW - DAY) for each in instruments
        ]

        def calendar(instrument: Instrument) -> object:
            return CALENDAR

        downloader = Downloader(IbPages(history), store_uri("", folder), calendar, clock.now, clock.monotonic)
        progress = await downloader.run(wanted, RequestFailed)
        used = history.use()
        history.close()
        session.close()
    if progress.failed or used.violations:
        sys.exit(f"failed: {progress.failed}, violations: {used.violations}")
    return progress


def worker(folder: Path, count: int, days: int, seconds: int) -> None:
    progress = run_fast(lambda clock: download(clock, folder, count, days, seconds), last_sent(folder / "sent.jsonl"))
    (folder / "done").write_text(json.dumps({"pages": progress.pages, "bars": progress.bars}))


def with_kills(folder: Path, arguments: list[str], kills: int, longest: float) -> float:
    """Run workers until one comes to the end, the first ones killed at random moments. Seconds of this machine."""
    begun, chance = time.monotonic(), random.Random(7)
    for number in range(kills + 1):
        process = subprocess.Popen([sys.executable, "-m", __spec__.name, "--worker", str(folder), *arguments])
        try:
            code = process.wait(chance.uniform(1.0, longest) if number < kills else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            continue
        if code:
            sys.exit(f"worker {number} ended with {code}")
        print(f"the end was reached after {number} kills", flush=True)
        break
    return time.monotonic() - begun


def check_limits(path: Path) -> dict[str, float]:
    """Every request of all processes against IB's rules. Exits where one is broken."""
    limits = HistoricalLimits()
    window: deque[tuple[float, int]] = deque()
    series, newest = defaultdict[str, deque[tuple[float, int]]](deque), dict[str, float]()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for at_ns, identity, name, small, weight in rows:
        at = (at_ns - NOW) / SECOND
        kinds = [(series[name], limits.burst, limits.burst_requests)]
        kinds += [(window, limits.window, limits.small_requests)] if small else []
        for recent, span, limit in kinds:
            while recent and recent[0][0] <= at - span:
                recent.popleft()
            recent.append((at, weight))
            if sum(each for _, each in recent) > limit:
                sys.exit(f"more than {limit} in {span} s at {at}")
        if at - newest.get(identity, -100.0) < limits.identical:
            sys.exit(f"{identity} again after {at - newest[identity]} s")
        newest[identity] = at
    seconds = (rows[-1][0] - rows[0][0]) / SECOND
    asked = sum(row[4] for row in rows)
    return {"requests": len(rows), "seconds": seconds, "a second": asked / seconds if seconds else 0.0}


def check_bars(folder: Path, count: int, days: int, seconds: int) -> int:
    """The number of bars; exits where one is missing or double."""
    store, total, step = BarStore(store_uri("", folder)), 0, seconds * SECOND
    begin, end = NOW - days * DAY, NOW - DAY
    for name in names(count):
        bars = store.read(name, seconds)
        spans = [
            (max(s.extended_open, begin), min(s.extended_close, end)) for s in CALENDAR.sessions(begin, end, "extended")
        ]
        expected = np.concatenate([np.arange(-(-a // step) * step, b, step) for a, b in spans])
        if bars is None or not np.array_equal(bars.start, expected):
            sys.exit(f"{name}: {0 if bars is None else len(bars)} bars, not {len(expected)}")
        total += len(expected)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=int, default=3)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds of this machine until a kill, at most")
    parser.add_argument("--size", default="1min")
    parser.add_argument("--worker", type=Path)
    given = parser.parse_args()
    seconds = size_seconds(given.size)
    if given.worker:
        worker(given.worker, given.instruments, given.days, seconds)
        return
    arguments = [f"--{name}={getattr(given, name)}" for name in ("instruments", "days", "size")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wall = with_kills(folder, arguments, given.kills, given.longest)
        rate = check_limits(folder / "sent.jsonl")
        bars = check_bars(folder, given.instruments, given.days, seconds)
        limits = HistoricalLimits()
        allowed = (limits.small_requests if seconds <= 30 else limits.larger_requests) / limits.window
        print(
            f"{len(names(given.instruments))} instruments, {given.days} days of {given.size}: {bars:,} bars, each once"
        )
        print(f"{rate['requests']:,} requests in {rate['seconds'] / 3600:.2f} h of the gateway's time, no violation")
        print(f"{rate['a second']:.3f} a second, {rate['a second'] / allowed:.1%} of the {allowed:g} allowed")
        print(f"{wall:.0f} s of this machine")


if __name__ == "__main__":
    main()
