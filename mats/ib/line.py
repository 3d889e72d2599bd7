"""The sending half of a session: every message passes the pacing limit on its way to the socket."""

import asyncio
from collections.abc import Callable

from mats.ib.errors import ConnectionLost
from mats.ib.events import Unsent
from mats.ib.pacing import Lane, Outgoing, Pacer


class Line:
    """A paced line on the running loop. Closed until `open`; after `cut` it never opens again."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._closed_because = "it is not connected yet"
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._closed_because = ""

    @property
    def is_open(self) -> bool:
        return not self._closed_because

    def send(self, lane: Lane, send: Callable[[], None], order: Unsent | None = None) -> None:
        """Send now, or as soon as the limit allows; `ConnectionLost` if the line is closed, `QueueFull` if too long."""
        if self._closed_because:
            raise ConnectionLost(f"nothing can be sent: {self._closed_because}")
        self._pacer.put(lane, Outgoing(send, order))
        if self._timer is None or lane is Lane.URGENT:
            self._pump()

    def cut(self, reason: str) -> tuple[Unsent, ...]:
        """Close for good; the order messages that were still waiting."""
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
