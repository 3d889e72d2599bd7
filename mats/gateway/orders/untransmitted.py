"""Orders that wait to be transmitted."""

from mats.gateway.protocol import PlaceOrder

MOST = 1000
"""Orders of one client that may wait to be transmitted."""


class UntransmittedOrders:
    """Requests with `transmit` off, by client id and order id, in the order of their arrival."""

    def __init__(self) -> None:
        self._requests: dict[int, dict[int, PlaceOrder]] = {}

    def __contains__(self, key: tuple[int, int]) -> bool:
        return key[1] in self._requests.get(key[0], {})

    def full(self, client_id: int) -> bool:
        """Whether the client has as many orders waiting as it may."""
        return len(self._requests.get(client_id, {})) >= MOST

    def put(self, client_id: int, request: PlaceOrder) -> None:
        self._requests.setdefault(client_id, {})[request.order_id] = request

    def drop(self, client_id: int, order_id: int) -> bool:
        """Forgets a request; False where there is none."""
        mine = self._requests.get(client_id, {})
        known = mine.pop(order_id, None) is not None
        if known and not mine:
            del self._requests[client_id]
        return known

    def family(self, client_id: int, request: PlaceOrder) -> list[PlaceOrder]:
        """Takes out what goes to the exchange together with a request: its parent, then that one's other children."""
        mine = self._requests.get(client_id, {})
        taken = [
            parked
            for parked in mine.values()
            if request.parent_id
            and parked.order_id != request.order_id
            and request.parent_id in (parked.order_id, parked.parent_id)
        ]
        for parked in (*taken, request):
            self.drop(client_id, parked.order_id)
        return sorted(taken, key=lambda parked: parked.parent_id != 0)

    def clear(self) -> None:
        self._requests.clear()
