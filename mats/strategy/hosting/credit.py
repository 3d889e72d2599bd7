"""Credit: how many requests of one strategy may be under way at a service that it shares with others."""

from collections import deque
from collections.abc import Callable


class Credit:
    """At most `limit` requests are under way; each is handed back when the service has handled it.

    What is not handed back within `seconds` was lost with its service, and counts no more.
    """

    def __init__(self, limit: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._limit, self._seconds, self._monotonic = limit, seconds, monotonic
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Whether one more request may be sent; it is under way from now on."""
        now, taken = self._monotonic(), self._taken
        while taken and now - taken[0] >= self._seconds:
            taken.popleft()
        if len(taken) >= self._limit:
            return False
        taken.append(now)
        return True

    def hand_back(self) -> None:
        """The service has handled the oldest request."""
        if self._taken:
            self._taken.popleft()
