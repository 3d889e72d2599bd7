"""Where the venue reads the time: the system's clock, one that runs faster, one that is moved by hand, or the time of
the data that is being replayed; and a shift on top of any of them."""

import asyncio
import heapq
import time
from typing import Protocol, runtime_checkable

from mats.model import SECOND, Nanos


class Clock(Protocol):
    def now(self) -> Nanos:
        """The present instant; never less than any instant it returned before, unless somebody shifts it back."""


@runtime_checkable
class Paced(Protocol):
    """A clock with a pace of its own."""

    async def until(self, instant: Nanos) -> None:
        """Returns when it shows the instant."""


async def wait_until(clock: Clock, instant: Nanos) -> None:
    """Waits for an instant at the pace of the clock; one without a pace of its own goes with wall time."""
    if isinstance(clock, Paced):
        await clock.until(instant)
    else:
        await asyncio.sleep(max(0, instant - clock.now()) / SECOND)


class SystemClock:
    """Wall time, held still where the system's clock steps back."""

    def __init__(self) -> None:
        self._latest: Nanos = 0

    def now(self) -> Nanos:
        self._latest = max(self._latest, time.time_ns())
        return self._latest


class AcceleratedClock:
    """Begins at `start` (0: the present) and runs `rate` times as fast as wall time."""

    def __init__(self, rate: float, start: Nanos = 0) -> None:
        if rate <= 0:
            raise ValueError(f"a clock cannot run at {rate} times wall time; take a positive rate")
        self._rate = rate
        self._start = start or time.time_ns()
        self._began = time.monotonic_ns()

    def now(self) -> Nanos:
        return self._start + int((time.monotonic_ns() - self._began) * self._rate)

    async def until(self, instant: Nanos) -> None:
        await asyncio.sleep(max(0, instant - self.now()) / SECOND / self._rate)


class SteppedClock:
    """Stands still until it is moved; whoever waits for an instant is woken at that instant."""

    def __init__(self, start: Nanos) -> None:
        self._now = start
        self._waiting: list[tuple[Nanos, int, asyncio.Future[None]]] = []
        self._waits = 0

    def now(self) -> Nanos:
        return self._now

    async def until(self, instant: Nanos) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._waits += 1
        heapq.heappush(self._waiting, (instant, self._waits, woken))
        await woken

    async def advance(self, span: Nanos) -> None:
        """Moves on by a span, from one awaited instant to the next; what was woken runs until it waits again."""
        end = self._now + span
        while self._waiting and self._waiting[0][0] <= end:
            instant, _, woken = heapq.heappop(self._waiting)
            self._now = max(self._now, instant)
            if not woken.done():
                woken.set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._now = end


class DataClock:
    """The time of the data: it stands still until the replay moves it on."""

    def __init__(self, start: Nanos) -> None:
        self._now = start

    def now(self) -> Nanos:
        return self._now

    def advance(self, instant: Nanos) -> None:
        """Moves on to `instant`; an earlier one changes nothing."""
        self._now = max(self._now, instant)


class ShiftedClock:
    """Another clock, and a span on top of it that can be changed."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self.shift: Nanos = 0

    def now(self) -> Nanos:
        return self._base.now() + self.shift

    async def until(self, instant: Nanos) -> None:
        await wait_until(self._base, instant - self.shift)
