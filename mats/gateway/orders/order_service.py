"""Routes orders, modifications and cancels to the exchange and reports the results to clients."""

from collections.abc import Iterable

from msgspec import structs

from mats.gateway.accounts import AccountService, RequestHandler
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.orders import order_messages, order_validation, warnings
from mats.gateway.orders.account_validation import AccountValidation
from mats.gateway.orders.order_store import OrderFill, OrderStore
from mats.gateway.orders.order_terms import order_terms
from mats.gateway.orders.order_validation import OrderRejection
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
    Clearing,
    Exchange,
    TriggerMoved,
    VenueEvent,
    VenueOrder,
    VenueOrderChanged,
    VenueOrderEnded,
    VenueTrade,
    fx_rate,
)
from mats.venue.models import VenueModels

MASTER = 0
"""The client id that receives all orders and executions, as with IB's setting "Master API client ID = 0"."""

LOCATE = "locate"

NOT_FOUND = "OrderId {} that needs to be cancelled is not found."
NOT_CANCELLABLE = "OrderId {} that needs to be cancelled cannot be cancelled, state: {}."


class OrderService:
    """Handles orders from request to fill. Messages are written after the state they report is stored."""

    def __init__(
        self,
        clients: ClientRegistry,
        clock: Clock,
        universe: Universe,
        exchange: Exchange,
        store: OrderStore,
        account_service: AccountService,
        models: VenueModels,
        *,
        fractions: bool = False,
    ) -> None:
        self._clients, self._clock, self._universe = clients, clock, universe
        self._exchange, self._store, self._account_service, self._models = exchange, store, account_service, models
        clearing = Clearing(universe, exchange.mark, models.fees)
        self._post_trade = PostTrade(clock, universe, clearing, store, account_service)
        self._untransmitted = UntransmittedOrders()
        self._validation = AccountValidation(
            clock, universe, exchange, store, account_service, models, self._untransmitted, fractions=fractions
        )
        self._awaiting_locate: dict[int, VenueOrder] = {}
        self._cancelled_by: dict[int, int] = {}
        self._day: Nanos = -1
        for order in sorted(store.orders(), key=lambda order: order.priority):
            exchange.restore(order)
            if order.working and order.awaits == LOCATE:
                self._awaiting_locate[order.perm_id] = order

    def requests(self) -> dict[int, RequestHandler]:
        return {
            3: lambda session, fields: self.place(session, place_order(fields, session.version)),
            4: self._cancel_request,
            8: lambda session, fields: session.send(self.next_valid_id(session.client_id)),
            58: lambda session, fields: self.cancel_all(),
        }

    @property
    def default_account(self) -> str:
        return next(iter(self._account_service.accounts))

    def now(self) -> Nanos:
        return self._clock.now()

    def next_valid_id(self, client_id: int) -> Message:
        return responses.next_valid_id(self._store.next_order_id(client_id))

    def clear_untransmitted(self) -> None:
        """Drops untransmitted orders, as a restart of a gateway does."""
        self._untransmitted.clear()

    # new orders

    def place(self, session: ClientSession, request: PlaceOrder) -> None:
        """A new order, a modification, or a what-if; with `transmit` off it is held without a message."""
        self.advance(self.now())
        found = self._universe.find(request.contract)
        if len(found) != 1:
            text = "No security definition has been found for the request" if not found else "Contract is ambiguous"
            session.send(responses.error(request.order_id, 200, text))
            return
        instrument = found[0]
        known = self._store.order(session.client_id, request.order_id)
        rejection = self._validation.check_request(request, instrument, known, session.client_id)
        if rejection:
            session.send(responses.error(request.order_id, rejection.code, rejection.text))
        elif request.what_if:
            self._what_if(session, self._new_order(session.client_id, request, instrument, perm_id=0))
        elif not request.transmit:
            self._untransmitted.add(session.client_id, request)
        elif known:
            self._untransmitted.remove(session.client_id, request.order_id)
            self._modify(known, request)
        else:
            for member in (*self._untransmitted.pop_family(session.client_id, request), request):
                self._accept(session, member, self._universe.find(member.contract)[0])

    def _new_order(self, client_id: int, request: PlaceOrder, instrument: Instrument, *, perm_id: int) -> VenueOrder:
        parent = self._store.order(client_id, request.parent_id) if request.parent_id else None
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
        order = self._new_order(session.client_id, request, instrument, perm_id=self._store.new_perm_id())
        rejection = self._validation.check_order(order, instrument)
        if rejection:
            self._reject(order, rejection)
            return
        extended = self._exchange.session(order.instrument, self.now()).extended
        if order.outside_rth and extended and order.order_type not in LIMITED - ON_CLOSE:
            order.outside_rth = False
            self._send(order.client_id, warnings.outside_ignored(order))
        self.submit(order)

    def submit(self, order: VenueOrder) -> None:
        """Accepts an order that has passed all checks and sends it to the exchange."""
        if not order.awaits and self._validation.needs_locate(order):
            order.awaits = LOCATE
            self._awaiting_locate[order.perm_id] = order
        self._exchange.register(order)
        self._store.save_order(order)
        self._send_order(order)
        self._send(
            order.client_id, *warnings.waits_for_session(order, self._instrument(order), self._exchange, self.now())
        )
        if order.awaits == LOCATE:
            self._send(order.client_id, warnings.not_located(order))
        self.process(self._exchange.submit(order))

    def _modify(self, order: VenueOrder, request: PlaceOrder) -> None:
        events = self._exchange.amend(order, order_terms(request))
        filled = any(isinstance(event, VenueTrade) and event.order is order for event in events)
        if filled:  # the state is sent before the execution, as live gateways do
            instrument = self._instrument(order)
            opened = order_messages.open_order(order, instrument, status=SUBMITTED)
            self._send(order.client_id, opened, order_messages.order_status(order))
        self.process(events, already_sent=order if filled else None)

    def _reject(self, order: VenueOrder, rejection: OrderRejection) -> None:
        order.status, order.completed, order.note = "Inactive", self._clock.now(), rejection.text
        self._store.save_order(order)
        self._send(order.client_id, responses.error(order.order_id, rejection.code, rejection.text))
        self._send_order(order)

    def _what_if(self, session: ClientSession, order: VenueOrder) -> None:
        account, mark = self._account_service.accounts[order.account], self._exchange.mark
        before, after, equity = order_validation.margins(account, order, self._universe, mark, self._models.margin)
        instrument = self._instrument(order)
        unit = instrument.unit_value * fx_rate(instrument.currency, self._universe, mark)
        value = order.quantity * mark(order.instrument) * unit
        fee = self._models.fees.order_fee(instrument, order.quantity, value, account.volume_of(instrument.sec_type))
        in_base = self._account_service.in_base
        margin = order_messages.what_if_margin(in_base(before), in_base(after), in_base(equity), fee)
        session.send(order_messages.open_order(order, instrument, margin))

    # cancels

    def _cancel_request(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        order_id = fields.integer()
        self.advance(self.now())
        order = self._store.order(session.client_id, order_id) or self._of_another(session.client_id, order_id)
        if self._untransmitted.remove(session.client_id, order_id) and order is None:
            session.send(responses.error(order_id, 202, "Order Canceled - reason:"))
        elif order is None:
            session.send(responses.error(order_id, 10147, NOT_FOUND.format(order_id)))
        elif not order.working:
            session.send(responses.error(order_id, 10148, NOT_CANCELLABLE.format(order_id, order.status)))
        else:
            self._cancelled_by[order.perm_id] = session.client_id
            self.cancel(order)

    def _of_another(self, client_id: int, order_id: int) -> VenueOrder | None:
        """The working order of another client with this id, which only the master may cancel; None if there are
        several."""
        found = [order for order in self._exchange.working() if order.order_id == order_id]
        return found[0] if client_id == MASTER and len(found) == 1 else None

    def cancel(self, order: VenueOrder) -> None:
        self._send(order.client_id, order_messages.order_status(order, "PendingCancel"))
        self.process(self._exchange.cancel(order))

    def cancel_all(self) -> None:
        """Cancels the working orders of all clients (global cancel)."""
        for order in tuple(self._exchange.working()):
            if order.working:
                self.cancel(order)

    # events

    def advance(self, now: Nanos) -> None:
        """Processes everything due at the exchange: sessions, expiries, arrivals; prunes old records once a day."""
        self.process(self._exchange.advance(now))
        for order in tuple(self._awaiting_locate.values()):
            if not order.working or not self._validation.needs_locate(order):
                del self._awaiting_locate[order.perm_id]
                self.process(self._exchange.release(order))
                self._store.save_order(order)
        if now // DAY != self._day:
            self._day = now // DAY
            self._store.prune(now)

    def process(self, events: Iterable[VenueEvent], *, already_sent: VenueOrder | None = None) -> None:
        """Stores the events and sends them in the order of a real gateway: executions, order states, commissions.

        The state of the order `already_sent` is not sent again.
        """
        fills: list[OrderFill] = []
        states: dict[int, VenueOrder] = {}
        ended: list[VenueOrderEnded] = []
        for event in events:
            match event:
                case VenueTrade(order=order):
                    fills.append(self._post_trade.record(event))
                    instrument = self._instrument(order)
                    self._send(order.client_id, order_messages.execution(-1, fills[-1], instrument))
                    states[order.perm_id] = order
                case VenueOrderChanged(order=order):
                    states[order.perm_id] = order
                case VenueOrderEnded():
                    ended.append(event)
                case TriggerMoved(order=order):
                    self._store.save_order(order)
        for order in states.values():
            self._store.save_order(order)
            if order is not already_sent and order.status != CANCELLED:
                self._send_order(order)
        for event in ended:
            self._send_cancellation(event.order, event.reason)
        for fill in fills:
            self._send(fill.client_id, order_messages.commission_report(fill))

    def _send_cancellation(self, order: VenueOrder, reason: str) -> None:
        order.completed, order.note = self._clock.now(), reason
        self._store.save_order(order)
        text = f"Order Canceled - reason:{reason}"
        canceller = self._cancelled_by.pop(order.perm_id, order.client_id)
        status = order_messages.order_status(order, client_id=canceller)
        self._send(order.client_id, status, responses.error(order.order_id, 202, text))

    def replace_fill(self, fill: OrderFill, corrected: OrderFill) -> None:
        """Books and sends the correction of an execution."""
        self._post_trade.replace(fill, corrected)
        instrument = self._universe.instrument(fill.instrument)
        self._send(fill.client_id, order_messages.execution(-1, corrected, instrument))
        self._send(fill.client_id, order_messages.commission_report(corrected))

    # messages

    def _instrument(self, order: VenueOrder) -> Instrument:
        return self._universe.instrument(order.instrument)

    def _send_order(self, order: VenueOrder) -> None:
        instrument = self._instrument(order)
        self._send(order.client_id, order_messages.open_order(order, instrument), order_messages.order_status(order))

    def _send(self, client_id: int, *messages: Message) -> None:
        """Sends to a client and to the master."""
        self._clients.send(client_id, *messages)
        if client_id != MASTER:
            self._clients.send(MASTER, *messages)
