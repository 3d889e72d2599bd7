"""Dependent orders: one-cancels-all groups, and parents with their children.

A group is named by the client within an account. Its type says what a fill does to the others: 1 cancels them, 2 and 3
reduce them in proportion. At IB 1 and 2 also keep all but one order of the group from the exchange, so that two cannot
fill simultaneously; here fills are sequential, so that 2 and 3 are the same. A complete fill always cancels the others,
and so does the cancel of a member. Source: IB's documentation of one-cancels-all orders.

A child waits until its parent is filled completely. If that ends before, the child is released for the quantity that
was filled, or ends with it where nothing was. Children of one parent without a group form one of type 3, named by the
parent's permanent id. Source: live answers of a gateway to a bracket.
"""

from decimal import Decimal
from typing import Protocol, TypeVar

from mats.model import AccountId, floor_to
from mats.venue.matching.orders import VenueOrder

K = TypeVar("K")

Group = tuple[AccountId, str]
Key = tuple[int, int]
"""Client id and order id."""

ENDED_WITH = "another order of its group was filled"
CANCELLED_WITH = "another order of its group was cancelled"
PARENT_ENDED = "its parent ended without a fill"
"""Why an order of a group or a family has ended."""

CANCEL_OTHERS = 1
CHILD = "child"


class OrderGroups:
    """Groups and families of the working orders."""

    def __init__(self) -> None:
        self._members: dict[Group, dict[int, VenueOrder]] = {}
        self._children: dict[Key, dict[int, VenueOrder]] = {}
        self._filled: set[Group] = set()

    def add(self, order: VenueOrder) -> None:
        """Adds an order to its group and its family."""
        if order.parent_id:
            self._children.setdefault((order.client_id, order.parent_id), {})[order.perm_id] = order
            order.oca_group = order.oca_group or str(order.parent_perm_id)
        if order.oca_group:
            self._members.setdefault(_group(order), {})[order.perm_id] = order

    def remove(self, order: VenueOrder) -> None:
        """Removes an order that no longer works."""
        _remove(self._members, _group(order), order)
        _remove(self._children, (order.client_id, order.parent_id), order)

    def mark_filled(self, order: VenueOrder) -> None:
        """Marks the group of a filled order: no further order may join it in this session."""
        if order.oca_group and not order.parent_id:
            self._filled.add(_group(order))

    def is_filled(self, account: AccountId, name: str) -> bool:
        return (account, name) in self._filled

    def clear_filled(self) -> None:
        self._filled.clear()

    def others(self, order: VenueOrder) -> list[VenueOrder]:
        """The other members of the order's group."""
        members = self._members.get(_group(order), {}) if order.oca_group else {}
        return [other for other in members.values() if other is not order]

    def waiting_children(self, order: VenueOrder) -> list[VenueOrder]:
        children = self._children.get((order.client_id, order.order_id), {})
        return [child for child in children.values() if child.awaits == CHILD]

    def released_at_end(self, parent: VenueOrder) -> list[VenueOrder]:
        """The waiting children of a parent that ended early, reduced to what it has filled; none without a fill."""
        children = self.waiting_children(parent) if parent.filled else []
        for child in children:
            child.quantity = min(child.quantity, parent.filled)
        return children


class PartlyFilled(Protocol):
    """An order, as far as its reduction needs it."""

    @property
    def filled(self) -> Decimal: ...
    @property
    def remaining(self) -> Decimal: ...


def reduced_quantity(order: PartlyFilled, left: Decimal, before: Decimal, step: Decimal) -> Decimal:
    """The order's quantity after its remainder is reduced in proportion `left` / `before`, in whole steps."""
    return order.filled + floor_to(order.remaining * left / before, step)


def _group(order: VenueOrder) -> Group:
    return order.account, order.oca_group


def _remove(table: dict[K, dict[int, VenueOrder]], key: K, order: VenueOrder) -> None:
    members = table.get(key)
    if members and members.pop(order.perm_id, None) and not members:
        del table[key]
