"""An order's way to the market in a backtest: risk, order manager, exchange. The decisions are those of the actors."""

from collections import deque
from collections.abc import Callable

from mats.backtest.scene import Scene
from mats.ledger import apply, changed_view, opening_view
from mats.ledger import order_events as ev
from mats.model import (
    SECOND,
    CancelRequest,
    InstrumentId,
    IntentId,
    Nanos,
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderState,
    OrderView,
    Signal,
    StrategyName,
)
from mats.risk import Denied, Limits, RiskDesk, RiskState, World
from mats.strategy.hosting import OrderCommand
from mats.venue import Working

ROUTE = 1


class Pipe:
    """Takes one message at a time and posts what follows from it.

    `not_before` is the earliest start of a bar that an order may meet: one made while a bar is under way meets the
    next. What is on its way to the market for `latency` arrives when `arrivals` is told that it is time.
    """

    def __init__(self, scene: Scene, limits: Limits, latency: Nanos) -> None:
        self._speakers, self._tapes, self._markets, self._portfolio = scene[1:5]
        self._latency, self._clock = latency, scene.clock
        self._post: Callable[[tuple[Callable[..., None], object]], None] = scene.queue.append
        self.state = RiskState()
        self._world = World(limits, scene.portfolio.base, (scene.account,))
        self._world.accounts, self._world.behind, self._world.routes = (scene.account,), (), {ROUTE}
        for tape in scene.tapes.values():
            self._world.know(tape.instrument)
        self._desk = RiskDesk(self.state, self._world, limits, lambda strategy: ROUTE)
        self._on_the_way: deque[tuple[Nanos, Callable[[], None]]] = deque()
        self._sent = 0
        self.not_before: Nanos = 0
        self.views: dict[IntentId, OrderView] = {}

    # Risk

    def hear(self, wish: OrderCommand) -> None:
        """What a strategy asks for comes to whom it concerns."""
        if isinstance(wish, CancelRequest):
            self.cancel(wish)
        elif isinstance(wish, OrderModification):
            self.change(wish)
        else:
            self.decide(wish)

    def decide(self, wish: Signal | OrderRequest) -> None:
        """The risk manager's turn."""
        self._look_around(wish.strategy, wish.instrument)
        now = self._clock.now
        decision = self._desk.decide(wish, now, now / SECOND)
        if isinstance(decision, Denied):
            order = self.views[decision.order.intent_id] = decision.order
            self._post((self._speakers[order.strategy].denied, order))
        elif decision is not None:
            self._post((self.submit, decision))

    def change(self, change: OrderModification) -> None:
        """The risk manager's turn, and the order manager's where nothing speaks against the change."""
        view = self.views.get(change.intent_id)
        if view is None or view.state.final:
            return
        self._look_around(view.strategy, view.instrument)
        now = self._clock.now
        decision = self._desk.decide_change(change, now, now / SECOND)
        if isinstance(decision, Denied):
            self._post((self._speakers[view.strategy].denied, decision.order))
        elif decision is not None:
            self._send(lambda: self._amend(change))

    def _look_around(self, strategy: StrategyName, instrument: InstrumentId) -> None:
        """Tell risk the price as of the clock, the equity and the rate.

        Between two closes a price cannot be younger than the last close: it grows old when the next one is overdue.
        """
        tape, world, portfolio, now = self._tapes[instrument], self._world, self._portfolio, self._clock.now
        mark = tape.mark()
        if mark is not None:
            due = tape.end(tape.row) + tape.columns.seconds * SECOND
            world.mark(instrument, mark, min(due, now) / SECOND)
        world.equities[strategy] = self._speakers[strategy].desk.equity()
        currency = tape.instrument.currency
        if currency != portfolio.base and (rate := portfolio.rate(currency)) is not None:
            world.rates = world.rates.with_rate(currency, portfolio.base, rate, now, "the newest close")

    # Orders

    def submit(self, intent: OrderIntent) -> None:
        """The order manager's turn: an approved intent goes to the market.

        Where that takes no time, the order is sent and acknowledged at once, and nobody hears of it in between.
        """
        self._sent += 1
        now = self._clock.now
        sent = apply(opening_view(intent), ev.OrderSent(time=now, client_id=ROUTE, order_id=self._sent))
        working = Working(
            intent_id=intent.intent_id,
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            ticket=intent.ticket,
            since=max(now + self._latency, self.not_before),
            place=self._sent,
        )
        if self._latency:
            self.put(sent)
            self._send(lambda: self._arrive(self.views[working.intent_id], working))
        else:
            self._arrive(sent, working)

    def hand_over(self, intent: OrderIntent) -> None:
        """Take over an order that was approved and is at the market already: nobody is told anew."""
        self.state.submitted(intent.strategy, self._clock.now)
        self._post, post = self._keep, self._post
        self.submit(intent)
        self._post = post

    def _keep(self, item: tuple[Callable[..., None], object]) -> None:
        """What was to be said of an order goes to its strategy's desk only."""
        if isinstance(item[1], OrderView):
            self._speakers[item[1].strategy].desk.take_order(item[1])

    def cancel(self, request: CancelRequest) -> None:
        """The order manager's turn."""
        view = self.views.get(request.intent_id)
        if view is None or view.state.final:
            return
        self.put(apply(view, ev.CancelRequested(time=self._clock.now)))
        self._send(lambda: self._cancelled(request.intent_id))

    def put(self, view: OrderView) -> OrderView:
        """Keep how an order stands now, and tell risk and its strategy."""
        if view is not self.views.get(view.intent_id):
            self.views[view.intent_id] = view
            self.state.observe(view)
            self._post((self._speakers[view.strategy].order, view))
        return view

    # At the market

    def _send(self, act: Callable[[], None]) -> None:
        if self._latency:
            self._on_the_way.append((self._clock.now + self._latency, act))
        else:
            act()

    def arrivals(self, now: Nanos) -> None:
        """Let what has reached the market by now take effect."""
        while self._on_the_way and self._on_the_way[0][0] <= now:
            self._on_the_way.popleft()[1]()

    @property
    def next_arrival(self) -> Nanos | None:
        """When the next thing reaches the market; None where nothing is on its way."""
        return self._on_the_way[0][0] if self._on_the_way else None

    def _arrive(self, view: OrderView, working: Working) -> None:
        self._markets[working.instrument.id].add(working)
        self.put(apply(view, ev.StatusReported(time=self._clock.now, status="Submitted", perm_id=working.place)))

    def _cancelled(self, intent_id: IntentId) -> None:
        view = self.views[intent_id]
        market = self._markets[view.instrument]
        if (working := market.orders.get(intent_id)) is not None:
            market.remove(working)
            self.put(apply(view, ev.StatusReported(time=self._clock.now, status="Cancelled", filled=view.filled)))

    def _amend(self, change: OrderModification) -> None:
        """New prices and more units lose the place in line. What is filled beyond the new quantity stays filled."""
        view = self.views[change.intent_id]
        working = self._markets[view.instrument].orders.get(change.intent_id)
        if working is None or view.state is not OrderState.WORKING:
            return
        changed = changed_view(view, change)
        if changed.quantity <= working.filled:
            return
        if changed.ticket != working.ticket or changed.quantity > working.quantity:
            self._sent += 1
            working.place = self._sent
        working.quantity, working.ticket = changed.quantity, changed.ticket
        self.put(apply(view, ev.OrderModified(time=self._clock.now, quantity=changed.quantity, ticket=changed.ticket)))
