"""Who may trade: an order against its account, the other orders and the venue."""

from mats.gateway.accounts import AccountService
from mats.gateway.orders import order_validation
from mats.gateway.orders.order_store import OrderStore
from mats.gateway.orders.order_validation import Refusal
from mats.gateway.orders.untransmitted import UntransmittedOrders
from mats.gateway.protocol import PlaceOrder
from mats.model import Clock, Instrument, SecType, Side
from mats.venue.markets import Universe
from mats.venue.matching import Exchange, VenueOrder
from mats.venue.models import VenueModels


class AccountValidation:
    """It asks everybody concerned and changes nothing."""

    def __init__(
        self,
        clock: Clock,
        universe: Universe,
        exchange: Exchange,
        blotter: OrderStore,
        portfolio: AccountService,
        models: VenueModels,
        parked: UntransmittedOrders,
    ) -> None:
        self._clock, self._universe, self._exchange = clock, universe, exchange
        self._blotter, self._portfolio, self._models, self._parked = blotter, portfolio, models, parked

    def refusal(
        self, request: PlaceOrder, instrument: Instrument, known: VenueOrder | None, client_id: int
    ) -> Refusal | None:
        """What is wrong with a request as it stands."""
        refusal = order_validation.check_terms(request, instrument, self._portfolio.accounts)
        if refusal or request.what_if:
            return refusal
        if known:
            return order_validation.check_change(request, known, instrument)
        parent = (client_id, request.parent_id)
        if request.parent_id and parent not in self._parked and self._blotter.order(*parent) is None:
            return Refusal(10006, "Missing parent order.")
        if (client_id, request.order_id) in self._parked:
            return None
        if not request.transmit and self._parked.full(client_id):
            return Refusal(
                201, "Order rejected - reason:Too many orders wait to be transmitted; transmit or cancel some."
            )
        return order_validation.check_new(request, self._blotter.next_order_id(client_id))

    def objection(self, order: VenueOrder, instrument: Instrument) -> Refusal | None:
        """What the state of the account and of other orders has against a new one."""
        account, model = self._portfolio.accounts[order.account], self._models.margin
        if order.good_till and order.good_till <= self._clock.now():
            return Refusal(201, "Order rejected - reason:The good till date of this order has passed.")
        if order.parent_id:
            parent = self._blotter.order(order.client_id, order.parent_id)
            if parent is None or not (parent.working or parent.filled):
                return Refusal(201, "Order rejected - reason:Parent order is being cancelled.")
            return None
        if self._exchange.spent(order.account, order.oca_group):
            return Refusal(201, "Order rejected - reason:OCA group is already filled.")
        margins = order_validation.margins(account, order, self._universe, self._exchange.mark, model)
        return order_validation.check_margin(*margins) or order_validation.check_short(
            account, order, instrument, model
        )

    def lacks_shares(self, order: VenueOrder) -> bool:
        """Whether the order sells short what cannot be borrowed now."""
        instrument = self._universe.instrument(order.instrument)
        if order.side is Side.BUY or instrument.sec_type is not SecType.STOCK:
            return False
        short = order.remaining - self._portfolio.accounts[order.account].quantity(instrument.id)
        return short > 0 and not self._models.locate.available(instrument.id, short)
