"""Orders that can still fill, as far as they are known: approved and no more, as they were told, or as they are."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from mats.model import CONDITIONAL, ZERO, IntentId, OrderIntent, OrderState, OrderTicket, OrderView, Side, StrategyName


class OrderInProgress(Protocol):
    """An order that its owner changes in place; what remains of it is always current."""

    @property
    def strategy(self) -> StrategyName: ...
    @property
    def side(self) -> Side: ...
    @property
    def ticket(self) -> OrderTicket: ...
    @property
    def state(self) -> OrderState: ...
    @property
    def of_target(self) -> bool: ...
    @property
    def reduce_only(self) -> bool: ...
    @property
    def parent(self) -> IntentId: ...
    @property
    def filled(self) -> Decimal: ...
    @property
    def remaining(self) -> Decimal: ...
    def view(self) -> OrderView: ...


KnownOrder = OrderIntent | OrderView | OrderInProgress
"""An order by the newest that is known of it."""


def remaining(order: KnownOrder) -> Decimal:
    """What of an order can still fill."""
    return order.quantity if isinstance(order, OrderIntent) else order.remaining


def is_cancelling(order: KnownOrder) -> bool:
    """Whether its cancel is known to have been sent."""
    return not isinstance(order, OrderIntent) and order.state is OrderState.CANCELLING


def is_conditional(order: KnownOrder) -> bool:
    """Whether it waits for a price, or for its parent, and was not made for a target: it protects a position."""
    return bool(order.parent) or (order.ticket.order_type in CONDITIONAL and not order.of_target)


class Families:
    """How much the children of brackets can still add: those of one parent end each other, so the largest counts.

    While their parent works they can close no more than it has filled.
    """

    def __init__(self, orders: Mapping[IntentId, KnownOrder]) -> None:
        self._orders = orders
        self._counted: dict[IntentId, Decimal] = {}

    def adds(self, child: KnownOrder, left: Decimal) -> Decimal:
        """What a child with so much left adds to those of its parent that were counted before."""
        parent, counted = self._orders.get(child.parent), self._counted.get(child.parent, ZERO)
        if parent is not None:
            left = min(left, ZERO if isinstance(parent, OrderIntent) else parent.filled)
        self._counted[child.parent] = max(left, counted)
        return max(left - counted, ZERO)
