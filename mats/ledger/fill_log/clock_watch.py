"""Notices executions that the broker has stamped ahead of our clock, so that a person can tell which clock is wrong."""

from collections.abc import Iterable

from mats.model import MINUTE, SECOND, Entry, FillCorrected, FillRecorded, Nanos

TOLERANCE = MINUTE
"""Clocks that agree this well are as good as equal."""

REPEAT_FACTOR = 10
"""What was said once is said again when it is so many times as much."""


class ClockWatch:
    """The executions so far that were ahead of the clock when they were booked."""

    def __init__(self) -> None:
        self._count = 0
        self._largest: Nanos = 0
        self._said: Nanos = 0

    @property
    def text(self) -> str:
        """What a status says; empty while every execution was in the past."""
        if not self._count:
            return ""
        return f"{self._count} executions were stamped ahead of this machine's clock, the worst by {self._amount}"

    def look(self, entries: Iterable[Entry]) -> str:
        """A sentence for the log where one of the entries is further ahead than what was said before, else empty."""
        for entry in entries:
            if isinstance(entry, FillRecorded | FillCorrected) and entry.execution.time - entry.recorded > TOLERANCE:
                self._count += 1
                self._largest = max(self._largest, entry.execution.time - entry.recorded)
        if self._largest < max(TOLERANCE, REPEAT_FACTOR * self._said):
            return ""
        self._said = self._largest
        return (
            f"an execution is stamped {self._amount} ahead of this machine's clock; it counts as executed when it was"
            " booked. Compare the clocks of this machine and of the gateway, and its time zone"
        )

    @property
    def _amount(self) -> str:
        return f"{self._largest / SECOND:,.0f} s"
