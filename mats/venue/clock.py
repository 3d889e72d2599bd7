"""Clocks that also wake whoever waits: the system's, one that runs faster, one that is turned by hand, the time of the
data that is being replayed; and a shift on top of any of them.

Seconds are wall time on every clock but the one that is turned by hand. An instant belongs to the time of day that the
clock shows, and is waited for at the pace of that.
"""

import asyncio
import heapq
import math
import time
from collections.abc import Callable
from typing import Protocol, TypeVarTuple

from mats.model import SECOND, Clock, Nanos

Args = TypeVarTuple("Args")


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """It is not made any more; where it was made already, nothing happens."""


class AlarmClock(Clock, Protocol):
    """A clock that wakes: everything in the gateway that waits, waits for one."""

    def call_later(self, seconds: float, callback: Callable[[*Args], object], *arguments: *Args) -> Timer:
        """Calls back in the running loop after so many seconds."""

    async def sleep(self, seconds: float) -> None:
        """Returns after so many seconds; where there are none left, after a turn of the loop."""

    async def until(self, instant: Nanos) -> None:
        """Returns when the clock shows the instant."""


class SystemClock:
    """Wall time, held still where the system's clock steps back."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self._latest: Nanos = 0

    def now(self) -> Nanos:
        self._latest = max(self._latest, time.time_ns())
        return self._latest

    def call_later(self, seconds: float, callback: Callable[[*Args], object], *arguments: *Args) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback, *arguments)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def until(self, instant: Nanos) -> None:
        await asyncio.sleep((instant - self.now()) / SECOND)


class AcceleratedClock(SystemClock):
    """Begins at `start` (0: the present) and shows a time that runs `rate` times as fast as wall time."""

    def __init__(self, rate: float, start: Nanos = 0) -> None:
        if rate <= 0:
            raise ValueError(f"a clock cannot run at {rate} times wall time; take a positive rate")
        super().__init__()
        self._rate = rate
        self._start = start or time.time_ns()
        self._began = time.monotonic_ns()

    def now(self) -> Nanos:
        return self._start + int((time.monotonic_ns() - self._began) * self._rate)

    async def until(self, instant: Nanos) -> None:
        await asyncio.sleep((instant - self.now()) / SECOND / self._rate)


class Alarm:
    """A call that is due when a stepped clock shows its instant."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self._call = None

    def ring(self) -> None:
        if self._call:
            self._call()


class SteppedClock:
    """Stands still until it is turned, its seconds too; whoever waits is woken at the instant that was waited for."""

    def __init__(self, start: Nanos) -> None:
        self._start = self._now = start
        self._alarms: list[tuple[Nanos, int, Alarm]] = []
        self._count = 0

    def now(self) -> Nanos:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start) / SECOND

    def call_later(self, seconds: float, callback: Callable[[*Args], object], *arguments: *Args) -> Timer:
        return self._at(self._now + math.ceil(seconds * SECOND), lambda: callback(*arguments))

    async def sleep(self, seconds: float) -> None:
        await self.until(self._now + math.ceil(seconds * SECOND))

    async def until(self, instant: Nanos) -> None:
        reached = asyncio.Event()
        self._at(instant, reached.set)
        await reached.wait()

    async def advance(self, span: Nanos) -> None:
        """Goes on by a span, from one awaited instant to the next; what was woken runs until it waits again."""
        end = self._now + span
        while self._alarms and self._alarms[0][0] <= end:
            self._ring()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._now = end

    def leap(self, span: Nanos) -> None:
        """Goes on by a span at once: whoever waited for an instant on the way is woken late, at its end."""
        self._now += span
        while self._alarms and self._alarms[0][0] <= self._now:
            self._ring()

    def _at(self, instant: Nanos, call: Callable[[], object]) -> Alarm:
        alarm = Alarm(call)
        if instant <= self._now:
            asyncio.get_running_loop().call_soon(alarm.ring)
        else:
            self._count += 1
            heapq.heappush(self._alarms, (instant, self._count, alarm))
        return alarm

    def _ring(self) -> None:
        instant, _, alarm = heapq.heappop(self._alarms)
        self._now = max(self._now, instant)
        alarm.ring()


class DerivedClock:
    """What is common to clocks that show a time of day of their own: their seconds are those of another clock."""

    def __init__(self, base: AlarmClock) -> None:
        self._base = base

    def monotonic(self) -> float:
        return self._base.monotonic()

    def call_later(self, seconds: float, callback: Callable[[*Args], object], *arguments: *Args) -> Timer:
        return self._base.call_later(seconds, callback, *arguments)

    async def sleep(self, seconds: float) -> None:
        await self._base.sleep(seconds)


class ShiftedClock(DerivedClock):
    """Another clock, and a span on top of its time of day that can be changed."""

    def __init__(self, base: AlarmClock) -> None:
        super().__init__(base)
        self.shift: Nanos = 0

    def now(self) -> Nanos:
        return self._base.now() + self.shift

    async def until(self, instant: Nanos) -> None:
        await self._base.until(instant - self.shift)


class DataClock(DerivedClock):
    """Shows the time of the data: it stands still until the replay moves it on."""

    def __init__(self, start: Nanos, base: AlarmClock) -> None:
        super().__init__(base)
        self._now = start

    def now(self) -> Nanos:
        return self._now

    def advance(self, instant: Nanos) -> None:
        """Moves on to `instant`; an earlier one changes nothing."""
        self._now = max(self._now, instant)

    async def until(self, instant: Nanos) -> None:
        await self._base.sleep((instant - self._now) / SECOND)
