"""IB's limits on requests for the past: bars of up to 30 seconds, ticks, and head time stamps.

Source: IB's TWS API documentation, "Pacing violations for small bars": no identical request within 15 seconds, fewer
than six for the same contract, exchange and kind of price within two seconds, at most 60 within ten minutes; bars of
BID_ASK count twice.
"""

from collections import deque
from collections.abc import Callable, Hashable

IDENTICAL_SECONDS = 15.0
BURST, BURST_SECONDS = 5, 2.0
MOST, MOST_SECONDS = 60, 600.0

VIOLATION = "Historical Market Data Service error message:Historical data request pacing violation"


class HistoricalPacing:
    """The three windows, over all clients; `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, Hashable, Hashable]] = deque()

    def admit(self, series: Hashable, request: Hashable, weight: int = 1) -> bool:
        """Counts a request about a series; False, and not counted, where it violates a limit."""
        now = self._clock()
        while self._seen and self._seen[0][0] <= now - MOST_SECONDS:
            self._seen.popleft()
        identical = any(at > now - IDENTICAL_SECONDS and same == request for at, _, same in self._seen)
        burst = sum(at > now - BURST_SECONDS and of == series for at, of, _ in self._seen)
        if identical or burst + weight > BURST or len(self._seen) + weight > MOST:
            return False
        self._seen.extend([(now, series, request)] * weight)
        return True
