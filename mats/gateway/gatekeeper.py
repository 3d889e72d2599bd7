"""Who may trade: an order against its account, the other orders and the venue."""

from mats.gateway import admission
from mats.gateway.admission import Refusal
from mats.gateway.blotter import Blotter
from mats.gateway.parked import Parked
from mats.gateway.portfolio import Portfolio
from mats.gateway.requests import PlaceOrder
from mats.model.instrument import Instrument, SecType
from mats.model.orders import Side
from mats.venue.clock import Clock
from mats.venue.exchange import Exchange
from mats.venue.models import Models
from mats.venue.orders import Order
from mats.venue.universe import Universe


class Gatekeeper:
    """It asks everybody concerned and changes nothing."""

    def __init__(
        self,
        clock: Clock,
        universe: Universe,
        exchange: Exchange,
        blotter: Blotter,
        portfolio: Portfolio,
        models: Models,
        parked: Parked,
    ) -> None:
        self._clock, self._universe, self._exchange = clock, universe, exchange
        self._blotter, self._portfolio, self._models, self._parked = blotter, portfolio, models, parked

    def refusal(
        self, request: PlaceOrder, instrument: Instrument, known: Order | None, client_id: int
    ) -> Refusal | None:
        """What is wrong with a request as it stands."""
        refusal = admission.check_terms(request, instrument, self._portfolio.accounts)
        if refusal or request.what_if:
            return refusal
        if known:
            return admission.check_change(request, known, instrument)
        parent = (client_id, request.parent_id)
        if request.parent_id and parent not in self._parked and self._blotter.order(*parent) is None:
            return Refusal(10006, "Missing parent order.")
        if (client_id, request.order_id) in self._parked:
            return None
        if not request.transmit and self._parked.full(client_id):
            return Refusal(
                201, "Order rejected - reason:Too many orders wait to be transmitted; transmit or cancel some."
            )
        return admission.check_new(request, self._blotter.next_order_id(client_id))

    def objection(self, order: Order, instrument: Instrument) -> Refusal | None:
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
        margins = admission.margins(account, order, self._universe, self._exchange.mark, model)
        return admission.check_margin(*margins) or admission.check_short(account, order, instrument, model)

    def lacks_shares(self, order: Order) -> bool:
        """Whether the order sells short what cannot be borrowed now."""
        instrument = self._universe.instrument(order.instrument)
        if order.side is Side.BUY or instrument.sec_type is not SecType.STOCK:
            return False
        short = order.remaining - self._portfolio.accounts[order.account].quantity(instrument.id)
        return short > 0 and not self._models.locate.available(instrument.id, short)
