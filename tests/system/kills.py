"""Kill -9 of a trading daemon, of its gateway, or of both at once: by a test a few times, by `soak_kill.py` often."""

import random
import threading
from pathlib import Path
from typing import Literal

import msgspec

from mats.runtime.clock import SystemClock
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

Victims = Literal["daemon", "gateway", "both"]
SECONDS_FOR_A_KILL = 60
"""So long a market there is for each kill, in seconds of a start, a recovery and some trading."""
MINUTES = 600


class Kills(msgspec.Struct, frozen=True, kw_only=True):
    """How often who is killed, by chance; a minute of the market lasts `bar_seconds`."""

    rounds: int
    seed: int
    victims: tuple[Victims, ...] = ("daemon",)
    strategies: int = 4
    bar_seconds: float = 2.0


class Soaked(msgspec.Struct, frozen=True):
    """What they came to: executions at each kill and at the end; new ones a second in the moments before each kill."""

    at_kills: tuple[int, ...]
    rates: tuple[float, ...]
    executions: int
    orders: int


def soak(folder: Path, kills: Kills) -> Soaked:
    """Kill at random moments, start again over the same data, and prove all at the end."""
    chance = random.Random(kills.seed)
    minutes = MINUTES + int(kills.rounds * SECONDS_FOR_A_KILL / kills.bar_seconds)
    bars = write_bars(folder / "bars", kills.seed, minutes)
    gateway = GatewayProcess(folder, bars, bar_seconds=kills.bar_seconds, seed=kills.seed)
    config = write_settings(folder / "config", lively_strategies(kills.strategies), gateway.port)
    data, at_kills, rates = folder / "run" / "data", [0], []
    daemon = Daemon(config, data)
    try:
        for _ in range(kills.rounds):
            until(lambda run=daemon: run.executions() > at_kills[-1] + 5, PATIENCE, "new fills after a start")
            rates.append(_rate(daemon, chance.uniform(0.0, 2.0)))
            assert daemon.process.poll() is None, f"the daemon ended by itself: {daemon.stderr[-3000:]}"
            daemon = _kill(chance.choice(kills.victims), gateway, daemon, config)
            at_kills.append(daemon.executions())
        until(lambda: daemon.executions() > at_kills[-1] + 10, PATIENCE, "new fills after the last kill")
        summary = daemon.stop()
        assert "Traceback" not in daemon.stderr, daemon.stderr[-3000:]
        executions = prove(data, look(gateway.port), summary)
    finally:
        daemon.kill()
        gateway.kill()
    return Soaked(tuple(at_kills[1:]), tuple(rates), executions, summary["orders"])


def _rate(daemon: Daemon, seconds: float) -> float:
    """Let it trade for so long; new executions a second."""
    before, began = daemon.executions(), SystemClock.monotonic()
    threading.Event().wait(seconds)
    return (daemon.executions() - before) / (SystemClock.monotonic() - began)


def _kill(victims: Victims, gateway: GatewayProcess, daemon: Daemon, config: Path) -> Daemon:
    """The daemon that lives afterwards."""
    if victims != "gateway":
        daemon.kill()
    if victims != "daemon":
        gateway.kill()
        gateway.start()
    return daemon if victims == "gateway" else Daemon(config, daemon.data)
