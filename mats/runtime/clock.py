"""Time as actors see it: an instant in UTC, and seconds for spans."""

import time
from threading import Lock
from typing import Protocol

from mats.model import SECOND, Nanos


class Clock(Protocol):
    """Where instants and spans come from."""

    def now(self) -> Nanos:
        """The wall clock, nanoseconds UTC. It may be set back; never measure a span with it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary origin; never goes back."""

    def advance(self, instant: Nanos) -> None:
        """A trusted source has given the time. Only a clock that follows others uses it."""


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)

    def advance(self, instant: Nanos) -> None:
        """The machine keeps its own time."""


class VirtualClock:
    """A clock that moves only when its runtime moves it; `monotonic` counts the seconds since the start."""

    __slots__ = ("_start", "seconds")

    def __init__(self, start: Nanos = 0) -> None:
        self._start = start
        self.seconds = 0.0

    def now(self) -> Nanos:
        return self._start + round(self.seconds * SECOND)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, instant: Nanos) -> None:
        """Only the runtime moves virtual time."""

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock ahead, or back where `seconds` is below 0; no span notices."""
        self._start += round(seconds * SECOND)

    def set(self, seconds: float) -> None:
        """Go to `seconds` after the start."""
        if seconds < self.seconds:
            raise ValueError(f"virtual time is at {self.seconds} s and cannot go back to {seconds} s")
        self.seconds = seconds


class FollowedClock:
    """A clock for replays: `now` is the last instant given, the machine's before the first one.

    `monotonic` stays the machine's, so that deadlines and timers keep their meaning.
    """

    def __init__(self, now: Nanos | None = None) -> None:
        self._now = now
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["FollowedClock"], tuple[Nanos | None]]:
        """A process of its own goes on from the same instant; the lock stays here."""
        return FollowedClock, (self._now,)

    def now(self) -> Nanos:
        return time.time_ns() if (now := self._now) is None else now

    def monotonic(self) -> float:
        return time.monotonic()

    def advance(self, instant: Nanos) -> None:
        """Go to `instant`; an earlier one than the last is ignored, because time never goes back."""
        with self._lock:
            if self._now is None or instant > self._now:
                self._now = instant
