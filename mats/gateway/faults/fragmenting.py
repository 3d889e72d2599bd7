"""Writes frames in fragments."""

import asyncio
from collections import deque

from mats.venue import AlarmClock


class Fragmenter:
    """Writes to a socket `size` bytes at a time, `pause` seconds apart, in order."""

    def __init__(self, transport: asyncio.Transport, size: int, pause: float, clock: AlarmClock) -> None:
        self._transport, self._size, self._pause, self._clock = transport, max(1, size), pause, clock
        self._left: deque[bytes] = deque()

    def write(self, data: bytes) -> None:
        idle = not self._left
        self._left.extend(data[at : at + self._size] for at in range(0, len(data), self._size))
        if idle:
            self._next()

    def _next(self) -> None:
        if self._left and not self._transport.is_closing():
            self._transport.write(self._left[0])
            self._clock.call_later(self._pause, self._advance)

    def _advance(self) -> None:
        self._left.popleft()
        self._next()
