"""The gateway as a process: it says where it listens, and stops in order when it is told to."""

import asyncio
import os
import signal
from pathlib import Path

from mats.gateway.server import PaperGateway

PARENT_LOOK = 0.5
"""Seconds between two looks at the parent."""


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 1,
    state: Path | None = None,
    replay: Path | None = None,
    bar_seconds: float = 1.0,
    hold_seconds: float = 0.5,
    accounts: tuple[str, ...] = ("DU1000001",),
    instruments: Path | None = None,
    with_parent: int | None = None,
) -> None:
    """Runs a gateway until SIGTERM or SIGINT, or until the process `with_parent` has gone.

    Prints `listening HOST:PORT` when it is ready. Raises GatewayError where it cannot run as asked.
    """
    gateway = PaperGateway(
        host=host,
        port=port,
        seed=seed,
        state=state,
        replay=replay,
        bar_seconds=bar_seconds,
        hold_seconds=hold_seconds,
        accounts=accounts,
        instruments=instruments,
    )
    asyncio.run(_serve(gateway, with_parent))


async def _serve(gateway: PaperGateway, with_parent: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        _watch(with_parent, os.getppid() == with_parent, stop)
    async with gateway:
        print(f"listening {gateway.host}:{gateway.port}", flush=True)
        await stop.wait()


def _watch(parent: int, child: bool, stop: asyncio.Event) -> None:
    """Looks again and again, and stops when the parent has gone: a child has a new parent then."""
    if os.getppid() == parent if child else _alive(parent):
        asyncio.get_running_loop().call_later(PARENT_LOOK, _watch, parent, child, stop)
    else:
        stop.set()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
