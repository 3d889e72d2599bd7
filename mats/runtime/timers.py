"""Timers: messages to oneself, later."""

import heapq
import math
from collections.abc import Callable
from threading import TIMEOUT_MAX, Condition, Thread

from mats.runtime.clock import Clock
from mats.runtime.containment import contain


class Timer:
    """A message for one incarnation. After `cancel` it is not delivered, even if it was already on its way.

    A cancelled timer may stay in the queue until it would have been due: it holds nothing of its actor.
    """

    __slots__ = ("cancelled", "cause", "deliver", "due", "interval", "message", "owner", "root", "waiting")

    def __init__(
        self,
        due: float,
        interval: float | None,
        message: object,
        deliver: Callable[["Timer"], None],
        owner: set["Timer"],
    ) -> None:
        self.due = due
        self.interval = interval
        self.message = message
        self.deliver = deliver
        self.owner = owner
        owner.add(self)
        self.cause = self.root = 0
        self.cancelled = self.waiting = False

    def cancel(self) -> None:
        self.cancelled = True
        self.owner.discard(self)
        self.deliver, self.message, self.owner = _nowhere, None, set()

    def fire(self, now: float) -> bool:
        """Deliver; whether to fire again. A tick of a periodic timer is skipped while the one before still waits."""
        if self.cancelled:
            return False
        if not self.waiting:
            self.waiting = True
            self.deliver(self)
        if self.interval is None:
            return False
        self.due += self.interval
        if self.due < now:
            # The machine slept: go on with the grid, do not make up for what was missed.
            self.due += math.ceil((now - self.due) / self.interval) * self.interval
        return True


def _nowhere(_timer: Timer) -> None:
    """Where a cancelled timer goes."""


FEW = 64
"""A queue of so many timers is not looked through for cancelled ones."""


def carried(message: object) -> object:
    """The message itself: a timer travels as the envelope of what it is to say."""
    return message.message if isinstance(message, Timer) else message


class TimerQueue:
    """Timers by due time, ties by order of arming. Not locked: its owner is.

    Cancelled ones leave when they are due, or when the queue has doubled since they were last looked for.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._next_look = FEW

    def add(self, timer: Timer) -> None:
        self._count += 1
        heapq.heappush(self._heap, (timer.due, self._count, timer))
        if len(self._heap) >= self._next_look:
            self._heap = [entry for entry in self._heap if not entry[2].cancelled]
            heapq.heapify(self._heap)
            self._next_look = max(FEW, 2 * len(self._heap))

    def next_due(self) -> float | None:
        """When the next timer that is not cancelled is due, in monotonic seconds."""
        while self._heap and self._heap[0][2].cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Timer:
        return heapq.heappop(self._heap)[2]

    def __len__(self) -> int:
        return len(self._heap)


class TimerThread:
    """Fires the timers of a thread runtime, all of them from one daemon thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue = TimerQueue()
        self._condition = Condition()
        self._thread: Thread | None = None
        self._stopped = False

    def add(self, timer: Timer) -> None:
        with self._condition:
            if self._thread is None and not self._stopped:
                thread = Thread(target=self._run, name="timers", daemon=True)
                thread.start()
                self._thread = thread
            self._queue.add(timer)
            self._condition.notify()

    def stop(self) -> None:
        """Fire nothing any more."""
        with self._condition:
            self._stopped = True
            self._condition.notify()

    def _run(self) -> None:
        while (timer := self._next()) is not None:
            contain("a timer failed", self._fire, timer)

    def _fire(self, timer: Timer) -> None:
        if timer.fire(self._clock.monotonic()):
            with self._condition:
                self._queue.add(timer)

    def _next(self) -> Timer | None:
        with self._condition:
            while not self._stopped:
                due = self._queue.next_due()
                now = self._clock.monotonic()
                if due is not None and due <= now:
                    return self._queue.pop()
                self._condition.wait(None if due is None else min(due - now, TIMEOUT_MAX))
        return None
