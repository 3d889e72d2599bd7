"""An order's way through a run: what a strategy asks for is decided, sent, worked on by the market, and told."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from mats.backtest.engine.bar_matching import Working
from mats.backtest.engine.context import RunContext
from mats.model import (
    CancelRequest,
    IntentId,
    Nanos,
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderState,
    Signal,
    StrategyName,
    changed_view,
)
from mats.orders import OrderFlow, OrderRecord
from mats.strategy.hosting import OrderCommand

ROUTE = 1
REQUESTS = (Signal, OrderRequest)


class OrderPath:
    """Takes one message at a time and posts what follows from it; it is the exchange of the order flow, too.

    `not_before` is the earliest start of a bar that an order may meet: one made while a bar is under way meets the
    next. What is on its way to the market for `latency` arrives when `arrivals` is told that it is time.
    """

    def __init__(self, run: RunContext, flow: OrderFlow, latency: Nanos) -> None:
        self._drivers, self._markets, self._clock = run.drivers, run.markets, run.clock
        self._queue = run.queue
        self.flow, self._latency = flow, latency
        self.on_the_way: deque[tuple[Nanos, Callable[[], None]]] = deque()
        self.not_before: Nanos = 0
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
        if isinstance(decision, OrderIntent):
            if self._queue:
                self._queue.append((self._submit, decision))
            else:
                self._submit(decision)
        elif decision is not None:
            self._queue.append((self._drivers[request.strategy].rejected, decision.order))

    def _submit(self, intent: OrderIntent) -> None:
        """Where sending takes no time, the order is acknowledged at once, and nobody hears of it in between."""
        order = self.flow.submit(intent, self._clock.now)
        if self._latency:
            self._tell(intent.strategy, order)

    def _cancel(self, intent_id: IntentId) -> None:
        order = self.flow.working(intent_id)
        if order is None:
            return
        strategy = order.origin.strategy
        if self.flow.cancel(order, intent_id, self._clock.now):
            self._tell(strategy, order)
        self._send(partial(self._cancelled, order, intent_id))

    def _modify(self, change: OrderModification) -> None:
        order = self.flow.working(change.intent_id)
        if order is not None:
            rejected = self.flow.modify(order, change, self._clock.now)
            if rejected is not None:
                self._queue.append((self._drivers[order.origin.strategy].rejected, rejected.order))

    # The exchange of the flow

    def submit(self, order: OrderRecord, intent: OrderIntent, number: int) -> None:
        """Take an order over; it is at the market after the latency."""
        now = self._clock.now + self._latency
        since = max(self.not_before, now)
        working = Working(order, intent, intent.side, intent.quantity, intent.ticket, since, number)
        if self._latency:
            self._send(partial(self._arrive, working))
        else:
            self._arrive(working)

    def modify(self, order: OrderRecord, change: OrderModification) -> None:
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

    def _arrive(self, working: Working) -> None:
        intent = working.intent
        self._markets[intent.instrument.id].add(working)
        self.flow.acknowledge(working.record, intent.intent_id, working.place, self._clock.now)
        self._tell(intent.strategy, working.record)

    def _cancelled(self, order: OrderRecord, intent_id: IntentId) -> None:
        market = self._markets[order.view().instrument]
        if (working := market.orders.get(intent_id)) is not None:
            market.remove(working)
            self.end(working, self._clock.now)

    def end(self, working: Working, now: Nanos, reason: str = "") -> None:
        """An order has ended at the market; `reason` is why where nobody asked for it."""
        self.flow.finish(working.record, working.intent.intent_id, now, reason)
        self._tell(working.intent.strategy, working.record)

    def _amend(self, order: OrderRecord, change: OrderModification) -> None:
        """New prices and more units lose the place in line. What is filled beyond the new quantity stays filled."""
        view = order.view()
        working = self._markets[view.instrument].orders.get(change.intent_id)
        if working is None or view.state is not OrderState.WORKING:
            return
        changed = changed_view(view, change)
        if changed.quantity <= order.filled:
            return
        if changed.ticket != working.ticket or changed.quantity > working.quantity:
            working.place = self.flow.next_number()
        working.quantity, working.ticket = changed.quantity, changed.ticket
        if self.flow.amend(order, change.intent_id, changed.quantity, changed.ticket, self._clock.now):
            self._tell(view.strategy, order)

    def resize(self, working: Working, filled: Decimal) -> None:
        """An order has new units at the market; so many of them are filled."""
        self.flow.resize(working.record, working.intent.intent_id, working.quantity, filled, working.ticket)
        self._tell(working.intent.strategy, working.record)

    def _tell(self, strategy: StrategyName, order: OrderRecord) -> None:
        """Let a strategy that listens hear in a turn of its own how its order stands now."""
        driver = self._drivers[strategy]
        if driver.hears or driver.timers:
            self._queue.append((driver.on_order, order.view()))
