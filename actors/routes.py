"""The ways to the broker: one for each client id whose connection has merged the broker's complete answer."""

from functools import partial

import msgspec

from actors.messages.broker import AmendOrder, CancelOrder, Ready, Resync, SubmitOrder
from actors.messages.order_manager import RouteChanged
from mats.ledger.order_ids import OrderIds
from mats.ledger.orders import Order
from mats.model.orders import OrderIntent
from mats.runtime import Ref
from mats.store.journal import Journal


class Route(msgspec.Struct, frozen=True):
    """The way of one client id in one session. What is sent in a session is void in every other."""

    ref: Ref
    session: str
    ids: OrderIds

    def submit(self, order_id: int, intent: OrderIntent) -> None:
        self.ref.tell(SubmitOrder(session=self.session, order_id=order_id, intent=intent))

    def amend(self, order_id: int, wanted: OrderIntent) -> None:
        self.ref.tell(AmendOrder(session=self.session, order_id=order_id, intent=wanted))


class Routes:
    """Open routes by client id; each hands out order ids above all that the gateway or the journal has seen."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[int, Route] = {}

    def __contains__(self, client_id: object) -> bool:
        return client_id in self._open

    def get(self, client_id: int) -> Route | None:
        return self._open.get(client_id)

    def open(self, ready: Ready) -> bool:
        """Take a connection's session; False when it is the one that is open already."""
        client_id, known = ready.client_id, self._open.get(ready.client_id)
        if known is not None and known.session == ready.session:
            return False
        first = max(ready.next_order_id, self._journal.order_id_mark(client_id) + 1)
        ids = OrderIds(first, partial(self._journal.raise_order_id_mark, client_id))
        self._open[client_id] = Route(ready.ref, ready.session, ids)
        return True

    def tell(self, follower: Ref) -> None:
        """Name every open route."""
        for client_id in self._open:
            follower.tell(RouteChanged(client_id, True))

    def resync(self, client_id: int) -> None:
        """Ask the broker for everything about a client's orders, if there is a way."""
        if (route := self.get(client_id)) is not None:
            route.ref.tell(Resync())

    def close(self, client_id: int) -> None:
        """The connection is lost."""
        self._open.pop(client_id, None)

    def cancel(self, order: Order) -> None:
        """Send the cancel of an order; one that is not known in the open session is cancelled when it is."""
        route = self.get(order.view.client_id)
        if route and order.view.order_id and order.session == route.session:
            route.ref.tell(CancelOrder(session=route.session, order_id=order.view.order_id))
