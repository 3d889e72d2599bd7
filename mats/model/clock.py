"""Time as everything reads it: an instant in UTC, and seconds for spans."""

from typing import Protocol

from mats.model.timestamp import Nanos


class Clock(Protocol):
    """Where instants and spans come from. Whoever needs either is given one, so that tests and replays turn it."""

    def now(self) -> Nanos:
        """The wall clock, nanoseconds UTC. It may be set back; never measure a span with it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary origin; never goes back."""
