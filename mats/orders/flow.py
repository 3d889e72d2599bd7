"""The order flow in one thread: size → check → journal → send → apply → book.

Live, the risk manager owns the first half (`PreTrade`) and the order manager the second (`OrderTracker`), with messages
and a socket in between. Here nothing is in between, so orders are records that the same state table changes in place,
and exposures are told of fills at once. Each step is the one that runs live.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from mats.model import (
    SECOND,
    AccountId,
    BrokerOrderStatus,
    CancelRequest,
    InstrumentId,
    IntentId,
    Nanos,
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderTicket,
    OrderView,
    Side,
    Signal,
    StrategyName,
)
from mats.orders import order_events as ev
from mats.orders.order_state import booked, happen, sent, status
from mats.orders.pretrade import PreTrade, Rejected
from mats.orders.record import OrderRecord

BUY = Side.BUY
WORKING, CANCELLED = BrokerOrderStatus.WORKING, BrokerOrderStatus.CANCELLED


Order = TypeVar("Order", bound=OrderRecord)
"""The records of orders that an exchange works with."""


class Exchange(Protocol[Order]):
    """Where orders are sent. It answers with `acknowledge`, `fill`, `finish` and `amend` of the flow."""

    def new_order(self, intent: OrderIntent, number: int) -> Order:
        """The record of an order that is about to be sent; `number` counts the orders of the run."""

    def submit(self, order: Order) -> None:
        """Take an order over."""

    def modify(self, order: Order, change: OrderModification) -> None:
        """Change an order."""


class OrderFlow(Generic[Order]):
    """Every order of a run, from what a strategy asked for to the last fill. `route` is the client id of all.

    `orders` is the journal: every order in the order of sending, and what was rejected as its strategy was told.
    """

    def __init__(self, pretrade: PreTrade, route: int) -> None:
        self.exchange: Exchange[Order]
        self.orders: dict[IntentId, Order | OrderView] = {}
        self._pretrade, self._route = pretrade, route
        self._state = pretrade.state
        self.moved, self.cancels = pretrade.state.moved, pretrade.cancels
        """Where something has happened to what targets wait for, and what is to be cancelled for them; live views."""
        self._numbers = 0
        self._modified: set[IntentId] = set()

    def working(self, intent_id: IntentId) -> Order | None:
        """The order, where it was sent and is not final."""
        order = self.orders.get(intent_id)
        return None if order is None or isinstance(order, OrderView) or order.state.final else order

    @property
    def working_ids(self) -> Iterable[IntentId]:
        """Every order that was approved and is not final, in the order of approval."""
        return self._state.working

    def is_approved(self, intent_id: IntentId) -> bool:
        """Whether it was approved and has not been sent yet."""
        return intent_id in self._state.working and intent_id not in self.orders

    def views(self) -> list[OrderView]:
        """Every order as it stands."""
        return [order if isinstance(order, OrderView) else order.view() for order in self.orders.values()]

    def next_number(self) -> int:
        """The next place in line."""
        self._numbers += 1
        return self._numbers

    # Size and check

    def decide(self, request: Signal | OrderRequest, now: Nanos) -> OrderIntent | Rejected | None:
        """What becomes of a request; a rejection is kept."""
        decision = self._pretrade.decide(request, now, now / SECOND)
        if not isinstance(decision, OrderIntent) and decision is not None:
            self.orders[decision.order.intent_id] = decision.order
        return decision

    def pursue(self, now: Nanos) -> Iterator[OrderIntent | Rejected]:
        """What leads to the targets that stand, after something has happened; a rejection is kept."""
        for decision in self._pretrade.pursue(now, now / SECOND):
            if isinstance(decision, Rejected):
                self.orders[decision.order.intent_id] = decision.order
            yield decision

    def take_cancels(self) -> list[CancelRequest]:
        """The orders of replaced targets that are to be cancelled, once."""
        cancels = self.cancels.copy()
        self.cancels.clear()
        return cancels

    def modify(self, order: Order, change: OrderModification, now: Nanos) -> Rejected | None:
        """Check a change of a working order and send it; None too where there is nothing to change."""
        self._modified.add(change.intent_id)
        decision = self._pretrade.decide_change(change, now, now / SECOND)
        if isinstance(decision, Rejected):
            return decision
        if decision is not None:
            self.exchange.modify(order, decision)
        return None

    # Journal, send, apply

    def submit(self, intent: OrderIntent, now: Nanos) -> Order:
        """An approved intent becomes an order and goes to the exchange."""
        self._numbers = number = self._numbers + 1
        self.orders[intent.intent_id] = order = self.exchange.new_order(intent, number)
        self._state.follow(intent.intent_id, order)
        sent(order, now, self._route, number)
        self.exchange.submit(order)
        return order

    def cancel(self, order: OrderRecord, intent_id: IntentId, now: Nanos) -> bool:
        """The end of a working order is asked for, which its owner sends; False where it was asked for before."""
        outcome = happen(order, ev.CancelRequested(time=now))
        self._refresh(order, intent_id)
        return not outcome.ignored

    # What the exchange answers

    def acknowledge(self, order: OrderRecord, intent_id: IntentId, number: int, now: Nanos) -> None:
        """The order works at the exchange."""
        status(order, now, WORKING, number)
        if self._modified:
            self._refresh(order, intent_id)

    def amend(
        self, order: OrderRecord, intent_id: IntentId, quantity: Decimal, ticket: OrderTicket, now: Nanos
    ) -> bool:
        """The order works as it was changed; whether that differs from before."""
        differs = (quantity, ticket) != (order.quantity, order.ticket)
        if differs:
            happen(order, ev.OrderModified(time=now, quantity=quantity, ticket=ticket))
            self._refresh(order, intent_id)
        return differs

    def finish(self, order: OrderRecord, intent_id: IntentId, now: Nanos, note: str = "") -> None:
        """The order works no more; `note` says why where nobody asked for it."""
        status(order, now, CANCELLED, filled=order.filled)
        order.note = note
        self._state.forget(intent_id)

    def fill(self, order: OrderRecord, intent: OrderIntent, quantity: Decimal, price: Decimal, now: Nanos) -> int:
        """Book an execution with its order and with risk; returns its number among all entries."""
        state, intent_id = self._state, intent.intent_id
        booked(order, now, quantity, quantity * price)
        order.applied = seq = state.seq + 1
        position = state.working[intent_id]
        if position.targets:
            state.filled(position, order)
        state.book(seq, position, intent.strategy, quantity if intent.side is BUY else -quantity)
        if order.filled >= order.quantity:
            state.forget(intent_id)
        else:
            self._refresh(order, intent_id)
        return seq

    # What the calendar brings

    @property
    def next_entry(self) -> int:
        """The number of the next entry: fills and adjustments count together."""
        return self._state.seq + 1

    def adjust(self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, change: Decimal) -> None:
        """A position changes without an execution."""
        self._state.book(self.next_entry, self._state.positions[account, instrument], strategy, change)

    def resize(
        self, order: OrderRecord, intent_id: IntentId, quantity: Decimal, filled: Decimal, ticket: OrderTicket
    ) -> None:
        """The order in new units; what its fills were worth stays."""
        order.quantity, order.filled, order.ticket = quantity, filled, ticket
        self._state.follow(intent_id, order)

    def _refresh(self, order: OrderRecord, intent_id: IntentId) -> None:
        """Risk counts a changed order as the larger of both until something happens to it."""
        if intent_id in self._modified:
            self._state.follow(intent_id, order)
