"""Time that does not wait: a loop with real sockets whose clock leaps to the next timer when nothing else is to do."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mats.model import SECOND, Nanos
from mats.venue import Timer

T = TypeVar("T")

QUIET_SECONDS = 0.0005
"""So long nothing must arrive before the clock leaps: what was written to a loopback socket is there by then."""


class _LeapingSelector(selectors.EpollSelector):
    """Looks for what is ready; where nothing is, the time that it should have waited is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(QUIET_SECONDS if timeout is None or timeout > 0 else 0)
        if not ready and timeout is None:
            return super().select(None)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop in which `time` is the selector's."""

    def __init__(self) -> None:
        self.selector = _LeapingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


class LoopClock:
    """The clock of a gateway and of its client in such a loop: a time of day that begins at `start`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: Nanos) -> None:
        self._loop, self._start = loop, start

    def now(self) -> Nanos:
        return self._start + int(self._loop.time() * SECOND)

    def monotonic(self) -> float:
        return self._loop.time()

    def call_later(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        return self._loop.call_later(seconds, callback, *arguments)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251 - this is the clock

    async def until(self, instant: Nanos) -> None:
        await self.sleep((instant - self.now()) / SECOND)


def run_fast(scenario: Callable[[LoopClock], Coroutine[Any, Any, T]], start: Nanos) -> T:
    """The result of a scenario that begins at `start`."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(scenario(LoopClock(runner.get_loop(), start)))
