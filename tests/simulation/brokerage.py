"""A broker in memory: it takes orders, fills them on the exchange, keeps accounts, and tells its clients.

It is what a gateway is to the outside, in the vocabulary of the model: no socket, no clock of its own, no thread. A
client id hears of its own orders and executions, client id 0 of everybody's. Nothing is ever forgotten.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import count

import msgspec
from msgspec import structs

from mats.ib.conversion import status_of
from mats.ib.error_codes import order_error_meaning
from mats.model.broker_reports import (
    AccountValue,
    BrokerError,
    BrokerOrder,
    BrokerPosition,
    BrokerSnapshot,
    BrokerStatus,
)
from mats.model.executions import Commission, Execution
from mats.model.instrument import Instrument, InstrumentId
from mats.model.market_data import Bar, Quote
from mats.model.money import ZERO
from mats.model.orders import AccountId, OrderIntent, order_ref
from mats.model.packet import BrokerEvent
from mats.model.timestamp import Nanos
from mats.venue.markets import ContractQuery, Universe
from mats.venue.markets.bar_history import BarHistory
from mats.venue.matching.account import BASE, Account
from mats.venue.matching.account_values import account_values
from mats.venue.matching.clearing import Clearing
from mats.venue.matching.events import VenueEvent, VenueOrderChanged, VenueOrderEnded, VenueTrade
from mats.venue.matching.exchange import Exchange
from mats.venue.matching.order_groups import CHILD
from mats.venue.matching.orders import Lifetime, OrderKind, OrderTerms, VenueOrder
from mats.venue.models.fees import FixedFees

MASTER = 0


class LinkNotice(msgspec.Struct, frozen=True):
    """The gateway has lost its link to the broker, or has it again.

    The newest counts: on a line whose packets overtake each other it is known by its number.
    """

    up: bool
    number: int


News = BrokerEvent | LinkNotice
Listener = Callable[[tuple[News, ...] | None], None]
"""Gets each packet of news; None when the broker hangs up. It must not call the broker back."""


class Brokerage:
    """`cash` is each account's first balance in the base currency; `now` tells the time; `history` knows past bars."""

    def __init__(
        self,
        universe: Universe,
        cash: Mapping[AccountId, Decimal],
        now: Callable[[], Nanos],
        history: BarHistory | None = None,
    ) -> None:
        self._universe, self._now, self._history = universe, now, history
        self.degraded = False
        """Whether the gateway is cut off from the broker."""
        self._books = {name: Account(name, {BASE: amount}) for name, amount in cash.items()}
        self._listeners: dict[int, Listener] = {}
        self._last_ids: dict[int, int] = {}
        self.exchange = Exchange(universe)
        self._clearing = Clearing(universe, self.exchange.mark, FixedFees())
        self.orders: dict[tuple[int, int], VenueOrder] = {}
        self.executions: list[Execution] = []
        self.commissions: dict[str, Commission] = {}
        self.perm_ids, self._execution_ids, self._link_notices = count(1), count(1), count(1)

    def link_notice(self, *, up: bool) -> LinkNotice:
        """What is said when the link to the broker is lost or back."""
        return LinkNotice(up, next(self._link_notices))

    # Clients

    @property
    def accounts(self) -> tuple[AccountId, ...]:
        return tuple(self._books)

    def connect(self, client_id: int, listener: Listener) -> None:
        """Take a client in; an older connection of the same client id hears nothing more."""
        self._listeners[client_id] = listener

    def disconnect(self, client_id: int, listener: Listener) -> None:
        """The client has hung up; one that was replaced by another changes nothing."""
        if self._listeners.get(client_id) == listener:
            del self._listeners[client_id]

    def hang_up(self, client_id: int) -> None:
        """End a client's connection."""
        if listener := self._listeners.pop(client_id, None):
            listener(None)

    def next_order_id(self, client_id: int) -> int:
        return self._last_ids.get(client_id, 0) + 1

    # Orders

    def place(self, client_id: int, order_id: int, intent: OrderIntent) -> None:
        """Take a new order in; an id that was used already is refused, as IB does."""
        if order_id < self.next_order_id(client_id):
            self._report(client_id, order_id, 103, "Duplicate order id")
            return
        first, *children = intent.family
        parent = self._accept(client_id, order_id, first, None)
        for number, child in enumerate(children, 1):
            self._accept(client_id, order_id + number, child, parent)

    def _accept(self, client_id: int, order_id: int, intent: OrderIntent, parent: VenueOrder | None) -> VenueOrder:
        self._last_ids[client_id] = order_id
        order = VenueOrder(
            perm_id=next(self.perm_ids),
            client_id=client_id,
            order_id=order_id,
            account=intent.account,
            instrument=intent.instrument.id,
            side=intent.side,
            order_ref=order_ref(intent.strategy, intent.intent_id),
            submitted=self._now(),
            parent_id=parent.order_id if parent else 0,
            parent_perm_id=parent.perm_id if parent else 0,
            awaits=CHILD if parent and parent.working else "",
            **structs.asdict(_terms(intent)),
        )
        self.orders[client_id, order_id] = order
        self.submit(order)
        return order

    def modify(self, client_id: int, order_id: int, intent: OrderIntent) -> None:
        """Change a working order; one that is not working, or filled beyond the new quantity, stays as it is."""
        order = self.orders.get((client_id, order_id))
        if order is None or not order.working or intent.quantity <= order.filled:
            text = "Order being modified does not match original order."
            self._report(client_id, order_id, 105, text)
            return
        self.book(self.exchange.amend(order, _terms(intent)))

    def cancel(self, client_id: int, order_id: int) -> None:
        """Cancel an order of this client."""
        order = self.orders.get((client_id, order_id))
        if order is None or not order.working:
            code, words = (10147, "is not found") if order is None else (10148, f"cannot be cancelled: {order.status}")
            text = f"OrderId {order_id} that needs to be cancelled {words}"
            self._report(client_id, order_id, code, text)
            return
        self.book(self.exchange.cancel(order))
        self._report(client_id, order_id, 202, "Order Canceled")

    def _report(self, client_id: int, order_id: int, code: int, text: str) -> None:
        """Send an error about an order by IB's code."""
        error = BrokerError(request_id=order_id, code=code, text=text, meaning=order_error_meaning(code))
        self._tell(client_id, error)

    def submit(self, order: VenueOrder) -> None:
        """Let an order meet the market."""
        self._tell_order(order)
        self.book(self.exchange.submit(order))

    # The market, and what it fills

    def on_market(self, quotes: Iterable[Quote] = (), bars: Iterable[Bar] = ()) -> None:
        """The market moves: orders meet the new quotes, then all clients hear of quotes and bars."""
        told = tuple(quotes)
        for quote in told:
            self.book(self.exchange.on_quote(quote))
        news: tuple[News, ...] = (*told, *bars)
        for listener in tuple(self._listeners.values()):
            listener(news)

    def book(self, events: Iterable[VenueEvent]) -> None:
        """Book what happened; a client hears of executions, then states, then costs, then positions."""
        for event in events:
            order = event.order
            if not order.working:
                order.completed = self._now()
            match event:
                case VenueTrade():
                    self._book_trade(event)
                case VenueOrderChanged() | VenueOrderEnded():
                    self._tell_order(order)

    def _book_trade(self, trade: VenueTrade) -> None:
        order = trade.order
        account = self._books[order.account]
        settlement = self._clearing.settle(account, trade, self._now())
        execution = self._record(trade)
        commission = self._keep(Commission(exec_id=execution.exec_id, amount=settlement.fee, currency=BASE))
        self._tell(order.client_id, execution)
        self._tell_order(order)
        self._tell(order.client_id, commission)
        self._tell_all(self._position(account, order.instrument))

    def _record(self, trade: VenueTrade) -> Execution:
        order, instrument = trade.order, self._universe.instrument(trade.order.instrument)
        execution = Execution(
            account=order.account,
            exec_id=f"0000.{next(self._execution_ids):08x}.01.01",
            instrument=order.instrument,
            side=order.side,
            quantity=trade.quantity,
            price=trade.price,
            time=self._now(),
            currency=instrument.currency,
            multiplier=instrument.multiplier,
            order_ref=order.order_ref,
            perm_id=order.perm_id,
            client_id=order.client_id,
            order_id=order.order_id,
            cumulative_quantity=order.filled,
            average_price=order.average_price,
        )
        self.executions.append(execution)
        return execution

    def _keep(self, commission: Commission) -> Commission:
        self.commissions[commission.exec_id] = commission
        return commission

    def correct(self, execution: Execution, corrected: Execution) -> None:
        """Replace an execution by a later revision of it; its order is not touched."""
        account, instrument = self._books[execution.account], self._universe.instrument(execution.instrument)
        account.book(instrument, -execution.signed_quantity, execution.price)
        if corrected.quantity:
            account.book(instrument, corrected.signed_quantity, corrected.price)
        self.executions.append(corrected)
        self._tell(execution.client_id, corrected)
        self._tell_all(self._position(account, execution.instrument))

    # Answers

    def replay(self, client_id: int) -> BrokerSnapshot:
        """Everything a client may know; client id 0 knows everything, and completed orders are everybody's."""
        mine = [order for order in self.orders.values() if client_id in (MASTER, order.client_id)]
        executions = [e for e in self.executions if client_id in (MASTER, e.client_id)]
        commissions = (self.commissions.get(execution.exec_id) for execution in executions)
        return BrokerSnapshot(
            executions=tuple(executions),
            commissions=tuple(commission for commission in commissions if commission),
            open_orders=tuple(_described(order) for order in mine if order.working),
            completed_orders=tuple(_described(order) for order in self.orders.values() if not order.working),
            positions=self.positions(),
        )

    def positions(self) -> tuple[BrokerPosition, ...]:
        """Every position that is not flat."""
        return tuple(
            self._position(account, name)
            for account in self._books.values()
            for name, holding in account.holdings.items()
            if holding.quantity
        )

    def account_values(self, name: AccountId) -> tuple[AccountValue, ...]:
        """Every value of an account at the present marks."""
        account, mark = self._books[name], self.exchange.mark
        rows = account_values(account, account.valuation(self._universe, mark), self._universe, mark)
        return tuple(AccountValue(account=name, tag=tag, value=value, currency=unit) for tag, value, unit in rows)

    def resolve(self, asked: Instrument) -> Instrument | None:
        """The one listed instrument that is meant."""
        query = ContractQuery(symbol=asked.symbol, sec_type=asked.sec_type.value, currency=asked.currency)
        found = self._universe.find(query)
        return found[0] if len(found) == 1 else None

    def bars(self, name: InstrumentId, start: Nanos, end: Nanos, seconds: int) -> list[Bar]:
        """Past bars; none where the broker was given no history."""
        return [] if self._history is None else self._history.bars(name, start, end, seconds, "TRADES")

    def _position(self, account: Account, name: InstrumentId) -> BrokerPosition:
        holding, instrument = account.holdings[name], self._universe.instrument(name)
        return BrokerPosition(
            account=account.id,
            instrument=name,
            quantity=holding.quantity,
            average_cost=holding.price * instrument.multiplier,
            currency=instrument.currency,
            multiplier=instrument.multiplier,
        )

    # News

    def _tell_order(self, order: VenueOrder) -> None:
        self._tell(order.client_id, _described(order), _status(order))

    def _tell(self, client_id: int, *news: News) -> None:
        for listener in self._concerned(client_id):
            listener(news)

    def _concerned(self, client_id: int) -> Iterator[Listener]:
        for concerned in dict.fromkeys((client_id, MASTER)):
            if listener := self._listeners.get(concerned):
                yield listener

    def _tell_all(self, *news: News) -> None:
        for listener in tuple(self._listeners.values()):
            listener(news)


def _terms(intent: OrderIntent) -> OrderTerms:
    ticket = intent.ticket
    return OrderTerms(
        quantity=intent.quantity,
        order_type=OrderKind(ticket.order_type),
        tif=Lifetime(ticket.tif),
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        outside_rth=ticket.outside_rth,
    )


def _described(order: VenueOrder) -> BrokerOrder:
    return BrokerOrder(
        order_ref=order.order_ref,
        client_id=order.client_id if order.working else -1,
        order_id=order.order_id if order.working else 0,
        perm_id=order.perm_id,
        account=order.account,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type.value,
        status=status_of(order.status),
        status_text=order.status,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        filled=order.filled,
        completed=not order.working,
        note=order.note,
    )


def _status(order: VenueOrder) -> BrokerStatus:
    return BrokerStatus(
        client_id=order.client_id,
        order_id=order.order_id,
        perm_id=order.perm_id,
        status=status_of(order.status),
        status_text=order.status,
        filled=order.filled,
        remaining=order.remaining,
        average_price=order.average_price or ZERO,
    )
