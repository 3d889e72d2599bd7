"""Validates orders against their account, the other orders and the venue."""

from mats.gateway.accounts import AccountService
from mats.gateway.orders import order_validation
from mats.gateway.orders.order_store import OrderStore
from mats.gateway.orders.order_validation import OrderRejection
from mats.gateway.orders.untransmitted import UntransmittedOrders
from mats.gateway.protocol import PlaceOrder, contract_messages
from mats.model import Clock, Instrument, SecType, Side
from mats.venue.markets import Universe
from mats.venue.matching import Exchange, VenueOrder
from mats.venue.models import VenueModels


class AccountValidation:
    """Checks an order against the state of the gateway; read-only. `fractions`: whether a share may be divided."""

    def __init__(
        self,
        clock: Clock,
        universe: Universe,
        exchange: Exchange,
        store: OrderStore,
        account_service: AccountService,
        models: VenueModels,
        untransmitted: UntransmittedOrders,
        *,
        fractions: bool,
    ) -> None:
        self._clock, self._universe, self._exchange = clock, universe, exchange
        self._store, self._account_service = store, account_service
        self._models, self._untransmitted, self._fractions = models, untransmitted, fractions

    def check_request(
        self, request: PlaceOrder, instrument: Instrument, known: VenueOrder | None, client_id: int
    ) -> OrderRejection | None:
        """Checks a request by itself, and against the order that it modifies, if any."""
        least = contract_messages.stated_sizes(instrument).increment if self._fractions else instrument.size_increment
        rejection = order_validation.check_terms(request, instrument, self._account_service.accounts, least)
        if rejection or request.what_if:
            return rejection
        if known:
            return order_validation.check_modification(request, known, instrument)
        parent = (client_id, request.parent_id)
        if request.parent_id and parent not in self._untransmitted and self._store.order(*parent) is None:
            return OrderRejection(10006, "Missing parent order.")
        if (client_id, request.order_id) in self._untransmitted:
            return None
        if not request.transmit and self._untransmitted.is_full(client_id):
            return OrderRejection(
                201, "Order rejected - reason:Too many untransmitted orders; transmit or cancel some."
            )
        return order_validation.check_new(request, self._store.next_order_id(client_id))

    def check_order(self, order: VenueOrder, instrument: Instrument) -> OrderRejection | None:
        """Checks a new order against the state of its account and of other orders."""
        account, model = self._account_service.accounts[order.account], self._models.margin
        if order.good_till and order.good_till <= self._clock.now():
            return OrderRejection(201, "Order rejected - reason:The good till date of this order has passed.")
        if order.parent_id:
            parent = self._store.order(order.client_id, order.parent_id)
            if parent is None or not (parent.working or parent.filled):
                return OrderRejection(201, "Order rejected - reason:Parent order is being cancelled.")
            return None
        if self._exchange.group_filled(order.account, order.oca_group):
            return OrderRejection(201, "Order rejected - reason:OCA group is already filled.")
        margins = order_validation.margins(account, order, self._universe, self._exchange.mark, model)
        return order_validation.check_margin(*margins) or order_validation.check_short(
            account, order, instrument, model
        )

    def needs_locate(self, order: VenueOrder) -> bool:
        """Whether the order sells short shares that cannot be borrowed now."""
        instrument = self._universe.instrument(order.instrument)
        if order.side is Side.BUY or instrument.sec_type is not SecType.STOCK:
            return False
        short = order.remaining - self._account_service.accounts[order.account].quantity(instrument.id)
        return short > 0 and not self._models.locate.available(instrument.id, short)
