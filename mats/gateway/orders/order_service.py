"""The order desk: it takes orders, changes and cancels to the exchange, and tells those concerned what happened."""

from collections.abc import Iterable

from msgspec import structs

from mats.gateway.accounts import AccountService, Handler
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.orders import order_messages, order_validation, warnings
from mats.gateway.orders.account_validation import AccountValidation
from mats.gateway.orders.order_store import OrderFill, OrderStore
from mats.gateway.orders.order_terms import order_terms
from mats.gateway.orders.order_validation import Refusal
from mats.gateway.orders.post_trade import PostTrade
from mats.gateway.orders.untransmitted import UntransmittedOrders
from mats.gateway.protocol import ClientSession, Fields, Message, PlaceOrder, place_order, responses
from mats.model import DAY, Clock, Instrument, Nanos, Side
from mats.venue.markets import Universe
from mats.venue.matching import (
    CANCELLED,
    CHILD,
    LIMITED,
    ON_CLOSE,
    SUBMITTED,
    Changed,
    Clearing,
    Ended,
    Event,
    Exchange,
    OrderMoved,
    VenueOrder,
    VenueTrade,
    rate,
)
from mats.venue.models import VenueModels

MASTER = 0
"""The client id that hears of everybody's orders and executions, as with IB's setting "Master API client ID = 0"."""

LOCATE = "locate"

NOT_FOUND = "OrderId {} that needs to be cancelled is not found."
NOT_CANCELLABLE = "OrderId {} that needs to be cancelled cannot be cancelled, state: {}."


class OrderService:
    """Orders from request to fill. Whatever it sends leaves after what it did is stored."""

    def __init__(
        self,
        hub: ClientRegistry,
        clock: Clock,
        universe: Universe,
        exchange: Exchange,
        blotter: OrderStore,
        portfolio: AccountService,
        models: VenueModels,
    ) -> None:
        self._hub, self._clock, self._universe = hub, clock, universe
        self._exchange, self._blotter, self._portfolio, self._models = exchange, blotter, portfolio, models
        clearing = Clearing(universe, exchange.mark, models.fees)
        self._back_office = PostTrade(clock, universe, clearing, blotter, portfolio)
        self._parked = UntransmittedOrders()
        self._gatekeeper = AccountValidation(clock, universe, exchange, blotter, portfolio, models, self._parked)
        self._unlocated: dict[int, VenueOrder] = {}
        self._day: Nanos = -1
        for order in sorted(blotter.orders(), key=lambda order: order.priority):
            exchange.restore(order)
            if order.working and order.awaits == LOCATE:
                self._unlocated[order.perm_id] = order

    def requests(self) -> dict[int, Handler]:
        return {
            3: lambda session, fields: self.place(session, place_order(fields, session.version)),
            4: self._cancel_request,
            8: lambda session, fields: session.send(self.next_valid_id(session.client_id)),
            58: lambda session, fields: self.cancel_all(),
        }

    @property
    def default_account(self) -> str:
        return next(iter(self._portfolio.accounts))

    def now(self) -> Nanos:
        return self._clock.now()

    def next_valid_id(self, client_id: int) -> Message:
        return responses.next_valid_id(self._blotter.next_order_id(client_id))

    def forget_untransmitted(self) -> None:
        """Drops the orders that wait to be transmitted, as the end of a gateway does."""
        self._parked.clear()

    # orders in

    def place(self, session: ClientSession, request: PlaceOrder) -> None:
        """A new order, a change of a working one, or a what-if; with `transmit` off it waits, and nothing is said."""
        self.roll(self.now())
        found = self._universe.find(request.contract)
        if len(found) != 1:
            words = "No security definition has been found for the request" if not found else "Contract is ambiguous"
            session.send(responses.error(request.order_id, 200, words))
            return
        instrument = found[0]
        known = self._blotter.order(session.client_id, request.order_id)
        refusal = self._gatekeeper.refusal(request, instrument, known, session.client_id)
        if refusal:
            session.send(responses.error(request.order_id, refusal.code, refusal.text))
        elif request.what_if:
            self._what_if(session, self._new_order(session.client_id, request, instrument, perm_id=0))
        elif not request.transmit:
            self._parked.put(session.client_id, request)
        elif known:
            self._parked.drop(session.client_id, request.order_id)
            self._change(known, request)
        else:
            for member in (*self._parked.family(session.client_id, request), request):
                self._accept(session, member, self._universe.find(member.contract)[0])

    def _new_order(self, client_id: int, request: PlaceOrder, instrument: Instrument, *, perm_id: int) -> VenueOrder:
        parent = self._blotter.order(client_id, request.parent_id) if request.parent_id else None
        return VenueOrder(
            perm_id=perm_id,
            client_id=client_id,
            order_id=request.order_id,
            account=request.account or self.default_account,
            instrument=instrument.id,
            side=Side(request.action),
            order_ref=request.order_ref,
            parent_id=request.parent_id,
            parent_perm_id=parent.perm_id if parent else 0,
            oca_group=request.oca_group,
            oca_type=request.oca_type,
            awaits=CHILD if parent and parent.working else "",
            submitted=self._clock.now(),
            **structs.asdict(order_terms(request)),
        )

    def _accept(self, session: ClientSession, request: PlaceOrder, instrument: Instrument) -> None:
        order = self._new_order(session.client_id, request, instrument, perm_id=self._blotter.new_perm_id())
        refusal = self._gatekeeper.objection(order, instrument)
        if refusal:
            self._reject(order, refusal)
            return
        extended = self._exchange.session(order.instrument, self.now()).extended
        if order.outside_rth and extended and order.order_type not in LIMITED - ON_CLOSE:
            order.outside_rth = False
            self._tell(order.client_id, warnings.outside_ignored(order))
        self.submit(order)

    def submit(self, order: VenueOrder) -> None:
        """Takes an order in that is fit to trade."""
        if not order.awaits and self._gatekeeper.lacks_shares(order):
            order.awaits = LOCATE
            self._unlocated[order.perm_id] = order
        self._exchange.register(order)
        self._blotter.keep_order(order)
        self._tell_order(order)
        self._tell(order.client_id, *warnings.will_wait(order, self._instrument(order), self._exchange, self.now()))
        if order.awaits == LOCATE:
            self._tell(order.client_id, warnings.not_located(order))
        self.book(self._exchange.submit(order))

    def _change(self, order: VenueOrder, request: PlaceOrder) -> None:
        events = self._exchange.amend(order, order_terms(request))
        filled = any(isinstance(event, VenueTrade) and event.order is order for event in events)
        if filled:  # the state is told before the execution, as live gateways do
            instrument = self._instrument(order)
            opened = order_messages.open_order(order, instrument, status=SUBMITTED)
            self._tell(order.client_id, opened, order_messages.order_status(order))
        self.book(events, told=order if filled else None)

    def _reject(self, order: VenueOrder, refusal: Refusal) -> None:
        order.status, order.completed, order.note = "Inactive", self._clock.now(), refusal.text
        self._blotter.keep_order(order)
        self._tell(order.client_id, responses.error(order.order_id, refusal.code, refusal.text))
        self._tell_order(order)

    def _what_if(self, session: ClientSession, order: VenueOrder) -> None:
        account, mark = self._portfolio.accounts[order.account], self._exchange.mark
        before, after, equity = order_validation.margins(account, order, self._universe, mark, self._models.margin)
        instrument = self._instrument(order)
        unit = instrument.multiplier * rate(instrument.currency, self._universe, mark)
        value = order.quantity * mark(order.instrument) * unit
        fee = self._models.fees.order_fee(instrument, order.quantity, value, account.volume_of(instrument.sec_type))
        margin = order_messages.what_if_margin(before, after, equity, fee)
        session.send(order_messages.open_order(order, instrument, margin))

    # cancels

    def _cancel_request(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        order_id = fields.integer()
        self.roll(self.now())
        order = self._blotter.order(session.client_id, order_id)
        if self._parked.drop(session.client_id, order_id) and order is None:
            session.send(responses.error(order_id, 202, "Order Canceled - reason:"))
        elif order is None:
            session.send(responses.error(order_id, 10147, NOT_FOUND.format(order_id)))
        elif not order.working:
            session.send(responses.error(order_id, 10148, NOT_CANCELLABLE.format(order_id, order.status)))
        else:
            self.cancel(order)

    def cancel(self, order: VenueOrder) -> None:
        self._tell(order.client_id, order_messages.order_status(order, "PendingCancel"))
        self.book(self._exchange.cancel(order))

    def cancel_all(self) -> None:
        """Cancels the working orders of everybody, as the global cancel does."""
        for order in tuple(self._exchange.working()):
            if order.working:
                self.cancel(order)

    # what happens

    def roll(self, now: Nanos) -> None:
        """Lets everything happen that is due: sessions, ends of orders, arrivals; forgets once a day what is old."""
        self.book(self._exchange.advance(now))
        for order in tuple(self._unlocated.values()):
            if not order.working or not self._gatekeeper.lacks_shares(order):
                del self._unlocated[order.perm_id]
                self.book(self._exchange.free(order))
                self._blotter.keep_order(order)
        if now // DAY != self._day:
            self._day = now // DAY
            self._blotter.prune(now)

    def book(self, events: Iterable[Event], *, told: VenueOrder | None = None) -> None:
        """Stores what happened and tells it in the order a gateway does: executions, states of orders, costs last.

        The state of the order `told` is known already.
        """
        fills: list[OrderFill] = []
        states: dict[int, VenueOrder] = {}
        ended: list[Ended] = []
        for event in events:
            match event:
                case VenueTrade(order=order):
                    fills.append(self._back_office.record(event))
                    instrument = self._instrument(order)
                    self._tell(order.client_id, order_messages.execution(-1, fills[-1], instrument))
                    states[order.perm_id] = order
                case Changed(order=order):
                    states[order.perm_id] = order
                case Ended():
                    ended.append(event)
                case OrderMoved(order=order):
                    self._blotter.keep_order(order)
        for order in states.values():
            self._blotter.keep_order(order)
            if order is not told and order.status != CANCELLED:
                self._tell_order(order)
        for event in ended:
            self._tell_end(event.order, event.reason)
        for fill in fills:
            self._tell(fill.client_id, order_messages.commission_report(fill))

    def _tell_end(self, order: VenueOrder, reason: str) -> None:
        order.completed, order.note = self._clock.now(), reason
        self._blotter.keep_order(order)
        words = f"Order Canceled - reason:{reason}"
        self._tell(order.client_id, order_messages.order_status(order), responses.error(order.order_id, 202, words))

    def replace_fill(self, fill: OrderFill, corrected: OrderFill) -> None:
        """Books the correction of an execution and tells it."""
        self._back_office.replace(fill, corrected)
        instrument = self._universe.instrument(fill.instrument)
        self._tell(fill.client_id, order_messages.execution(-1, corrected, instrument))
        self._tell(fill.client_id, order_messages.commission_report(corrected))

    # news

    def _instrument(self, order: VenueOrder) -> Instrument:
        return self._universe.instrument(order.instrument)

    def _tell_order(self, order: VenueOrder) -> None:
        instrument = self._instrument(order)
        self._tell(order.client_id, order_messages.open_order(order, instrument), order_messages.order_status(order))

    def _tell(self, client_id: int, *messages: Message) -> None:
        """To the client concerned, and to the master."""
        self._hub.tell(client_id, *messages)
        if client_id != MASTER:
            self._hub.tell(MASTER, *messages)
