"""Orders the events of an order: its fills first, then the status that counts them."""

from decimal import Decimal

from mats.model import ZERO, FillRecorded, IntentId, OrderView


class OrderGate:
    """Holds a status back until the fills that it counts have been seen.

    Statuses and fills come from different actors; a strategy that saw FILLED before its position changed would trade
    twice. Orders that were open when the strategy started are exempt, because their earlier fills are not repeated.
    """

    def __init__(self) -> None:
        self._filled: dict[IntentId, Decimal] = {}
        self._held: dict[IntentId, OrderView] = {}
        self._exempt: set[IntentId] = set()

    def exempt(self, intent_ids: set[IntentId]) -> None:
        """Never hold back a status of these orders."""
        self._exempt |= intent_ids

    def fill(self, fill: FillRecorded) -> OrderView | None:
        """Count a fill; the status that waited for it, if one did."""
        intent_id = fill.intent_id
        self._filled[intent_id] = self._filled.get(intent_id, ZERO) + fill.execution.quantity
        held = self._held.get(intent_id)
        return None if held is None else self.status(held)

    def status(self, order: OrderView) -> OrderView | None:
        """The status if it may pass now, else None; a newer status replaces one that waits."""
        intent_id = order.intent_id
        if intent_id not in self._exempt and order.filled > self._filled.get(intent_id, ZERO):
            self._held[intent_id] = order
            return None
        self._held.pop(intent_id, None)
        if order.state.final:
            self._filled.pop(intent_id, None)
            self._exempt.discard(intent_id)
        return order

    def release_all(self) -> tuple[OrderView, ...]:
        """All statuses that wait, released: their fills will not come one by one any more."""
        held = tuple(self._held.values())
        self._held.clear()
        for order in held:
            self._filled.pop(order.intent_id, None)
        self._exempt |= {order.intent_id for order in held if not order.state.final}
        return held
