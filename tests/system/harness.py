"""The daemon and the gateway as processes, a look at the gateway by a client that knows nothing of MATS, and the proof.

Shared by the tests and the soaks of this folder.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from ib_async import IB, ExecutionFilter

from mats.model.orders import order_ref
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "DU1000001"
INSTRUMENTS = ("SPY", "IBM", "BAC")

LIVELY = '''
from mats.strategy import Bar, Strategy


class Lively(Strategy):
    """Wants another position at nearly every bar."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        step: int = 7
        bar_seconds: int = 5

    params: Params

    def on_start(self) -> None:
        self.turn = self.params.step

    def on_bar(self, bar: Bar) -> None:
        self.turn = self.turn * 31 % 101
        self.signal(bar.instrument, (self.turn - 50) / 400)
'''


def until(condition: Callable[[], object], seconds: float = PATIENCE, what: str = "the condition") -> None:
    """Wait until the condition holds; fail with `what` when it does not."""
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    pause = threading.Event()
    while not condition():
        if datetime.now(UTC) >= deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        pause.wait(0.02)


# What to trade


def write_bars(folder: Path, seed: int, minutes: int = 600) -> Path:
    """Lively minute bars of all instruments, beginning about now."""
    folder.mkdir(parents=True)
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    for name, price in zip(INSTRUMENTS, (600.0, 250.0, 45.0), strict=True):
        chance = random.Random(f"{seed}/{name}")
        lines = ["timestamp,open,high,low,close,volume"]
        for minute in range(minutes):
            opened, closed = price, round(price * (1 + chance.gauss(0, 0.001)), 2)
            high, low = round(max(opened, closed) * 1.0005, 2), round(min(opened, closed) * 0.9995, 2)
            stamp = (start + timedelta(minutes=minute)).isoformat()
            lines.append(f"{stamp},{opened:.2f},{high:.2f},{low:.2f},{closed:.2f},60000")
            price = closed
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


def lively_strategies(count: int = 3) -> str:
    """A strategy table whose strategies share instruments, one of them against the others."""
    table = []
    for number in range(count):
        instrument = INSTRUMENTS[number // 2 % len(INSTRUMENTS)]
        table.append(
            f'[[strategy]]\nname = "lively-{number}"\nfile = "lively.py"\nclass_name = "Lively"\n'
            f'target_weight = {1 / (count + 1):.2f}\nparams = {{ instrument = "{instrument}", step = {number + 3} }}\n'
        )
    return "\n".join(table)


def write_settings(
    folder: Path,
    strategies: str,
    port: int,
    files: dict[str, str] | None = None,
    *,
    orders_per_minute: int = 1_000_000,
) -> Path:
    """A settings file with its strategy table and strategy files; the gateway is at `port`."""
    (folder / "strategies").mkdir(parents=True)
    for name, text in ({"lively.py": LIVELY} | (files or {})).items():
        (folder / "strategies" / name).write_text(text)
    (folder / "strategies.toml").write_text(strategies)
    path = folder / "mats.toml"
    path.write_text(
        f'[gateway]\nhost = "127.0.0.1"\nport = {port}\n'
        "connect_timeout_seconds = 5.0\nheartbeat_interval_seconds = 2.0\n"
        f"[risk]\nmax_orders_per_minute = {orders_per_minute}\n"
        "[portfolio]\nreconcile_interval_seconds = 2.0\nbreak_confirmation_seconds = 2.0\n"
    )
    return path


# Processes


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and everybody it started, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)


def _launch(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=out,
            start_new_session=True,
            cwd=log.parent,
        )


class GatewayProcess:
    """The paper gateway, which can be killed and started again on its port with its state."""

    def __init__(
        self, folder: Path, replay: Path | None, bar_seconds: float, seed: int = 7, faults: Path | None = None
    ) -> None:
        """`faults` is the plan by which it misbehaves until it is started `honest`."""
        self._folder, self.port = folder, 0
        self._faults = [] if faults is None else ["--faults", str(faults)]
        self._arguments = [
            "--seed",
            str(seed),
            "--state",
            str(folder / "gateway.db"),
            "--with-parent",
            str(os.getpid()),
        ]
        if replay is not None:
            self._arguments += ["--replay", str(replay), "--bar-seconds", str(bar_seconds), "--hold-seconds", "0.2"]
        self.start()

    def start(self, honest: bool = False) -> None:
        faults = [] if honest else self._faults
        arguments = ["gateway", "--port", str(self.port), *self._arguments, *faults]
        self._process = _launch(arguments, self._folder / "gateway.log")
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        if not line.startswith("listening"):
            raise AssertionError(f"the gateway said {line!r}: {(self._folder / 'gateway.log').read_text()[-500:]}")
        self.port = int(line.rpartition(":")[2])

    def freeze(self) -> None:
        """From now on it answers nothing, though its sockets stand."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        kill_group(self._process)


class Daemon:
    """One run of the daemon over a data directory. `stderr` is what it said in this run."""

    def __init__(self, config: Path | None, data: Path, *arguments: str) -> None:
        data.parent.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.log = data.parent / "daemon.log"
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        settings = [] if config is None else ["--config", str(config)]
        self.process = _launch([*settings, "--data-dir", str(data), "--json", *arguments], self.log)

    @property
    def stderr(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            return log.read().decode()

    def executions(self) -> int:
        """How many executions its journal holds; 0 before there is one."""
        return count(self.data / "journal.db", "executions")

    def kill(self) -> None:
        kill_group(self.process)

    def stop(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """Ask it to end, as an operator does; its summary."""
        self.process.terminate()
        return self.finish(seconds)

    def finish(self, seconds: float) -> dict[str, Any]:
        """Wait for its orderly end; its summary."""
        try:
            out, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon did not end within {seconds} s: {self.stderr[-3000:]}") from None
        assert self.process.returncode == 0, f"exit code {self.process.returncode}: {self.stderr[-3000:]}"
        return dict(json.loads(out.decode().splitlines()[-1]))


def count(database: Path, table: str) -> int:
    """Rows of a table of a database that somebody else writes; 0 before it exists."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


@contextmanager
def killed_at_end(*processes: GatewayProcess | Daemon) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()


# The other view


class Executed(msgspec.Struct, frozen=True):
    """An execution as the gateway tells it to any client."""

    account: str
    exec_id: str
    symbol: str
    quantity: float
    order_ref: str
    perm_id: int

    @property
    def family(self) -> str:
        return self.exec_id.rpartition(".")[0]


class Look(msgspec.Struct, frozen=True):
    """The gateway's whole answer: executions as last corrected, positions, and by permId (orderRef, limit, quantity) of
    open orders and the orderRef of all."""

    executions: tuple[Executed, ...]
    positions: dict[tuple[str, str], float]
    open_orders: dict[int, tuple[str, float, float]]
    refs: dict[int, str]


def look(port: int, client_id: int = 0) -> Look:
    """Ask the gateway everything through an unmodified client; client 0 sees everybody's executions."""
    return asyncio.run(asyncio.wait_for(_look(port, client_id), PATIENCE))


async def _look(port: int, client_id: int) -> Look:
    ib = IB()
    ib.client.MaxRequests = 0
    await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=PATIENCE)
    try:
        fills = await ib.reqExecutionsAsync(ExecutionFilter())
        opened = await ib.reqAllOpenOrdersAsync()
        completed = await ib.reqCompletedOrdersAsync(False)
        positions = await ib.reqPositionsAsync()
    finally:
        ib.disconnect()
    executions = [
        Executed(
            fill.execution.acctNumber,
            fill.execution.execId,
            fill.contract.symbol,
            fill.execution.shares * (1 if fill.execution.side == "BOT" else -1),
            fill.execution.orderRef,
            fill.execution.permId,
        )
        for fill in fills
    ]
    return Look(
        executions=tuple({e.family: e for e in sorted(executions, key=lambda e: e.exec_id)}.values()),
        positions={(p.account, p.contract.symbol): p.position for p in positions if p.position},
        open_orders={t.order.permId: (t.order.orderRef, t.order.lmtPrice, t.order.totalQuantity) for t in opened},
        refs={t.order.permId: t.order.orderRef for t in (*opened, *completed)},
    )


# The proof


def prove(data: Path, seen: Look, summary: dict[str, Any] | None = None) -> int:
    """Hold the data directory of a daemon that is not running against the gateway. Returns the number of executions."""
    prove_fills(data, seen)
    prove_orders(data, seen)
    prove_books(data, seen)
    if summary is not None:
        prove_summary(summary, seen)
    return len(seen.executions)


def prove_fills(data: Path, seen: Look) -> None:
    """Every execution is stored once, under the strategy that its order names."""
    stored = list(Reader(lmdb_uri(data / "arctic")).fills(ACCOUNT).itertuples())
    repeated = [family for family, times in Counter(row.family for row in stored).items() if times > 1]
    assert not repeated, f"stored more than once: {repeated[:5]}"
    expected = {e.family: (e.order_ref.partition(":")[0], e.symbol, e.quantity) for e in seen.executions}
    got = {row.family: (row.strategy, row.symbol, row.quantity * (1 if row.side == "BUY" else -1)) for row in stored}
    assert got.keys() == expected.keys(), (
        f"lost {expected.keys() - got.keys()}, invented {got.keys() - expected.keys()}"
    )
    assert got == expected, [(f, got[f], expected[f]) for f in got if got[f] != expected[f]][:5]


def prove_orders(data: Path, seen: Look) -> None:
    """Every order at the gateway was journalled as an intent, and was sent once."""
    journal = Journal(data / "journal.db")
    try:
        intended = {order_ref(o.intent.strategy, o.intent.intent_id) for o in journal.recent_orders(1_000_000)}
    finally:
        journal.close()
    strangers = set(seen.refs.values()) - intended
    assert not strangers, f"at the gateway without an intent: {sorted(strangers)[:5]}"
    by_order = seen.refs | {e.perm_id: e.order_ref for e in seen.executions}
    twice = [ref for ref, times in Counter(by_order.values()).items() if times > 1]
    assert not twice, f"sent more than once: {twice[:5]}"


def prove_books(data: Path, seen: Look) -> None:
    """Strategy books and Discretionary add up to the gateway's positions, in the stored table."""
    held: Counter[tuple[str, str]] = Counter()
    for row in Reader(lmdb_uri(data / "arctic")).portfolio(ACCOUNT).itertuples():
        held[row.account, row.symbol] += row.quantity
        assert row.strategy != "Discretionary" or not row.quantity, f"Discretionary holds {row.quantity} {row.symbol}"
    assert {place: quantity for place, quantity in held.items() if quantity} == seen.positions


def prove_summary(summary: dict[str, Any], seen: Look) -> None:
    """What the daemon says of itself at its end agrees with the gateway."""
    told = {
        (p["account"], p["symbol"]): sum(p["strategies"].values()) + p["discretionary"] for p in summary["positions"]
    }
    assert {place: quantity for place, quantity in told.items() if quantity} == seen.positions
    figures = {name: summary[name] for name in ("fills", "fills_stored", "gateway_executions")}
    assert set(figures.values()) == {len(seen.executions)}, f"{figures}, gateway {len(seen.executions)}"
    assert summary["breaks"] == 0
    assert not summary["abandoned"], summary["abandoned"]
    assert summary["dead_letters"] == 0
