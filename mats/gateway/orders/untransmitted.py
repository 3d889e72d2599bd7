"""Orders held because their `transmit` is off."""

from mats.gateway.protocol import PlaceOrder

MAX_UNTRANSMITTED = 1000
"""Maximum number of untransmitted orders of one client."""


class UntransmittedOrders:
    """Requests with `transmit` off, by client id and order id, in the order of their arrival."""

    def __init__(self) -> None:
        self._requests: dict[int, dict[int, PlaceOrder]] = {}

    def __contains__(self, key: tuple[int, int]) -> bool:
        return key[1] in self._requests.get(key[0], {})

    def is_full(self, client_id: int) -> bool:
        """Whether the client has reached the maximum."""
        return len(self._requests.get(client_id, {})) >= MAX_UNTRANSMITTED

    def add(self, client_id: int, request: PlaceOrder) -> None:
        self._requests.setdefault(client_id, {})[request.order_id] = request

    def remove(self, client_id: int, order_id: int) -> bool:
        """Drops a request; False if there is none."""
        requests = self._requests.get(client_id, {})
        known = requests.pop(order_id, None) is not None
        if known and not requests:
            del self._requests[client_id]
        return known

    def pop_family(self, client_id: int, request: PlaceOrder) -> list[PlaceOrder]:
        """Removes and returns what is transmitted with a request: its parent, then the parent's other children."""
        requests = self._requests.get(client_id, {})
        taken = [
            waiting
            for waiting in requests.values()
            if request.parent_id
            and waiting.order_id != request.order_id
            and request.parent_id in (waiting.order_id, waiting.parent_id)
        ]
        for waiting in (*taken, request):
            self.remove(client_id, waiting.order_id)
        return sorted(taken, key=lambda waiting: waiting.parent_id != 0)

    def clear(self) -> None:
        self._requests.clear()
