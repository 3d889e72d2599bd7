"""What is to happen at the venue at a known instant: arrivals, ends of sessions, ends of orders."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count

from mats.model import Nanos


class Rank(IntEnum):
    """What comes first of things at the same instant."""

    ARRIVAL = 0
    SESSION = 1
    EXPIRY = 2


class EventQueue:
    """Acts by time, then rank, then the order in which they were entered."""

    def __init__(self) -> None:
        self._entries: list[tuple[Nanos, Rank, int, Callable[[Nanos], None]]] = []
        self._numbers = count()

    def schedule(self, instant: Nanos, rank: Rank, act: Callable[[Nanos], None]) -> None:
        """Has `act` called with the instant when it has come."""
        heappush(self._entries, (instant, rank, next(self._numbers), act))

    def pop_due(self, now: Nanos) -> Iterator[tuple[Nanos, Callable[[Nanos], None]]]:
        """Takes out what is due, one by one; an act may enter others, which are given out too when they are due."""
        while self._entries and self._entries[0][0] <= now:
            instant, _, _, act = heappop(self._entries)
            yield instant, act
