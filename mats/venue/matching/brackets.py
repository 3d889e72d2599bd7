"""Brackets over orders of any kind, as a backtest has them: children wait for their parent, and end each other.

The rules are those of `order_groups`, type 3: a child waits until its parent is filled completely; where that ends
before, it is released for what was filled, or ends with it. A part of a child's fill reduces the other in proportion,
a complete one ends it, and so does its cancel.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from mats.model import Instrument, InstrumentId, IntentId
from mats.venue.matching.order_groups import reduced_quantity


class BracketOrder(Protocol):
    """An order of a bracket; `parent` is empty for the entry."""

    @property
    def intent_id(self) -> IntentId: ...
    @property
    def parent(self) -> IntentId: ...
    @property
    def instrument(self) -> Instrument: ...
    @property
    def filled(self) -> Decimal: ...
    @property
    def remaining(self) -> Decimal: ...


Order = TypeVar("Order", bound=BracketOrder)


class Brackets(Generic[Order]):
    """The children of brackets that have not ended, by the intent of their parent."""

    def __init__(self) -> None:
        self._children: dict[IntentId, list[Order]] = {}
        self._waiting: dict[IntentId, None] = {}
        """The parents that have not let their children go."""

    def __bool__(self) -> bool:
        return bool(self._children)

    def hold(self, child: Order, parent: Order | None) -> bool:
        """Take a child that has arrived; whether it has to wait. None: its parent works no more."""
        self._children.setdefault(child.parent, []).append(child)
        if parent is not None:
            self._waiting[child.parent] = None
        return parent is not None

    def waiting(self, instrument: InstrumentId) -> list[Order]:
        """The children that are not at the market yet."""
        held = (child for name in self._waiting for child in self._children[name])
        return [child for child in held if child.instrument.id == instrument]

    def released_by(self, parent: Order) -> list[Order]:
        """The children that go to the market now that their parent is over."""
        if parent.intent_id not in self._waiting:
            return []
        del self._waiting[parent.intent_id]
        return list(self._children.get(parent.intent_id, ()))

    def others(self, child: Order) -> Iterator[Order]:
        """The other children of the same parent."""
        return (other for other in self._children.get(child.parent, ()) if other is not child)

    def forget(self, child: Order) -> None:
        """A child has ended."""
        siblings = self._children.get(child.parent, [])
        if child in siblings:
            siblings.remove(child)
        if not siblings:
            self._children.pop(child.parent, None)
            self._waiting.pop(child.parent, None)


def quantity_left(other: Order, filled: Order, quantity: Decimal) -> Decimal:
    """The quantity of an order after so much of another of its group was filled."""
    left = filled.remaining
    return reduced_quantity(other, left, left + quantity, other.instrument.size_increment)
