"""Strategy time: the time of the data, carried on between bars by the host's clock."""

from mats.model import MINUTE, Nanos

MAX_CLOCK_LEAD: Nanos = MINUTE
"""A host's clock further ahead of the first bar than this means that old data is being replayed."""


class StrategyClock:
    """Reads the host's clock in the data's time.

    The newest bar's end is the time; what passes on the host's clock since that bar came is added. So a replay of old
    data keeps the data's own time, and live data and the host agree up to the bar's delay. Until the first bar the
    time is the host's.
    """

    def __init__(self) -> None:
        self._end: Nanos | None = None
        self._came: Nanos = 0

    def mark(self, end: Nanos, host: Nanos) -> None:
        """A bar that ends at `end` came when the host's clock read `host`."""
        if self._end is None or end > self._end:
            self._end, self._came = end, host

    def read(self, host: Nanos) -> Nanos:
        """The data's time when the host's clock reads `host`."""
        return host if self._end is None else self._end + max(host - self._came, 0)

    def is_replay(self, time: Nanos | None, end: Nanos) -> bool:
        """Whether a first bar that ends at `end` is so old, at `time` of the host's clock, that it is a replay."""
        return self._end is None and time is not None and time - end > MAX_CLOCK_LEAD
