"""The gateway as a process: it prints where it listens, shows a live table on a terminal, and stops cleanly."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import structlog
from rich.live import Live

from mats.gateway.control_port import ControlPort
from mats.gateway.faults import FaultPlan, PlanError, ScriptedGateway, load_plan
from mats.gateway.pacing import GatewayLimits
from mats.gateway.screen import render
from mats.gateway.server import GatewayError, PaperGateway
from mats.model import Currency
from mats.venue import AcceleratedClock, AlarmClock
from mats.venue.models import VenueModels

PARENT_CHECK_SECONDS = 0.5
"""Interval at which the parent process is checked."""

SCREEN_REFRESH_SECONDS = 0.5
"""Interval at which the live table is redrawn."""


class GatewayOptions(TypedDict, total=False):
    """The arguments of `PaperGateway`."""

    host: str
    port: int
    seed: int
    state: Path | None
    replay: Path | None
    bar_seconds: float
    hold_seconds: float
    accounts: tuple[str, ...]
    cash: Decimal
    instruments: Path | None
    clock: AlarmClock | None
    models: VenueModels | None
    limits: GatewayLimits
    fractions: bool
    base: Currency


def serve(
    *,
    market: Literal["random", "replay"] | None = None,
    speed: float = 1.0,
    faults: Path | None = None,
    log: Path | None = None,
    control_port: int | None = None,
    with_parent: int | None = None,
    **options: Unpack[GatewayOptions],
) -> None:
    """Runs a gateway until SIGTERM or SIGINT, or until the process `with_parent` has ended.

    Prints `listening HOST:PORT` when it is ready; on a terminal a live table follows. `market`: the expected market,
    checked against `replay`. `speed`: how fast the clock of the random market runs. `faults`: a fault plan armed at the
    start. `log`: a file for everything sent and received. `control_port`: 0 takes a free one; `control HOST:PORT` is
    then the second line. Raises GatewayError if the gateway cannot run with these options.
    """
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    if (market == "replay") != bool(options.get("replay")) and market is not None:
        raise GatewayError(
            f"--market {market} contradicts --replay; use --market replay with --replay DIR, --market random without"
        )
    try:
        plan = load_plan(faults) if faults else FaultPlan()
        if speed != 1.0:
            options["clock"] = AcceleratedClock(speed)
        gateway = PaperGateway(**options)
        if log:
            gateway.faults.record(log)
    except (PlanError, ValueError, OSError) as error:
        raise GatewayError(f"the gateway cannot start: {error}") from error
    asyncio.run(_serve(gateway, plan, control_port, with_parent))


async def _serve(gateway: PaperGateway, plan: FaultPlan, control_port: int | None, with_parent: int | None) -> None:
    stop = _stop_event(with_parent)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(gateway)
        gateway.faults.arm(*plan.faults, seed=plan.seed)
        print(f"listening {gateway.host}:{gateway.port}", flush=True)
        if control_port is not None:
            control = await stack.enter_async_context(ControlPort(gateway, control_port))
            print(f"control {control.host}:{control.port}", flush=True)
        await (_show_screen(gateway, stop) if sys.stdout.isatty() else stop.wait())


def serve_script(record: Path, *, port: int = 0, with_parent: int | None = None) -> None:
    """Plays a record made by `log` until it is stopped. Raises GatewayError if it cannot be read or played."""
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    try:
        asyncio.run(_serve_script(ScriptedGateway(record, port=port), with_parent))
    except (ValueError, OSError) as error:
        raise GatewayError(f"cannot play the script: {error}") from error


async def _serve_script(gateway: ScriptedGateway, with_parent: int | None) -> None:
    stop = _stop_event(with_parent)
    async with gateway:
        print(f"listening {gateway.host}:{gateway.port}", flush=True)
        await stop.wait()


async def _show_screen(gateway: PaperGateway, stop: asyncio.Event) -> None:
    """Redraws the live table until `stop` is set."""
    with Live(render(gateway), auto_refresh=False, screen=False) as live:
        while not stop.is_set():
            live.update(render(gateway), refresh=True)
            try:
                await asyncio.wait_for(stop.wait(), SCREEN_REFRESH_SECONDS)
            except TimeoutError:
                continue


def _stop_event(with_parent: int | None) -> asyncio.Event:
    """An event set by SIGTERM, by SIGINT, and by the end of the parent."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        _watch_parent(with_parent, os.getppid() == with_parent, stop)
    return stop


def _watch_parent(parent: int, child: bool, stop: asyncio.Event) -> None:
    """Checks the parent periodically and sets `stop` when it has ended: a child then has a new parent."""
    if os.getppid() == parent if child else _alive(parent):
        asyncio.get_running_loop().call_later(PARENT_CHECK_SECONDS, _watch_parent, parent, child, stop)
    else:
        stop.set()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
