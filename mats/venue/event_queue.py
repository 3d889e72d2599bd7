"""Scheduled events of the venue: arrivals of messages, session changes, order expiries."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count

from mats.model import Nanos


class Rank(IntEnum):
    """The order of events at the same instant."""

    ARRIVAL = 0
    SESSION = 1
    EXPIRY = 2


class EventQueue:
    """Callbacks by time, then rank, then the order in which they were scheduled."""

    def __init__(self) -> None:
        self._entries: list[tuple[Nanos, Rank, int, Callable[[Nanos], None]]] = []
        self._numbers = count()

    def schedule(self, instant: Nanos, rank: Rank, act: Callable[[Nanos], None]) -> None:
        """Schedules `act`, which is called with the instant when it is due."""
        heappush(self._entries, (instant, rank, next(self._numbers), act))

    def pop_due(self, now: Nanos) -> Iterator[tuple[Nanos, Callable[[Nanos], None]]]:
        """Removes and yields what is due, one by one, including what is scheduled meanwhile and due."""
        while self._entries and self._entries[0][0] <= now:
            instant, _, _, act = heappop(self._entries)
            yield instant, act
