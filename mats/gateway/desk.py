"""The order desk: it takes orders, changes and cancels, books fills, and tells those concerned."""

from collections.abc import Iterable
from decimal import Decimal

from mats.gateway import admission, order_messages, responses
from mats.gateway.admission import Refusal
from mats.gateway.blotter import Blotter, Fill
from mats.gateway.hub import Hub
from mats.gateway.portfolio import Handler, Portfolio
from mats.gateway.requests import PlaceOrder, place_order
from mats.gateway.session import Session
from mats.gateway.wire import Fields, Message
from mats.model.instrument import Instrument
from mats.model.orders import OrderType, Side, TimeInForce
from mats.model.timestamp import DAY, Nanos
from mats.venue.account import BASE, rate
from mats.venue.clock import Clock
from mats.venue.exchange import IMMEDIATE, Exchange, Trade
from mats.venue.fees import order_fee
from mats.venue.orders import CANCELLED, SUBMITTED, Order
from mats.venue.universe import Universe

MASTER = 0
"""The client id that hears of everybody's orders and executions, as with IB's setting "Master API client ID = 0"."""

NOT_FOUND = "OrderId {} that needs to be cancelled is not found."
NOT_CANCELLABLE = "OrderId {} that needs to be cancelled cannot be cancelled, state: {}."


class Desk:
    """Orders from request to fill. Whatever it sends leaves after what it did is stored."""

    def __init__(
        self, hub: Hub, clock: Clock, universe: Universe, exchange: Exchange, blotter: Blotter, portfolio: Portfolio
    ) -> None:
        self._hub, self._clock, self._universe = hub, clock, universe
        self._exchange, self._blotter, self._portfolio = exchange, blotter, portfolio
        self._parked: dict[tuple[int, int], PlaceOrder] = {}
        self._day: Nanos = -1
        for order in blotter.orders():
            if order.working:
                exchange.restore(order)

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

    def place(self, session: Session, request: PlaceOrder) -> None:
        """A new order, a change of a working one, or a what-if; with `transmit` off it waits, and nothing is said."""
        found = self._universe.find(request.contract)
        if len(found) != 1:
            words = "No security definition has been found for the request" if not found else "Contract is ambiguous"
            session.send(responses.error(request.order_id, 200, words))
            return
        instrument = found[0]
        known = self._blotter.order(session.client_id, request.order_id)
        refusal = self._refusal(request, instrument, known, session.client_id)
        if refusal:
            session.send(responses.error(request.order_id, refusal.code, refusal.text))
        elif request.what_if:
            self._what_if(session, self._new_order(session.client_id, request, instrument, perm_id=0))
        elif not request.transmit:
            self._parked[session.client_id, request.order_id] = request
        elif known:
            self._change(known, request)
        else:
            self._accept(session, request, instrument)

    def _refusal(
        self, request: PlaceOrder, instrument: Instrument, known: Order | None, client_id: int
    ) -> Refusal | None:
        refusal = admission.check_terms(request, instrument, self._portfolio.accounts)
        if refusal or request.what_if:
            return refusal
        if known:
            return admission.check_change(request, known, instrument)
        return admission.check_new(request, self._blotter.next_order_id(client_id))

    def _new_order(self, client_id: int, request: PlaceOrder, instrument: Instrument, *, perm_id: int) -> Order:
        return Order(
            perm_id=perm_id,
            client_id=client_id,
            order_id=request.order_id,
            account=request.account or self.default_account,
            instrument=instrument.id,
            side=Side(request.action),
            quantity=request.quantity,
            order_type=OrderType(request.order_type),
            tif=TimeInForce(request.tif),
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            order_ref=request.order_ref,
            outside_rth=request.outside_rth,
            submitted=self._clock.now(),
        )

    def _accept(self, session: Session, request: PlaceOrder, instrument: Instrument) -> None:
        self._parked.pop((session.client_id, request.order_id), None)
        order = self._new_order(session.client_id, request, instrument, perm_id=self._blotter.new_perm_id())
        account = self._portfolio.accounts[order.account]
        margins = admission.margins(account, order, self._universe, self._exchange.mark)
        refusal = admission.check_margin(*margins)
        if refusal:
            self._reject(order, refusal)
        else:
            self.submit(order)

    def submit(self, order: Order) -> None:
        """Takes an order in that is fit to trade."""
        self._blotter.keep_order(order)
        self._tell_order(order)
        trades = self._exchange.submit(order)
        if not trades and order.tif not in IMMEDIATE and self._rests(order):
            order.status = SUBMITTED
            self._tell_order(order)
        self.book(trades)
        if order.working and order.tif in IMMEDIATE:
            self._close(order, "the part that did not trade at once is not kept")

    def _rests(self, order: Order) -> bool:
        """Whether the market has seen the order: a stop waits unseen, and so does everything before the first quote."""
        return not order.waits_for_stop and self._exchange.quote(order.instrument) is not None

    def _change(self, order: Order, request: PlaceOrder) -> None:
        self._parked.pop((order.client_id, order.order_id), None)
        order.quantity, order.tif = request.quantity, TimeInForce(request.tif)
        order.order_type = OrderType(request.order_type)
        order.limit_price, order.stop_price = request.limit_price, request.stop_price
        self._exchange.withdraw(order)
        self.submit(order)

    def _reject(self, order: Order, refusal: Refusal) -> None:
        order.status, order.completed, order.note = "Inactive", self._clock.now(), refusal.text
        self._blotter.keep_order(order)
        self._tell(order.client_id, responses.error(order.order_id, refusal.code, refusal.text))
        self._tell_order(order)

    def _what_if(self, session: Session, order: Order) -> None:
        account = self._portfolio.accounts[order.account]
        before, after, equity = admission.margins(account, order, self._universe, self._exchange.mark)
        instrument = self._universe.instrument(order.instrument)
        value = order.quantity * self._exchange.mark(order.instrument) * self._to_base(instrument)
        margin = order_messages.what_if_margin(before, after, equity, order_fee(instrument, order.quantity, value))
        session.send(order_messages.open_order(order, instrument, margin))

    # cancels

    def _cancel_request(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        order_id = fields.integer()
        order = self._blotter.order(session.client_id, order_id)
        if self._parked.pop((session.client_id, order_id), None) and order is None:
            session.send(responses.error(order_id, 202, "Order Canceled - reason:"))
        elif order is None:
            session.send(responses.error(order_id, 10147, NOT_FOUND.format(order_id)))
        elif not order.working:
            session.send(responses.error(order_id, 10148, NOT_CANCELLABLE.format(order_id, order.status)))
        else:
            self.cancel(order)

    def cancel(self, order: Order) -> None:
        self._tell(order.client_id, order_messages.order_status(order, "PendingCancel"))
        self._close(order, "")

    def cancel_all(self) -> None:
        """Cancels the working orders of everybody, as the global cancel does."""
        for order in tuple(self._exchange.working()):
            self.cancel(order)

    def _close(self, order: Order, reason: str) -> None:
        self._exchange.withdraw(order)
        order.status, order.completed, order.note = CANCELLED, self._clock.now(), reason
        self._blotter.keep_order(order)
        self._tell_order(order)
        self._tell(order.client_id, responses.error(order.order_id, 202, f"Order Canceled - reason:{reason}"))

    def roll(self, now: Nanos) -> None:
        """Where a new day (UTC) has begun: ends the day orders of earlier ones and forgets what is old."""
        if now // DAY == self._day:
            return
        self._day = now // DAY
        for order in tuple(self._exchange.working()):
            if order.tif is TimeInForce.DAY and order.submitted // DAY < self._day:
                self._close(order, "the day is over")
        self._blotter.prune(now)

    # fills

    def book(self, trades: Iterable[Trade]) -> None:
        """Books fills and tells them in the order a gateway does: executions, states of orders, costs last."""
        fills = []
        orders: dict[int, Order] = {}
        for trade in trades:
            fill = self._record(trade, *self._settle(trade))
            fills.append(fill)
            orders[trade.order.perm_id] = trade.order
            instrument = self._universe.instrument(fill.instrument)
            self._tell(fill.client_id, order_messages.execution(-1, fill, instrument))
        for order in orders.values():
            self._tell_order(order)
        for fill in fills:
            self._tell(fill.client_id, order_messages.commission_report(fill))

    def _settle(self, trade: Trade) -> tuple[Decimal, Decimal | None]:
        """Moves cash and position; returns the cost, and the realised profit where it closed something, both in USD."""
        order, instrument = trade.order, self._universe.instrument(trade.order.instrument)
        account = self._portfolio.accounts[order.account]
        closing = account.quantity(instrument.id) * order.side.sign < 0
        realized = account.book(instrument, trade.quantity * order.side.sign, trade.price)
        to_base = self._to_base(instrument)
        fee = order_fee(instrument, order.filled, order.value * instrument.multiplier * to_base) - order.fee
        order.fee += fee
        account.pay(BASE, -fee)
        self._portfolio.changed(account, instrument)
        return fee, realized * to_base if closing else None

    def _record(self, trade: Trade, fee: Decimal, realized: Decimal | None) -> Fill:
        order, now = trade.order, self._clock.now()
        if not order.working:
            order.completed = now
        fill = Fill(
            exec_id=self._blotter.new_exec_id(),
            perm_id=order.perm_id,
            client_id=order.client_id,
            order_id=order.order_id,
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            quantity=trade.quantity,
            price=trade.price,
            time=now,
            cumulative=order.filled,
            average=order.average_price,
            order_ref=order.order_ref,
            commission=fee,
            realized=realized,
        )
        self._blotter.keep_order(order)
        self._blotter.keep_fill(fill)
        return fill

    def replace_fill(self, fill: Fill, corrected: Fill) -> None:
        """Books the difference between an execution and its correction, and tells the correction."""
        instrument = self._universe.instrument(fill.instrument)
        account = self._portfolio.accounts[fill.account]
        account.book(instrument, -fill.quantity * fill.side.sign, fill.price)
        if corrected.quantity:
            account.book(instrument, corrected.quantity * fill.side.sign, corrected.price)
        self._portfolio.changed(account, instrument)
        self._blotter.keep_fill(corrected)
        self._tell(fill.client_id, order_messages.execution(-1, corrected, instrument))
        self._tell(fill.client_id, order_messages.commission_report(corrected))

    def _to_base(self, instrument: Instrument) -> Decimal:
        return rate(instrument.currency, self._universe, self._exchange.mark)

    # news

    def _tell_order(self, order: Order) -> None:
        instrument = self._universe.instrument(order.instrument)
        self._tell(order.client_id, order_messages.open_order(order, instrument), order_messages.order_status(order))

    def _tell(self, client_id: int, *messages: Message) -> None:
        """To the client concerned, and to the master."""
        self._hub.tell(client_id, *messages)
        if client_id != MASTER:
            self._hub.tell(MASTER, *messages)
