"""Placeholders in the messages of faults: `$3`, `$id`, `$order` and `$perm`; and the order that they stand for."""

import re

from mats.gateway.faults.fault_matching import TrafficEvent
from mats.gateway.faults.fault_types import Text
from mats.gateway.orders import OrderStore
from mats.venue.matching import VenueOrder

PLACEHOLDER = re.compile(r"\$(\d+|id|order|perm)")

VERSIONED_REQUESTS = frozenset({1, 2, 4, 7, 9, 10, 11, 22, 23, 25, 50, 51, 62, 63, 76, 77})
"""Requests with a version field before their id."""

PLAIN_REQUESTS = frozenset({3, 20, 52, 54, 69, 78, 80, 81, 87, 90, 92, 93, 94, 95, 96, 97, 98})
"""Requests whose id is their first field."""

ORDER_ID_IN_REQUEST = {3: 1, 4: 2}
ORDER_ID_IN_MESSAGE = {3: 1, 5: 1, 11: 2}
"""The position of the order id, by number."""


class Placeholders:
    """What a fault's messages take from the request or message that it has matched."""

    def __init__(self, store: OrderStore) -> None:
        self._store = store

    def expand(self, field: Text, event: TrafficEvent) -> str:
        """A field with its placeholders replaced. Raises LookupError if there is no order to stand for."""
        return PLACEHOLDER.sub(lambda found: self._value(found[1], event), str(field))

    def request_id(self, event: TrafficEvent) -> str:
        """The id of a request, -1 if it has none; of a message, the id that it carries."""
        fields = event.fields
        if not event.incoming:
            return fields[ORDER_ID_IN_MESSAGE.get(int(fields[0]), 1)]
        number = int(fields[0]) if fields[0].isdigit() else 0
        at = 2 if number in VERSIONED_REQUESTS else 1 if number in PLAIN_REQUESTS else 0
        return fields[at] if 0 < at < len(fields) else "-1"

    def order_exists(self, event: TrafficEvent) -> bool:
        """Whether it refers to an existing order."""
        return self._named_order(event) is not None

    def order(self, client_id: int | None, event: TrafficEvent | None) -> VenueOrder:
        """The affected order: the one referred to, else the newest working one, else the newest. Raises LookupError."""
        named = self._named_order(event) if event else None
        if named:
            return named
        if event and client_id is None:
            client_id = event.session.client_id
        orders = [order for order in self._store.orders() if client_id in (None, order.client_id)]
        if not orders:
            raise LookupError("no order to act on")
        return max(orders, key=lambda order: (order.working, order.perm_id))

    def _named_order(self, event: TrafficEvent) -> VenueOrder | None:
        """The order that a request or a message refers to."""
        number = int(event.fields[0]) if event.fields[0].isdigit() else 0
        at = (ORDER_ID_IN_REQUEST if event.incoming else ORDER_ID_IN_MESSAGE).get(number)
        if at is None or at >= len(event.fields) or not event.fields[at].lstrip("-").isdigit():
            return None
        return self._store.order(event.session.client_id, int(event.fields[at]))

    def _value(self, name: str, event: TrafficEvent) -> str:
        match name:
            case "id":
                return self.request_id(event)
            case "order":
                return str(self.order(None, event).order_id)
            case "perm":
                return str(self.order(None, event).perm_id)
        return event.fields[int(name)] if int(name) < len(event.fields) else ""
