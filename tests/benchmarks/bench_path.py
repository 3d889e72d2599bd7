"""The live path, from a strategy's signal to the gateway's socket and back to the books.

Run it: `python tests/benchmarks/bench_path.py [--quick]`. The daemon runs in this process, on real threads, with a real
journal and a real ArcticDB in a temporary folder, once with the strategy on a thread and once with it in a process; the
paper gateway runs in a process of its own. The raw peers of the
last table do the same work with nothing of MATS around it.
"""

import asyncio
import os
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import arcticdb
import ib_async
import pandas as pd
from harness_path import CLIENT, EDGE, INSTRUMENT, PATIENCE, Daemon, GatewayChild, resident, stamped_stages
from rich.console import Console
from rich.table import Table

from mats.model.orders import Side
from mats.model.strategy_table import Host
from mats.store.tables.connection import lmdb_uri

QUICK = "--quick" in sys.argv
ROUNDS = 60 if QUICK else 300
BURST = 1_000 if QUICK else 10_000
PEERS = 50 if QUICK else 200
SPACING = 0.05
"""Seconds between two probes: an idle system, and slower than the pacing limit of 40 orders a second."""

Times = dict[str, list[float]]
TARGETS = {
    "signal → order on the socket": 1.5,
    "execution on the socket → on_fill": 2.0,
    "execution on the socket → fourth stage": 10.0,
}


def main() -> None:
    """Print the tables."""
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="mats-bench-") as scratch, stamped_stages():
        peers = raw_peers(Path(scratch))
        with live(Path(scratch) / "thread", "thread") as path:
            fresh = probe(*path)
            bursts = [burst(*path, side) for side in (Side.BUY, Side.SELL)]
            aged = probe(*path)
        with live(Path(scratch) / "process", "process") as path:
            apart = probe(*path)
    console.print(path_table(fresh, aged, apart), burst_table(bursts), peer_table(peers, fresh))
    console.print(f"refused requests {len(EDGE.refused)}; load average {os.getloadavg()[0]:.1f}")


@contextmanager
def live(folder: Path, host: Host) -> Iterator[tuple[Daemon, GatewayChild]]:
    """A daemon that is ready, with its strategy on `host`, and the gateway that it trades at."""
    gateway = GatewayChild()
    folder.mkdir()
    daemon = Daemon(folder, gateway.port, host)
    try:
        daemon.wait_ready()
        yield daemon, gateway
        assert not daemon.runtime.dead_letters, daemon.runtime.dead_letters
    finally:
        daemon.runtime.stop()
        gateway.stop()


# The path


def probe(daemon: Daemon, gateway: GatewayChild) -> Times:
    """Milliseconds of every step, one probe at a time."""
    return signals(daemon, gateway) | executions(daemon, gateway)


def signals(daemon: Daemon, gateway: GatewayChild) -> Times:
    """Signals that turn the position around; the gateway fills at once."""
    pause = threading.Event()
    gateway.hold(False)
    gateway.stamps()
    EDGE.clear()
    for n in range(ROUNDS):
        while len(EDGE.told) <= n:
            refused = len(EDGE.refused)
            daemon.signal(0.02 if n % 2 else -0.02)
            EDGE.wait_for(lambda n=n, refused=refused: len(EDGE.told) > n or len(EDGE.refused) > refused)
            if len(EDGE.refused) > refused:  # a stage was behind on a busy machine: once more, a little later
                EDGE.asked.pop()
                pause.wait(1.0)
        pause.wait(SPACING)
    stamps = gateway.stamps()
    told = [at for at, _ in EDGE.told]
    return {
        "signal → order on the socket": spans(EDGE.asked, stamps.ordered),
        "signal → on_fill, both ways": spans(EDGE.asked, told),
    }


def executions(daemon: Daemon, gateway: GatewayChild) -> Times:
    """Executions that the gateway forces on a resting order, one by one."""
    pause = threading.Event()
    gateway.hold(True)
    order_id, price = daemon.place(Side.BUY, ROUNDS), daemon.price()
    quiet(daemon)
    gateway.stamps()
    EDGE.clear()
    acknowledged: dict[str, list[int]] = {stage: [] for stage in EDGE.acknowledged}
    for n in range(ROUNDS):
        gateway.fill(order_id, 1, price)
        EDGE.wait_for(lambda n=n: len(EDGE.told) > n)
        seq = EDGE.told[n][1]
        for stage, stamps in EDGE.acknowledged.items():
            EDGE.wait_for(lambda stage=stage, seq=seq: reached(stage, seq))
            acknowledged[stage].append(next(at for at, through in stamps if through >= seq))
        pause.wait(SPACING)
    written = first_written(gateway)
    told = [at for at, _ in EDGE.told]
    times = {"execution on the socket → on_fill": spans(written, told)}
    for stage in ("orders", "risk", "portfolio"):
        times[f"  … acknowledged by {stage}"] = spans(written, acknowledged[stage])
    times["execution on the socket → fourth stage"] = spans(written, acknowledged["store"])
    return times


def first_written(gateway: GatewayChild) -> list[int]:
    """When each execution went to the first of the two connections that get it."""
    return gateway.stamps().written[::2]


def quiet(daemon: Daemon) -> None:
    """Until the store has everything."""
    last = daemon.last_seq()
    EDGE.wait_for(lambda: reached("store", last))


def reached(stage: str, seq: int) -> bool:
    """Whether the stage has acknowledged entry `seq` since the stamps were cleared last."""
    stamps = EDGE.acknowledged[stage]
    return bool(stamps) and stamps[-1][1] >= seq


def burst(daemon: Daemon, gateway: GatewayChild, side: Side) -> dict[str, float]:
    """Seconds and memory of many executions at once."""
    gateway.hold(True)
    order_id, price = daemon.place(side, BURST), daemon.price()
    quiet(daemon)
    gateway.stamps()
    EDGE.clear()
    last = daemon.last_seq() + 2 * BURST  # each execution with its commission
    before = peak = resident()
    gateway.fill(order_id, BURST, price)
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while len(EDGE.told) < BURST or not reached("store", last):
        peak = max(peak, resident())
        pause.wait(0.02)
        EDGE.read()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(EDGE.told)} of {BURST} executions were told in {PATIENCE:g} s")
    began = min(gateway.stamps().written)
    stored = next(at for at, seq in EDGE.acknowledged["store"] if seq >= last)
    return {
        "told": (EDGE.told[-1][0] - began) / 1e9,
        "stored": (stored - began) / 1e9,
        "before": before,
        "peak": peak,
        "after": resident(),
    }


# Raw peers


def raw_peers(folder: Path) -> Times:
    """Milliseconds of the parts, bare."""
    return {
        "SQLite: insert and flush": sqlite_inserts(folder / "peer.db"),
        "ArcticDB: append 1 row": arctic_appends(folder / "peer"),
        "TCP loopback: there and back": loopback(),
        "ib_async alone: placeOrder → fill": ib_async_fills(),
    }


def sqlite_inserts(path: Path) -> list[float]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, body BLOB)")
    return timed(lambda: db.execute("INSERT INTO rows (body) VALUES (?)", (b"x" * 400,)))


def arctic_appends(folder: Path) -> list[float]:
    library = arcticdb.Arctic(lmdb_uri(folder)).create_library("peer")
    begin = pd.Timestamp("2026-01-02", tz="UTC")

    def row(n: int) -> pd.DataFrame:
        columns = {"order": str(n), "side": "BUY", "quantity": 1.0, "price": 500.0, "commission": 0.0, "seq": n}
        return pd.DataFrame(columns, index=[begin + pd.Timedelta(n, "s")])

    library.write("fills", row(0))
    rows = iter([row(n) for n in range(1, PEERS + 2)])
    return timed(lambda: library.append("fills", next(rows)))


def loopback() -> list[float]:
    """200 bytes to another process and back."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=echo, args=(theirs,), daemon=True)
    process.start()
    with socket.create_connection(("127.0.0.1", ours.recv())) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def trip() -> None:
            link.sendall(b"x" * 200)
            link.recv(4096)

        took = timed(trip)
    process.join()
    return took


def echo(control: Connection) -> None:
    """The other process: sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        control.send(server.getsockname()[1])
        link, _ = server.accept()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := link.recv(4096):
            link.sendall(data)


def ib_async_fills() -> list[float]:
    """The bare client library against the same gateway: no actors, no journal, no store."""
    gateway = GatewayChild()
    took = asyncio.run(_ib_async_fills(gateway.port))
    gateway.stop()
    return took


async def _ib_async_fills(port: int) -> list[float]:
    ib = ib_async.IB()
    await ib.connectAsync("127.0.0.1", port, clientId=CLIENT)
    ib.client.MaxRequests = 0
    (contract,) = await ib.qualifyContractsAsync(ib_async.Stock(INSTRUMENT, "SMART", "USD"))
    took = []
    for n in range(PEERS):
        filled = asyncio.Event()
        began = time.perf_counter_ns()
        trade = ib.placeOrder(contract, ib_async.MarketOrder("BUY" if n % 2 else "SELL", 100))
        trade.fillEvent += lambda *_, filled=filled: filled.set()
        await filled.wait()
        took.append((time.perf_counter_ns() - began) / 1e6)
    ib.disconnect()
    return took


def timed(work: Callable[[], object]) -> list[float]:
    """Milliseconds of each repetition; the first one warms up."""
    work()
    took = []
    for _ in range(PEERS):
        began = time.perf_counter_ns()
        work()
        took.append((time.perf_counter_ns() - began) / 1e6)
    return took


# Tables


def spans(begins: list[int], ends: list[int]) -> list[float]:
    """Milliseconds from each begin to its end."""
    return [(end - begin) / 1e6 for begin, end in zip(begins, ends, strict=True)]


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def path_table(fresh: Times, aged: Times, apart: Times) -> Table:
    """The strategy on a thread, on a thread behind the bursts, and in a process."""
    table = Table(title=f"The live path: ms, {ROUNDS} probes each, idle")
    for heading in ("", "thread: p50", "p99", f"p50 after {2 * BURST:,} fills", "p99", "ratio",
                    "process: p50", "p99", "target p50"):  # fmt: skip
        table.add_column(heading, justify="left" if not heading else "right")
    for name, values in fresh.items():
        first, later = statistics.median(values), statistics.median(aged[name])
        target = f"≤ {TARGETS[name]:g}" if name in TARGETS else ""
        table.add_row(name, f"{first:.2f}", f"{p99(values):.2f}", f"{later:.2f}", f"{p99(aged[name]):.2f}",
                      f"{later / first:.2f}", f"{statistics.median(apart[name]):.2f}", f"{p99(apart[name]):.2f}",
                      target)  # fmt: skip
    return table


def burst_table(bursts: list[dict[str, float]]) -> Table:
    table = Table(title=f"{BURST:,} executions at once")
    for heading in ("", "strategy told, s", "stored, s", "fills/s", "MiB before", "MiB peak", "MiB after"):
        table.add_column(heading, justify="left" if not heading else "right")
    for number, one in enumerate(bursts, 1):
        memory = (f"{one[moment]:.0f}" for moment in ("before", "peak", "after"))
        table.add_row(f"burst {number}", f"{one['told']:.2f}", f"{one['stored']:.2f}",
                      f"{BURST / one['stored']:,.0f}", *memory)  # fmt: skip
    return table


def peer_table(peers: Times, fresh: Times) -> Table:
    """Each peer next to the step of the path that contains its work."""
    steps = {
        "SQLite: insert and flush": "signal → order on the socket",
        "ArcticDB: append 1 row": "execution on the socket → fourth stage",
        "TCP loopback: there and back": "signal → order on the socket",
        "ib_async alone: placeOrder → fill": "signal → on_fill, both ways",
    }
    table = Table(title="Raw peers, same run: ms")
    for heading in ("", "p50", "p99", "step of the path", "its p50 / the peer's"):
        table.add_column(heading, justify="left" if heading in ("", "step of the path") else "right")
    for name, values in peers.items():
        middle, step = statistics.median(values), steps[name]
        ratio = statistics.median(fresh[step]) / middle
        table.add_row(name, f"{middle:.2f}", f"{p99(values):.2f}", step, f"{ratio:.1f}")
    return table


if __name__ == "__main__":
    main()
