"""Trading through all that a gateway does, in a daemon that is killed now and then: every view must follow from fills.

Shared by `test_troubled_hour.py` and `soak_books.py`.
"""

import random
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec

from mats.gateway.faults import fault_types
from mats.model.orders import Side
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from tests.patience import PATIENCE
from tests.system.growth import Held, held_by, slopes
from tests.system.harness import (
    ACCOUNT,
    INSTRUMENTS,
    ROOT,
    Daemon,
    count,
    killed_at_end,
    lively_strategies,
    look,
    until,
    write_bars,
    write_settings,
)
from tests.system.inside import GatewayThread

EXECUTION, COMMISSION = 11, 59
"""Numbers of the messages that bring them."""

STEP_SECONDS = 0.25
STEPS_A_LOOK = 20
STRANGER = 77
"""A client id that nobody of MATS has."""


class Soaked(msgspec.Struct, frozen=True):
    """What a run came to, what each fill left behind, what the rebuild said at the end and amid trading.

    `grown` is of the last life: bytes, or descriptors, for each fill; `held` is what it had at its end.
    """

    fills: int
    by_hand: int
    corrections: int
    drops: int
    kills: int
    entries: int
    live: str
    ended: str
    grown: dict[str, float]
    held: Held


class Trouble:
    """A gateway whose messages repeat, come late and get lost, and people who trade and correct by hand."""

    def __init__(self, gateway: GatewayThread, seed: int) -> None:
        self._gateway, self._chance = gateway, random.Random(f"soak/{seed}")
        self.done: Counter[str] = Counter()
        gateway.fault(
            lambda faults: faults.arm(
                fault_types.DuplicateMessage(message=(EXECUTION,), chance=0.1),
                fault_types.DuplicateMessage(message=(COMMISSION,), chance=0.1),
                fault_types.Delay(message=(COMMISSION,), chance=0.3, seconds=1.5),
                fault_types.Delay(message=(EXECUTION,), chance=0.05, seconds=0.3),
                fault_types.Swallow(message=(COMMISSION,), chance=0.05),
                seed=seed,
            )
        )

    def strike(self) -> None:
        """One of the things that happen, or none."""
        kinds = [self.trade_by_hand, self.correct, self.bust, self.drop, self.lose_the_line]
        (act,) = self._chance.choices([*kinds, self.nothing], weights=(4, 3, 1, 2, 1, 16))
        act()

    def nothing(self) -> None:
        """Most of the time."""

    def trade_by_hand(self) -> None:
        instrument, side = self._chance.choice(INSTRUMENTS), self._chance.choice((Side.BUY, Side.SELL))
        quantity = self._chance.randint(1, 80)
        self._gateway.fault(lambda faults: faults.manual_order(instrument, side, quantity))
        self.done["by hand"] += 1

    def correct(self) -> None:
        self._correct(Decimal(self._chance.randint(1, 9)))

    def bust(self) -> None:
        self._correct(None)

    def _correct(self, more: Decimal | None) -> None:
        reported = self._gateway.fault(lambda faults: faults.fills())
        newest = {fill.exec_id.rpartition(".")[0]: fill for fill in reported}  # a revision is corrected once
        fills = [fill for fill in newest.values() if fill.quantity]
        if fills:
            fill = self._chance.choice(fills[-30:])
            quantity, price = (fill.quantity + more, fill.price + Decimal("0.01")) if more else (Decimal(0), fill.price)
            self._gateway.fault(lambda faults: faults.correct(fill.exec_id, quantity, price))
            self.done["corrections"] += 1

    def drop(self) -> None:
        client = self._chance.choice((0, 1, 2))
        self._gateway.fault(lambda faults: faults.drop(client, hard=self._chance.random() < 0.5))
        self.done["drops"] += 1

    def lose_the_line(self) -> None:
        self._gateway.fault(lambda faults: faults.connectivity(1100))
        self._gateway.fault(lambda faults: faults.connectivity(1102))
        self.done["drops"] += 1


def soak_books(folder: Path, minutes: int, bar_seconds: float, kills: int, seed: int) -> Soaked:
    """`minutes` of the market at `bar_seconds` each, in `kills` + 1 lives of the daemon. Raises where a proof fails."""
    bars = write_bars(folder / "bars", seed, minutes=600 + minutes)
    gateway = GatewayThread(replay=bars, bar_seconds=bar_seconds, hold_seconds=0.2)
    config = write_settings(folder / "config", lively_strategies(2), gateway.gateway.port)
    data, trouble, live = folder / "run" / "data", Trouble(gateway, seed), ""
    try:
        for life in range(kills + 1):
            daemon = Daemon(config, data)
            with killed_at_end(daemon):
                series = _live(daemon, trouble, minutes * bar_seconds / (kills + 1))
                if life == kills // 2:
                    live = rebuild(config, data, "--check", "--journal")
                if life == kills:
                    _settle(daemon, gateway)
                    daemon.stop()
        gateway.fault(lambda faults: faults.disarm())
        seen = look(gateway.gateway.port)
    finally:
        gateway.stop()
    fills = Reader(lmdb_uri(data / "arctic")).fills(ACCOUNT)
    assert {row.family for row in fills.itertuples()} == {execution.family for execution in seen.executions}
    assert held(data) == seen.positions, f"{held(data)}, at the gateway {seen.positions}"
    return Soaked(
        fills=len(fills),
        by_hand=trouble.done["by hand"],
        corrections=trouble.done["corrections"],
        drops=trouble.done["drops"],
        kills=kills,
        entries=count(data / "journal.db", "entries"),
        live=live,
        ended=rebuild(config, data, "--check", "--journal"),
        grown=slopes(series),
        held=series[-1],
    )


def _live(daemon: Daemon, trouble: Trouble, seconds: float) -> list[Held]:
    """Trade for so long, counted from the first new fill; what it held every few seconds."""
    series: list[Held] = []
    before, pause = daemon.executions(), threading.Event()
    until(lambda: daemon.executions() > before, PATIENCE, "a new fill after a start")
    for step in range(int(seconds / STEP_SECONDS)):
        if step % STEPS_A_LOOK == 0:
            series.append(held_by(daemon))
        trouble.strike()
        pause.wait(STEP_SECONDS)
        assert daemon.process.poll() is None, f"the daemon ended by itself: {daemon.stderr[-3000:]}"
    return series


def _settle(daemon: Daemon, gateway: GatewayThread) -> None:
    """No more trouble and no more trading; every connection replays what was kept from it."""
    gateway.fault(lambda faults: faults.disarm())
    gateway.fault(lambda faults: faults.hold_orders())
    for client in (0, 1, 2):
        gateway.fault(lambda faults, client=client: faults.drop(client))
    reported = {fill.exec_id for fill in gateway.fault(lambda faults: faults.fills())}
    until(lambda: reported <= _booked(daemon), PATIENCE, "every execution in the journal")
    positions = look(gateway.gateway.port, client_id=STRANGER).positions
    until(
        lambda: held(daemon.data) == positions, 60, f"the stored portfolio {held(daemon.data)} is not {positions}: it"
    )


def _booked(daemon: Daemon) -> set[str]:
    with sqlite3.connect(f"file:{daemon.data / 'journal.db'}?mode=ro", uri=True, timeout=PATIENCE) as journal:
        return {exec_id for (exec_id,) in journal.execute("SELECT exec_id FROM executions")}


def held(data: Path) -> dict[tuple[str, str], float]:
    """What the stored portfolio holds, strategies and Discretionary together."""
    total: Counter[tuple[str, str]] = Counter()
    for row in Reader(lmdb_uri(data / "arctic")).portfolio(ACCOUNT).itertuples():
        total[row.account, row.symbol] += row.quantity
    return {place: quantity for place, quantity in total.items() if quantity}


def rebuild(config: Path, data: Path, *options: str) -> str:
    """What `mats store rebuild` says; AssertionError where it finds a difference."""
    command = [sys.executable, str(ROOT / "run.py"), "store", "rebuild", *options]
    command += ["--config", str(config), "--data-dir", str(data)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    return ran.stdout.strip()
