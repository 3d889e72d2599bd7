"""SIGTERM and SIGSTOP at any moment of a daemon's life: by a test a few times, by `soak_signals.py` often."""

import os
import random
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec

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

Moment = Literal["start", "recovery", "trading", "stop"]
MOMENTS: tuple[Moment, ...] = ("start", "recovery", "trading", "stop")
START_SECONDS, RECOVERY_SECONDS = 1.0, 4.0
"""When a start is hit, at the latest, from the launch of the process on; and a recovery, from its first word on."""
LONGEST_STOP = 12.0
"""Seconds for which the daemon is stopped: longer than its heartbeats, and than the gateway's patience with it."""
SECONDS_FOR_A_ROUND = 90
BAR_SECONDS = 1.0


class Struck(msgspec.Struct, frozen=True):
    """What a series of signals came to: how often each signal hit each moment, exit codes, executions."""

    struck: dict[str, int]
    codes: dict[int, int]
    executions: int


def signals_at_any_moment(folder: Path, rounds: int, seed: int) -> Struck:
    """Each round a daemon over the same data is hit once, and ends in order or trades on; at the end all is proved."""
    chance = random.Random(seed)
    bars = write_bars(folder / "bars", seed, minutes=600 + int(SECONDS_FOR_A_ROUND * rounds / BAR_SECONDS))
    gateway = GatewayProcess(folder, bars, bar_seconds=BAR_SECONDS, seed=seed)
    config = write_settings(folder / "config", lively_strategies(3), gateway.port)
    data, struck, codes = folder / "run" / "data", Counter[str](), Counter[int]()
    with killed_at_end(gateway):
        for _ in range(rounds):
            moment, number = chance.choice(MOMENTS), chance.choice((signal.SIGTERM, signal.SIGSTOP))
            struck[f"{number.name} at {moment}"] += 1
            daemon = Daemon(config, data)
            with killed_at_end(daemon):
                codes[_round(daemon, moment, number, chance)] += 1
        daemon = Daemon(config, data)
        with killed_at_end(daemon):
            _trades(daemon)
            summary = daemon.stop()
        executions = prove(data, look(gateway.port), summary)
    return Struck(dict(struck), dict(codes), executions)


def _round(daemon: Daemon, moment: Moment, number: signal.Signals, chance: random.Random) -> int:
    """Hit the daemon; the exit code of its end, which is an orderly one."""
    _reach(daemon, moment, chance)
    if number is signal.SIGSTOP:
        _stop_for_a_while(daemon, chance)
        if moment != "stop":
            _trades(daemon)
    os.kill(daemon.process.pid, signal.SIGTERM)
    daemon.process.communicate(timeout=PATIENCE)
    code = daemon.process.returncode
    unheard = moment == "start" and code == -signal.SIGTERM and not daemon.stderr
    assert code == 0 or unheard, f"{number.name} at {moment}: exit code {code}: {daemon.stderr[-3000:]}"
    assert "Traceback" not in daemon.stderr, daemon.stderr[-3000:]
    return code


def _reach(daemon: Daemon, moment: Moment, chance: random.Random) -> None:
    wait = threading.Event().wait
    match moment:
        case "start":
            wait(chance.uniform(0.0, START_SECONDS))
        case "recovery":
            until(lambda: daemon.stderr, PATIENCE, "the first line of the log")
            wait(chance.uniform(0.0, RECOVERY_SECONDS))
        case "trading":
            _trades(daemon)
            wait(chance.uniform(0.0, 1.0))
        case "stop":
            _trades(daemon)
            os.kill(daemon.process.pid, signal.SIGTERM)
            wait(chance.uniform(0.0, 0.7))


def _stop_for_a_while(daemon: Daemon, chance: random.Random) -> None:
    """It alone, or with the processes of its strategies."""
    pid = daemon.process.pid
    send = chance.choice((os.kill, os.killpg))
    if daemon.process.poll() is None:
        send(pid, signal.SIGSTOP)
        threading.Event().wait(chance.uniform(0.5, LONGEST_STOP))
        send(pid, signal.SIGCONT)


def _trades(daemon: Daemon) -> None:
    """A new execution is booked."""
    before = daemon.executions()
    until(lambda: daemon.executions() > before or daemon.process.poll() is not None, PATIENCE, "new fills")
    assert daemon.process.poll() is None, f"the daemon ended by itself: {daemon.stderr[-3000:]}"
