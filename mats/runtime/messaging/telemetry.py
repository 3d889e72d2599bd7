"""How long messages wait and take, by actor and message class: a few integers each, read by the status."""

from collections import Counter

import msgspec

MAX_CLASSES = 64
"""So many message classes of an actor are told apart; the others are one."""
OTHERS = "others"
BATCH = 128
"""In a backlog, one message of so many of a class is timed. One that finds its actor idle is timed always."""
RATE_SECONDS = 10.0
"""A rate is of the time since a reading that is at least so old, if there was one."""
NANOS = 1e9


class MessageStats(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of class `message` at the actor `name`, over all its incarnations.

    `count`: all that were handed to it; `per_second` of late; `depth` of them wait now. Nanoseconds are sums and maxima
    over the `timed` ones: from sent to handed over, and in the handler (of an actor in a process: until it is done).
    """

    name: str
    message: str
    count: int
    per_second: float
    depth: int
    timed: int
    queue_ns: int
    queue_max_ns: int
    handling_ns: int
    handling_max_ns: int


class Meter:
    """The counters of one message class at one actor, written by that actor alone.

    `left` is counted down for each message, and the one that makes it 0 is timed: a batch costs as little as that.
    """

    __slots__ = ("_batch", "_before", "_marks", "handling", "handling_max", "left", "queue", "queue_max", "timed")

    def __init__(self, since: float) -> None:
        self._before = self._batch = self.left = 0
        self.timed = 0
        self.queue = self.queue_max = self.handling = self.handling_max = 0
        self._marks = ((since, 0), (since, 0))

    @property
    def count(self) -> int:
        """All messages so far; read by another thread in mid-step, it may be one batch behind."""
        return self._before + self._batch - self.left

    def time_next(self) -> None:
        """The next message is timed."""
        self._before, self._batch, self.left = self.count, 1, 1

    def begin_batch(self) -> None:
        """`left` is 0: that many are counted, and so many more come before one is timed."""
        self._before, self._batch, self.left = self.count, BATCH, BATCH

    def add(self, sent: float, begun: float, ended: float) -> None:
        """One message more was timed; monotonic seconds."""
        queue, handling = int((begun - sent) * NANOS), int((ended - begun) * NANOS)
        self.timed += 1
        self.queue += queue
        self.handling += handling
        if queue > self.queue_max:
            self.queue_max = queue
        if handling > self.handling_max:
            self.handling_max = handling

    def per_second(self, now: float) -> float:
        """Since the older of the last two readings that are apart, so of at least `RATE_SECONDS` where they are."""
        (since, before), newer = self._marks
        count = self.count
        if now - newer[0] >= RATE_SECONDS:
            self._marks = (newer, (now, count))
        return (count - before) / (now - since) if now > since else 0.0


class Telemetry:
    """The meters of one name."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}

    def meter(self, kind: type, now: float) -> Meter:
        """The meter of a message class; made when it is first needed, at `now` (monotonic seconds)."""
        name = kind.__name__ if kind.__name__ in self._meters or len(self._meters) < MAX_CLASSES else OTHERS
        meter = self._meters.get(name)
        if meter is None:
            meter = self._meters[name] = Meter(now)
        return meter

    def read(self, name: str, waiting: Counter[str], now: float) -> list[MessageStats]:
        """All meters, by message class; `waiting` counts what is in the mailbox."""
        meters = self._meters.copy()
        lines = []
        for message in sorted({*meters, *waiting}):
            meter = meters.get(message) or Meter(now)
            lines.append(
                MessageStats(
                    name=name,
                    message=message,
                    count=meter.count,
                    per_second=meter.per_second(now),
                    depth=waiting[message],
                    timed=meter.timed,
                    queue_ns=meter.queue,
                    queue_max_ns=meter.queue_max,
                    handling_ns=meter.handling,
                    handling_max_ns=meter.handling_max,
                )
            )
        return lines
