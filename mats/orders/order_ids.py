"""Order ids of one client: handed out one by one, reserved in blocks, never twice."""

from collections.abc import Callable

RESERVED = 100
"""How many are reserved at once, so that most orders cost one durable write and not two."""


class OrderIds:
    """Ids from `first` on. `reserve` makes a mark durable; an id below the mark may have been used."""

    def __init__(self, first: int, reserve: Callable[[int], None]) -> None:
        self._next = self._reserved = first
        self._reserve = reserve

    def take(self) -> int:
        """The next one; it is reserved by then."""
        if self._next >= self._reserved:
            mark = self._next + RESERVED
            self._reserve(mark)
            self._reserved = mark
        self._next += 1
        return self._next - 1
