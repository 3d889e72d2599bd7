"""Orders in the order in which the market reaches them: by price, then by time."""

from bisect import bisect_left, insort
from decimal import Decimal

from mats.venue.orders import Order


class Ladder:
    """Orders by `reach`, the highest first, and by priority where they reach equally far.

    The first is last in the list, where it is cheap to take out; finding a place takes a binary search.
    """

    def __init__(self) -> None:
        self._rungs: list[tuple[Decimal, int, Order]] = []

    def __len__(self) -> int:
        return len(self._rungs)

    def add(self, reach: Decimal, order: Order) -> None:
        insort(self._rungs, (reach, -order.priority, order))

    def remove(self, reach: Decimal, priority: int) -> None:
        """Takes out the order that was added with this reach and priority."""
        del self._rungs[bisect_left(self._rungs, (reach, -priority))]

    def first(self, bound: Decimal) -> Order | None:
        """The first in line, where it reaches as far as `bound`."""
        return self._rungs[-1][2] if self._rungs and self._rungs[-1][0] >= bound else None
