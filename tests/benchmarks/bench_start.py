"""What a start costs that is far behind: executions that the daemon missed, over a past that is stored.

Run it: `python tests/benchmarks/bench_start.py [FOLDER] [--missed N] [--stored N]`. The daemon and the paper gateway
run as processes. Printed are the seconds until the first comparison of books and broker and until a strategy runs, the
largest resident memory of the daemon and of its children, its exit code, and what it showed on the way.
The books are flat at the end of both parts, as the account of the gateway is.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

from mats.gateway.orders.order_store import OrderFill
from mats.gateway.persistence import GatewayState
from mats.instruments import parse_instrument
from mats.ledger.books import Books
from mats.model.executions import Entry, Execution, FillRecorded
from mats.model.orders import OrderIntent, OrderState, OrderTicket, OrderView, Side, order_ref
from mats.model.timestamp import DAY, SECOND
from mats.operator import ask, protocol
from mats.risk.exposure import RiskState
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.store import Store
from mats.store.views.view_writer import ViewWriter
from mats.venue.matching.orders import FILLED, VenueOrder

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "DU1000001"
INSTRUMENTS = ("SPY", "IBM", "BAC", "AAPL")
STRATEGIES = 10
CHUNK = 5_000
FILLS_AN_ORDER = 100
CLIENT = 11
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SETTINGS = '[gateway]\nhost = "127.0.0.1"\nport = {port}\n[risk]\nmax_orders_per_minute = 1000\n'
STRATEGY = """
from mats.strategy import Bar, Strategy


class Buyer(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5
        warmup: int = 0

    params: Params

    def on_bar(self, bar: Bar) -> None:
        self.signal(bar.instrument, 0.1)
"""
TABLE = '[[strategy]]\nname = "S0"\nfile = "buyer.py"\nclass_name = "Buyer"\ntarget_weight = 0.2\n'


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=Path.cwd())
    parser.add_argument("--missed", type=int, default=10_000)
    parser.add_argument("--stored", type=int, default=100_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as scratch:
        begun = time.perf_counter()
        fill_up(Path(scratch), chosen.stored, chosen.missed)
        print(f"{chosen.missed:,} missed, {chosen.stored:,} stored; made in {time.perf_counter() - begun:.0f} s")
        measure(Path(scratch), chosen.stored + chosen.missed)


# The past


def fill_up(folder: Path, stored: int, missed: int) -> None:
    """The data directory as a daemon left it at its last stop, and the account as the gateway goes on with it."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    journal = Journal(data / "journal.db")
    branch = journal.open_boot().branch
    now = time.time_ns()
    store_past(journal, Store(lmdb_uri(data / "arctic"), branch), stored, now - 10 * DAY)
    miss(journal, GatewayState(folder / "gateway.db"), missed, now - 3_600 * SECOND)
    journal.close()


def store_past(journal: Journal, store: Store, stored: int, begin: int) -> None:
    books, risk = Books(lambda *_: ()), RiskState()
    derived = ViewWriter(store, "USD", journal.entries_of, b"")
    log = past(stored, begin)
    while entries := list(islice(log, CHUNK)):
        with journal.unflushed():
            journal.append(entries)
        store.append_fills(ACCOUNT, entries)
        derived.apply(entries, begin)
        for entry in entries:
            books.apply(entry)
            risk.apply(entry)
    derived.commit(begin)
    journal.record_stored(store.log_seqs())
    for stage, state in {
        "orders": b"",
        "risk": risk.dump(),
        "portfolio": books.dump(),
        "store": derived.save(),
    }.items():
        journal.save_snapshot(stage, stored, state)
    store.close()


def past(count: int, begin: int) -> Iterator[Entry]:
    for number in range(count):
        done = execution(number, "past", begin + number)
        yield FillRecorded(
            seq=number + 1, strategy=done.order_ref, intent_id=f"p{number}", execution=done, recorded=begin
        )


def execution(number: int, prefix: str, moment: int) -> Execution:
    """One unit of each strategy in each instrument, bought by one round and sold by the next."""
    book = number % (STRATEGIES * len(INSTRUMENTS))
    return Execution(
        account=ACCOUNT,
        exec_id=f"{prefix}.{number:08d}.01.01",
        instrument=INSTRUMENTS[book % len(INSTRUMENTS)],
        side=side_of(number),
        quantity=Decimal(1),
        price=Decimal(100 + number % 50),
        time=moment,
        order_ref=f"S{book // len(INSTRUMENTS)}",
    )


def side_of(number: int) -> Side:
    return Side.SELL if number // (STRATEGIES * len(INSTRUMENTS)) % 2 else Side.BUY


def miss(journal: Journal, state: GatewayState, missed: int, begin: int) -> None:
    """Orders that the daemon had sent when it stopped, and that filled in its absence."""
    for number in range(0, missed, FILLS_AN_ORDER):
        fills = min(FILLS_AN_ORDER, missed - number)
        order, side = number // FILLS_AN_ORDER, Side.SELL if number // FILLS_AN_ORDER % 2 else Side.BUY
        strategy, name = f"S{order // 2 % STRATEGIES}", INSTRUMENTS[order // 2 % len(INSTRUMENTS)]
        intent = OrderIntent(
            intent_id=f"m{order}",
            strategy=strategy,
            account=ACCOUNT,
            instrument=parse_instrument(name),
            side=side,
            quantity=Decimal(fills),
            ticket=OrderTicket(),
            time=begin,
        )
        record(journal, intent, order + 1)
        reference, perm_id = order_ref(strategy, intent.intent_id), 1_000_000 + order
        state.put("order", str(perm_id), filled_order(intent, reference, perm_id, order + 1, begin))
        for part in range(fills):
            fill = fill_of(
                intent, reference, perm_id, order + 1, number + part, part + 1, begin + order * SECOND // 100
            )
            state.put("execution", fill.exec_id, fill)
    state.close()


def record(journal: Journal, intent: OrderIntent, order_id: int) -> None:
    view = OrderView(
        intent_id=intent.intent_id,
        strategy=intent.strategy,
        account=intent.account,
        instrument=intent.instrument.id,
        side=intent.side,
        quantity=intent.quantity,
        ticket=intent.ticket,
        state=OrderState.SENT,
        created=intent.time,
        updated=intent.time,
        client_id=CLIENT,
        order_id=order_id,
    )
    with journal.unflushed():
        journal.record_intent(intent, view, "earlier")


def filled_order(intent: OrderIntent, reference: str, perm_id: int, order_id: int, moment: int) -> VenueOrder:
    return VenueOrder(
        perm_id=perm_id,
        client_id=CLIENT,
        order_id=order_id,
        account=ACCOUNT,
        instrument=intent.instrument.id,
        side=intent.side,
        quantity=intent.quantity,
        order_type="MKT",
        order_ref=reference,
        submitted=moment,
        status=FILLED,
        filled=intent.quantity,
        value=intent.quantity * 100,
        last_price=Decimal(100),
        completed=moment,
    )


def fill_of(
    intent: OrderIntent, reference: str, perm_id: int, order_id: int, number: int, part: int, moment: int
) -> OrderFill:
    return OrderFill(
        exec_id=f"missed.{number:08d}.01.01",
        perm_id=perm_id,
        client_id=CLIENT,
        order_id=order_id,
        account=ACCOUNT,
        instrument=intent.instrument.id,
        side=intent.side,
        quantity=Decimal(1),
        price=Decimal(100),
        time=moment,
        cumulative=Decimal(part),
        average=Decimal(100),
        order_ref=reference,
        commission=Decimal("0.35"),
    )


# The start


def measure(folder: Path, expected: int) -> None:
    (folder / "strategies").mkdir()
    (folder / "strategies" / "buyer.py").write_text(STRATEGY)
    (folder / "strategies.toml").write_text(TABLE)
    gateway = launch("gateway", "--port", "0", "--state", str(folder / "gateway.db"), "--with-parent", str(os.getpid()))
    assert gateway.stdout is not None
    port = gateway.stdout.readline().strip().rpartition(":")[2]
    (folder / "mats.toml").write_text(SETTINGS.format(port=port))
    begun = time.perf_counter()
    daemon = launch("--config", str(folder / "mats.toml"), "--data-dir", str(folder / "data"), "--json")
    try:
        Watch(daemon, folder / "data", begun, expected).report()
    finally:
        gateway.send_signal(signal.SIGTERM)
        gateway.communicate()


def launch(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


class Watch:
    """What the daemon shows while it starts."""

    def __init__(self, daemon: subprocess.Popen[str], data: Path, begun: float, expected: int) -> None:
        self._daemon, self._data, self._begun, self._expected = daemon, data, begun, expected
        self._marks: dict[str, float] = {}
        self._said: list[str] = []
        self._tail: deque[str] = deque(maxlen=5)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._daemon.stderr is not None
        for line in self._daemon.stderr:
            self._tail.append(line)
            if line.startswith("mats:"):
                self._said.append(f"{time.perf_counter() - self._begun:6.1f} s  {line.rstrip()}")
            elif "strategy started" in line:
                self._mark("a strategy runs")

    def _mark(self, what: str) -> None:
        self._marks.setdefault(what, time.perf_counter() - self._begun)

    def report(self) -> None:
        pause, peaks = threading.Event(), dict[str, int]()
        while self._daemon.poll() is None and "all entries are in every stage" not in self._marks:
            self._look()
            for name, pid in processes(self._daemon.pid).items():
                peaks[name] = max(peaks.get(name, 0), resident(pid))
            pause.wait(0.5)
        self._daemon.send_signal(signal.SIGTERM)
        out = self._daemon.stdout.read() if self._daemon.stdout else ""
        code = self._daemon.wait()
        self._reader.join()
        for line in self._said:
            print(line)
        for what, seconds in sorted(self._marks.items(), key=lambda mark: mark[1]):
            print(f"{seconds:8.1f} s  {what}")
        for name, peak in peaks.items():
            print(f"{peak / 1e6:8.0f} MB  {name}")
        summary = json.loads(out.splitlines()[-1]) if out.startswith("{") else {}
        figures = {
            name: summary.get(name) for name in ("fills", "fills_stored", "gateway_executions", "breaks", "restarts")
        }
        print(f"exit code {code}, {figures}, load {os.getloadavg()[0]:.1f}")
        if code:
            print("".join(self._tail))

    def _look(self) -> None:
        try:
            status = ask(self._data, protocol.StatusRequest(), protocol.DaemonStatus)
        except Exception:
            return
        if (status.entries or 0) >= self._expected:
            self._mark("every missed execution is in the log")
        if status.compared_seconds_ago is not None:
            self._mark("books and broker were compared")
            if "a strategy runs" in self._marks and not status.store:
                self._mark("all entries are in every stage")


def processes(pid: int) -> dict[str, int]:
    """The daemon, and its children by their number."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return {"daemon": pid} | {f"child {number}": int(child) for number, child in enumerate(found, 1)}


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main()
