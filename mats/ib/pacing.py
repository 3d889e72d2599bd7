"""Pacing: never more messages a second than IB allows, and orders before data.

IB accepts 50 messages a second from a client, then rejects or silently delays (IB's TWS API documentation, "Pacing").
A token bucket of `burst` tokens filled at `rate` lets at most `burst + rate` messages into any one second.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import msgspec

from mats.ib.errors import ConnectionLostError, QueueFull
from mats.ib.events import Unsent

MIN_WAIT_SECONDS = 0.001
"""Seconds; a token missed by a rounding error must not make a timer spin."""


class SendLane(StrEnum):
    """Priority: orders, snapshots and heartbeats overtake every waiting request for data."""

    URGENT = "URGENT"
    DATA = "DATA"


class Outgoing(msgspec.Struct, frozen=True):
    """A waiting message: the function that writes it, and what it does to which order, if it concerns one."""

    send: Callable[[], None]
    order: Unsent | None = None


class Pacer:
    """A token bucket with two bounded lanes; the last `reserve` tokens are for urgent messages only.

    `clock` gives monotonic seconds. The defaults allow 48 messages in any second, under IB's limit of 50.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        rate: float = 40.0,
        burst: float = 8.0,
        reserve: float = 2.0,
        capacity: int = 10_000,
    ) -> None:
        if rate <= 0 or burst < reserve + 1:
            raise ValueError(f"rate {rate} must be positive and burst {burst} at least reserve {reserve} + 1")
        self._clock = clock
        self._rate, self._burst, self._reserve, self._capacity = rate, burst, reserve, capacity
        self._tokens, self._filled_at = burst, clock()
        self._lanes: dict[SendLane, deque[Outgoing]] = {lane: deque() for lane in SendLane}

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def put(self, lane: SendLane, message: Outgoing) -> None:
        """Queue a message; `QueueFull` if its lane holds `capacity` already."""
        queue = self._lanes[lane]
        if len(queue) >= self._capacity:
            raise QueueFull(f"{len(queue)} messages already wait in lane {lane}; request less or wait")
        queue.append(message)

    def take(self) -> Outgoing | None:
        """The next message that may be sent now, or None."""
        self._fill()
        for lane, queue in self._lanes.items():
            if queue and self._tokens >= self._price(lane):
                self._tokens -= 1
                return queue.popleft()
        return None

    def delay(self) -> float | None:
        """Seconds until `take` gives a message; None if nothing waits."""
        self._fill()
        waits = [self._price(lane) - self._tokens for lane, queue in self._lanes.items() if queue]
        return max(MIN_WAIT_SECONDS, min(waits) / self._rate) if waits else None

    def clear(self) -> tuple[Unsent, ...]:
        """Drop all waiting messages; returns the order messages among them, in their order."""
        unsent = tuple(message.order for message in self._lanes[SendLane.URGENT] if message.order)
        for queue in self._lanes.values():
            queue.clear()
        return unsent

    def _price(self, lane: SendLane) -> float:
        return 1.0 if lane is SendLane.URGENT else 1.0 + self._reserve

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now


class PacedSender:
    """Sends paced messages on the running loop. Closed until `open`; after `close` it never opens again."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._closed_because = "it is not connected yet"
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._closed_because = ""

    @property
    def is_open(self) -> bool:
        return not self._closed_because

    def send(self, lane: SendLane, send: Callable[[], None], order: Unsent | None = None) -> None:
        """Send now, or as soon as the limit allows.

        Raises `ConnectionLostError` if the connection is closed, `QueueFull` if too many wait.
        """
        if self._closed_because:
            raise ConnectionLostError(f"nothing can be sent: {self._closed_because}")
        self._pacer.put(lane, Outgoing(send, order))
        if self._timer is None or lane is SendLane.URGENT:
            self._pump()

    def close(self, reason: str) -> tuple[Unsent, ...]:
        """Close for good; returns the order messages that were still waiting."""
        self._closed_because = reason
        if self._timer:
            self._timer.cancel()
        return self._pacer.clear()

    def _pump(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        while message := self._pacer.take():
            message.send()
        delay = self._pacer.delay()
        if delay is not None and not self._closed_because:
            self._timer = asyncio.get_running_loop().call_later(delay, self._pump)
