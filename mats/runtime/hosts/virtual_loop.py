"""An asyncio loop without sockets whose time is the virtual clock's."""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context
from typing import Any

from mats.runtime.clock import VirtualClock
from mats.runtime.messaging import CURRENT


class VirtualLoop(asyncio.BaseEventLoop):
    """Turned by the virtual runtime, one round at a time; it never waits."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._virtual_clock = clock
        self._selector = self

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """An exit out of a task or a callback is the failure of the actor that it belongs to, not of this loop."""
        return super().call_soon(_contained, callback, args, context=context)

    def time(self) -> float:
        return self._virtual_clock.seconds

    def select(self, timeout: float | None) -> list[object]:
        """No file is ever ready: there are none."""
        return []

    def _process_events(self, event_list: object) -> None:
        """There are no events of files."""

    def _write_to_self(self) -> None:
        """Nothing sleeps, so nothing has to be woken."""

    @property
    def runnable(self) -> bool:
        return bool(self._ready)  # type: ignore[attr-defined]

    def next_due(self) -> float | None:
        """When the next timer of the loop is due, in virtual seconds."""
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        return scheduled[0]._when if scheduled else None

    def spin(self) -> None:
        """Run everything that is ready once."""
        asyncio._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]
        finally:
            asyncio._set_running_loop(None)


def _contained(callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        callback(*args)
    except SystemExit as error:
        if (turn := CURRENT.get()) is None:
            raise
        turn.sender.report_fault(error)
