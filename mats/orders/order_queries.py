"""Which orders the broker must be asked about, and how often one connection may be asked."""

from collections.abc import Container, Iterable

from mats.model import IntentId, OrderState, OrderView
from mats.orders.registry import Order

ANSWER_SECONDS = 10.0
"""How long an order or a cancel may stay unanswered before the broker is asked about it."""
PAUSE_SECONDS = 5.0
"""Least time between two questions to one connection."""


class OrderQueries:
    """Open questions, by order. A question to a connection is about all of its orders at once."""

    def __init__(self) -> None:
        self._open: dict[IntentId, int] = {}
        self._asked: dict[int, float] = {}

    def ask(self, view: OrderView) -> None:
        """The broker's word about this order is missing or contradicts what is known."""
        self._open[view.intent_id] = view.client_id

    def answered(self, view: OrderView) -> None:
        """What was asked for has come."""
        self._open.pop(view.intent_id, None)

    def review(self, orders: Iterable[Order], now: float) -> None:
        """Ask about every order that is unknown, or waits for its answer for too long; `now` in monotonic seconds."""
        for order in orders:
            waits = order.view.state in (OrderState.SENT, OrderState.CANCELLING)
            if order.view.state is OrderState.UNKNOWN or (waits and now - order.waits_since > ANSWER_SECONDS):
                self.ask(order.view)

    def take_due(self, reachable: Container[int], now: float) -> list[int]:
        """The client ids whose connection is to be asked now; their questions count as asked."""
        due = [
            client
            for client in sorted(set(self._open.values()))
            if client in reachable and now - self._asked.get(client, -PAUSE_SECONDS) >= PAUSE_SECONDS
        ]
        self._asked |= dict.fromkeys(due, now)
        self._open = {intent: client for intent, client in self._open.items() if client not in due}
        return due
