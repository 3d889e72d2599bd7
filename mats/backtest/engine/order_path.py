"""An order's way through a run: what a strategy asks for is decided, sent, worked on by the market, and told."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TypeVar

from mats.backtest.engine.bar_order import BarOrder
from mats.backtest.engine.context import RunContext
from mats.model import (
    CancelRequest,
    IntentId,
    Nanos,
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderState,
    OrderTicket,
    Signal,
    changed_view,
)
from mats.orders import OrderFlow, Rejected
from mats.strategy.hosting import OrderCommand
from mats.venue.matching import CANCELLED_WITH, ENDED_WITH, PARENT_ENDED, Brackets, quantity_left

T = TypeVar("T")

ROUTE = 1
REQUESTS = (Signal, OrderRequest)


class OrderPath:
    """Takes one message at a time and posts what follows from it; it is the exchange of the order flow, too.

    `not_before` is the earliest start of a bar that an order may meet: one made while a bar is under way meets the
    next. What is on its way to the market for `latency` arrives when `arrivals` is told that it is time.
    """

    def __init__(self, run: RunContext, flow: OrderFlow[BarOrder], latency: Nanos) -> None:
        self._drivers, self._markets, self._portfolio = run.drivers, run.markets, run.portfolio
        self._clock, self._queue = run.clock, run.queue
        self.flow, self._latency = flow, latency
        self.on_the_way: deque[tuple[Nanos, Callable[[], None]]] = deque()
        self.not_before: Nanos = 0
        self.brackets = Brackets[BarOrder]()
        flow.exchange = self

    # What strategies ask for

    def on_command(self, command: OrderCommand) -> None:
        """What a strategy asks for goes to whom it concerns."""
        if isinstance(command, REQUESTS):
            self.decide(command)
        elif isinstance(command, CancelRequest):
            self._cancel(command.intent_id)
        else:
            self._modify(command)

    def decide(self, request: Signal | OrderRequest) -> None:
        """An approved order is sent in its turn: at once where nothing else waits."""
        decision = self.flow.decide(request, self._clock.now)
        if decision is not None:
            self._carry_out(decision)
        if self.flow.cancels:
            self._replace()

    def pursue(self, _: None = None) -> None:
        """Targets that wait for the end of orders go on."""
        for decision in self.flow.pursue(self._clock.now):
            self._carry_out(decision)
        if self.flow.cancels:
            self._replace()

    def _carry_out(self, decision: OrderIntent | Rejected) -> None:
        if isinstance(decision, Rejected):
            self._queue.append((self._drivers[decision.order.strategy].rejected, decision.order))
        elif self._queue:
            self._queue.append((self._submit, decision))
        else:
            self._submit(decision)

    def _replace(self) -> None:
        """Cancel what a new target replaces."""
        for cancel in self.flow.take_cancels():
            self._cancel(cancel.intent_id)

    def _submit(self, intent: OrderIntent) -> None:
        self.flow.submit(intent, self._clock.now)
        for child in intent.children:
            self.flow.submit(child, self._clock.now)

    def _cancel(self, intent_id: IntentId) -> None:
        order = self.flow.working(intent_id)
        if order is None:
            self._after_submission(intent_id, self._cancel, intent_id)
            return
        if self.flow.cancel(order, intent_id, self._clock.now):
            self._tell(order)
        self._send(partial(self._cancelled, order))

    def _modify(self, change: OrderModification) -> None:
        order = self.flow.working(change.intent_id)
        if order is None:
            self._after_submission(change.intent_id, self._modify, change)
        else:
            rejected = self.flow.modify(order, change, self._clock.now)
            if rejected is not None:
                self._queue.append((order.driver.rejected, rejected.order))

    def _after_submission(self, intent_id: IntentId, act: Callable[[T], None], message: T) -> None:
        """What is about an order that was approved and waits for its turn to be sent comes after that."""
        if self.flow.is_approved(intent_id):
            self._queue.append((act, message))

    # The exchange of the flow

    def new_order(self, intent: OrderIntent, number: int) -> BarOrder:
        """An order, with what it will need on its way."""
        now, strategy = self._clock.now + self._latency, intent.strategy
        return BarOrder(
            intent,
            intent.quantity,
            intent.ticket,
            intent.time,
            self._drivers[strategy],
            self._portfolio.holding(strategy, intent.instrument),
            max(self.not_before, now),
            number,
        )

    def submit(self, order: BarOrder) -> None:
        """Take an order over. Where sending takes no time, nobody hears of it before it is acknowledged."""
        if self._latency:
            self._send(partial(self._arrive, order))
            self._tell(order)
        else:
            self._arrive(order)

    def modify(self, order: BarOrder, change: OrderModification) -> None:
        """Change an order after the latency."""
        self._send(partial(self._amend, order, change))

    def _send(self, act: Callable[[], None]) -> None:
        if self._latency:
            self.on_the_way.append((self._clock.now + self._latency, act))
        else:
            act()

    def arrivals(self, now: Nanos) -> None:
        """Let what has reached the market by now take effect."""
        while self.on_the_way and self.on_the_way[0][0] <= now:
            self.on_the_way.popleft()[1]()

    @property
    def next_arrival(self) -> Nanos | None:
        """When the next thing reaches the market; None where nothing is on its way."""
        return self.on_the_way[0][0] if self.on_the_way else None

    def _arrive(self, order: BarOrder) -> None:
        parent = order.origin.parent
        if not parent or not self.brackets.hold(order, self.flow.working(parent)):
            self._markets[order.origin.instrument.id].add(order)
        self.flow.acknowledge(order, order.origin.intent_id, order.place, self._clock.now)
        self._tell(order)

    def _cancelled(self, order: BarOrder) -> None:
        if not order.over:
            self._markets[order.instrument.id].remove(order)
            self.end(order, self._clock.now)

    def end(self, order: BarOrder, now: Nanos, reason: str = "") -> None:
        """An order has ended at the market; `reason` is why where nobody asked for it."""
        self._finish(order, now, reason)
        if self.brackets:
            self._end_with(order, now)

    def _finish(self, order: BarOrder, now: Nanos, reason: str) -> None:
        self.flow.finish(order, order.intent_id, now, reason)
        self._tell(order)
        if self.flow.moved:
            self._queue.append((self.pursue, None))

    # Brackets

    def filled(self, order: BarOrder, quantity: Decimal, now: Nanos) -> None:
        """So much of an order of a bracket was filled: that lets its children go, or ends or reduces the others."""
        if order.remaining <= 0:
            self._release(order)
        for other in tuple(self.brackets.others(order)):
            left = quantity_left(other, order, quantity)
            if left <= other.filled:
                self._drop(other, now, ENDED_WITH)
            elif self.flow.amend(other, other.intent_id, left, other.ticket, now):
                self._tell(other)
        if order.remaining <= 0:
            self.brackets.forget(order)

    def _end_with(self, order: BarOrder, now: Nanos) -> None:
        """An order has ended unfilled: its children are released for what it filled, or end with it."""
        others = tuple(self.brackets.others(order))
        self.brackets.forget(order)
        for other in others:
            self._drop(other, now, CANCELLED_WITH)
        if order.filled:
            self._release(order)
            return
        for child in self.brackets.released_by(order):
            self._drop(child, now, PARENT_ENDED)

    def _release(self, parent: BarOrder) -> None:
        """The children go to the market, on the path of the bar that filled their parent."""
        for child in self.brackets.released_by(parent):
            if child.quantity > parent.filled:
                self.flow.amend(child, child.intent_id, parent.filled, child.ticket, self._clock.now)
            child.since = min(child.since, parent.met)
            self._markets[child.instrument.id].add(child)

    def _drop(self, order: BarOrder, now: Nanos, reason: str) -> None:
        """An order of a bracket ends by another one."""
        self._markets[order.instrument.id].remove(order)
        self.brackets.forget(order)
        self._finish(order, now, reason)

    def _amend(self, order: BarOrder, change: OrderModification) -> None:
        """New prices and more units lose the place in line. What is filled beyond the new quantity stays filled."""
        if order.over or order.state is not OrderState.WORKING:
            return
        changed = changed_view(order.view(), change)
        if changed.quantity <= order.filled:
            return
        if changed.ticket != order.ticket or changed.quantity > order.quantity:
            order.place = self.flow.next_number()
        if self.flow.amend(order, order.intent_id, changed.quantity, changed.ticket, self._clock.now):
            self._tell(order)

    def resize(self, order: BarOrder, quantity: Decimal, filled: Decimal, ticket: OrderTicket) -> None:
        """An order has new units at the market; so many of them are filled."""
        self.flow.resize(order, order.intent_id, quantity, filled, ticket)
        self._tell(order)

    def _tell(self, order: BarOrder) -> None:
        """Let a strategy that listens hear in a turn of its own how its order stands now."""
        driver = order.driver
        if driver.hears or driver.timers:
            self._queue.append((driver.on_order, order.view()))
