"""Brackets in a backtest: children wait for the fill of their parent, and end each other.

The rules are those of `mats.venue.matching.order_groups`, type 3: a child waits until its parent is filled completely;
where that ends before, it is released for what was filled, or ends with it. A part of a child's fill reduces the other
in proportion, a complete one ends it, and so does its cancel.
"""

from collections.abc import Iterator
from decimal import Decimal

from mats.backtest.engine.bar_order import BarOrder
from mats.model import InstrumentId, IntentId
from mats.venue.matching import reduced_quantity

ENDED_WITH = "another order of its group was filled"
CANCELLED_WITH = "another order of its group was cancelled"
PARENT_ENDED = "its parent has ended"


class Brackets:
    """The children of brackets that have not ended, by the intent of their parent."""

    def __init__(self) -> None:
        self._children: dict[IntentId, list[BarOrder]] = {}
        self._waiting: set[IntentId] = set()
        """The parents that have not let their children go."""

    def __bool__(self) -> bool:
        return bool(self._children)

    def hold(self, child: BarOrder, parent: BarOrder | None) -> bool:
        """Take a child that has arrived; whether it has to wait. None: its parent works no more."""
        name = child.origin.parent
        self._children.setdefault(name, []).append(child)
        if parent is not None:
            self._waiting.add(name)
        return parent is not None

    def waiting(self, instrument: InstrumentId) -> list[BarOrder]:
        """The children that are not at the market yet."""
        held = (child for name in self._waiting for child in self._children[name])
        return [child for child in held if child.instrument.id == instrument]

    def released_by(self, parent: BarOrder) -> list[BarOrder]:
        """The children that go to the market now that their parent is over."""
        name = parent.origin.intent_id
        if name not in self._waiting:
            return []
        self._waiting.discard(name)
        return list(self._children.get(name, ()))

    def others(self, child: BarOrder) -> Iterator[BarOrder]:
        """The other children of the same parent."""
        return (other for other in self._children.get(child.origin.parent, ()) if other is not child)

    def forget(self, child: BarOrder) -> None:
        """A child has ended."""
        siblings = self._children.get(child.origin.parent, [])
        if child in siblings:
            siblings.remove(child)
        if not siblings:
            self._children.pop(child.origin.parent, None)
            self._waiting.discard(child.origin.parent)


def left_of(other: BarOrder, filled: BarOrder, quantity: Decimal) -> Decimal:
    """The quantity of an order after so much of another of its group was filled."""
    left = filled.remaining
    return reduced_quantity(other, left, left + quantity, other.instrument.size_increment)
