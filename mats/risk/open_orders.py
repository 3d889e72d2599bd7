"""Orders that can still fill, as far as they are known: approved and no more, as they were told, or as they are."""

from decimal import Decimal
from typing import Protocol

from mats.model import CONDITIONAL, OrderIntent, OrderState, OrderTicket, OrderView, Side, StrategyName


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
    """Whether it waits for a price and was not made for a target: it protects a position."""
    return order.ticket.order_type in CONDITIONAL and not order.of_target
