"""Where the venue reads the time: the system's clock, or the time of the data that is being replayed."""

import time
from typing import Protocol

from mats.model.timestamp import Nanos


class Clock(Protocol):
    def now(self) -> Nanos:
        """The present instant; never less than any instant it returned before."""


class SystemClock:
    """Wall time, held still where the system's clock steps back."""

    def __init__(self) -> None:
        self._latest: Nanos = 0

    def now(self) -> Nanos:
        self._latest = max(self._latest, time.time_ns())
        return self._latest


class DataClock:
    """The time of the data: it stands still until the replay moves it on."""

    def __init__(self, start: Nanos) -> None:
        self._now = start

    def now(self) -> Nanos:
        return self._now

    def advance(self, instant: Nanos) -> None:
        """Moves on to `instant`; an earlier one changes nothing."""
        self._now = max(self._now, instant)
