"""Turns what strategies ask for into sized, checked order intents, or rejections with a code."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.model import (
    ZERO,
    AccountId,
    CancelRequest,
    ChildRequest,
    Instrument,
    IntentId,
    Nanos,
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderState,
    OrderView,
    Side,
    Signal,
    StrategyName,
    changed_view,
    floor_to,
    opening_view,
    refused_view,
)
from mats.risk import (
    KnownOrder,
    Limits,
    MarketQuote,
    MarketState,
    Position,
    Rejection,
    RiskState,
    Target,
    first_rejection,
    first_unsound,
    fraction_quantity,
    is_cancelling,
    is_conditional,
    least_change,
    next_step,
    nothing_to_reduce,
    remaining,
    target_quantity,
)

BUY, SELL = Side.BUY, Side.SELL


class Rejected(msgspec.Struct, frozen=True):
    """What was asked for does not happen. `order` is as it stands without it, its note begins with the code."""

    order: OrderView
    rejection: Rejection


class PreTrade:
    """Sizes and checks over a state of exposures and one of the market; whoever owns it keeps both up to date.

    `route_of` is the client id that carries a strategy's orders. Times are nanoseconds UTC and monotonic seconds.
    """

    def __init__(
        self, state: RiskState, market: MarketState, limits: Limits, route_of: Callable[[StrategyName], int]
    ) -> None:
        self.state, self.market, self.limits, self._route_of = state, market, limits, route_of
        self.cancels: list[CancelRequest] = []
        """Orders of replaced targets, which whoever asks for a decision cancels after it."""

    def decide(self, request: Signal | OrderRequest, now: Nanos, monotonic: float) -> OrderIntent | Rejected | None:
        """The order that is asked for, checked; None where the position asked for is held or on its way already.

        An order counts as exposure from the moment it is approved.
        """
        market = self.market
        strategy, instrument = request.strategy, market.instrument(request.instrument)
        named = "" if isinstance(request, Signal) else request.account
        account = named or market.account_of(strategy)
        position = self.state.positions[account, instrument.id]
        quote = market.quote(instrument, now, monotonic)
        if isinstance(request, Signal):
            target = self._target(request, instrument, account, quote)
            if isinstance(target, Rejection):
                return _rejected(refused_view(request, account, "", now), target, now)
            return self._pursue(target, instrument, position, quote, now)
        quantity = self._ordered_quantity(request, instrument, quote)
        if request.reduce_only and isinstance(quantity, Decimal):
            quantity = self._reducing_quantity(request, quantity, instrument, position)
        if not isinstance(quantity, Decimal):
            return _rejected(refused_view(request, account, "", now), quantity, now)
        intent = OrderIntent(
            intent_id=request.intent_id,
            strategy=strategy,
            account=account,
            instrument=instrument,
            side=request.side,
            quantity=quantity,
            ticket=request.ticket,
            time=request.time,
            reason=request.reason,
            reduce_only=request.reduce_only,
        )
        if request.children:
            intent = replace(intent, children=tuple(_child(child, intent) for child in request.children))
        decision = self._check(intent, position, quote, now)
        if position.targets and decision is intent and not is_conditional(intent):
            position.targets.pop(strategy, None)
        return decision

    def _check(self, intent: OrderIntent, position: Position, quote: MarketQuote, now: Nanos) -> OrderIntent | Rejected:
        """An approved order counts from here on."""
        state, strategy = self.state, intent.strategy
        exposures = state.exposures(position, strategy)
        context = self.market.pretrade_context(intent, exposures, quote, state, self._route_of(strategy), now)
        rejection = first_rejection(intent, context, self.limits)
        for child in intent.children:
            rejection = rejection or first_unsound(child, context, self.limits)
        if rejection is not None:
            return _rejected(replace(opening_view(intent), state=OrderState.REJECTED), rejection, now)
        for order in intent.family:
            state.approve(order, position, now)
        return intent

    # Targets

    def pursue(self, now: Nanos, monotonic: float) -> Iterator[OrderIntent | Rejected]:
        """What leads to the targets that stand, after something has happened to what they wait for."""
        moved = self.state.moved.copy()
        self.state.moved.clear()
        for position in moved:
            for target in tuple(position.targets.values()):
                instrument = self.market.instrument(target.signal.instrument)
                quote = self.market.quote(instrument, now, monotonic)
                decision = self._pursue(target, instrument, position, quote, now)
                if decision is not None:
                    yield decision
            if position.reducing:
                self._end_reducing(position, now)

    def _target(
        self, signal: Signal, instrument: Instrument, account: AccountId, quote: MarketQuote
    ) -> Target | Rejection:
        if not signal.strength:
            return Target(signal, account, ZERO, ZERO)
        basis = self.market.basis(signal.strategy, quote)
        units = target_quantity(instrument, signal.strength, basis)
        if isinstance(units, Rejection):
            return units
        return Target(signal, account, units, least_change(instrument, units, basis, self.limits))

    def _pursue(
        self, target: Target, instrument: Instrument, position: Position, quote: MarketQuote, now: Nanos
    ) -> OrderIntent | Rejected | None:
        """Do what leads to a target now. It replaces the one before, and stands while orders of its strategy are open
        besides the one that is made here."""
        signal, strategy = target.signal, target.signal.strategy
        own = [(name, order) for name, order in position.orders.items() if order.strategy == strategy]
        step = next_step(target, position.held.get(strategy, ZERO), own)
        if step.cancels:
            self._withdraw(target, step.cancels, now)
        if step.open and not target.over:
            position.targets[strategy] = target
        elif position.targets:
            position.targets.pop(strategy, None)
        quantity = floor_to(self._supported(step.quantity, target, position), instrument.size_increment)
        if not quantity:
            return None
        intent = OrderIntent(
            intent_id=target.next_id(),
            strategy=strategy,
            account=target.account,
            instrument=instrument,
            side=BUY if quantity > ZERO else SELL,
            quantity=abs(quantity),
            ticket=signal.ticket,
            time=signal.time,
            reason=signal.reason,
            of_target=True,
        )
        decision = self._check(intent, position, quote, now)
        if decision is not intent:
            position.targets.pop(strategy, None)
        return decision

    def _supported(self, quantity: Decimal, target: Target, position: Position) -> Decimal:
        """The way out goes as far as the account's position allows; where that is nowhere the checks object."""
        if not quantity or not position.unowned:
            return quantity
        own, _ = self.state.exposures(position, target.signal.strategy)
        if not own.supported or own.position * quantity >= ZERO:
            return quantity
        return max(quantity, -own.supported) if quantity < ZERO else min(quantity, own.supported)

    def _withdraw(self, target: Target, orders: Iterable[IntentId], now: Nanos) -> None:
        for intent_id in orders:
            target.withdrawn.add(intent_id)
            self.cancels.append(CancelRequest(intent_id=intent_id, strategy=target.signal.strategy, time=now))

    # Orders that only reduce

    def _reducing_quantity(
        self, request: OrderRequest, quantity: Decimal, instrument: Instrument, position: Position
    ) -> Decimal | Rejection:
        """What is asked for, cut to what can be closed; a rejection where that is nothing."""
        own, _ = self.state.exposures(position, request.strategy)
        cut = floor_to(min(quantity, own.closable(request.side)), instrument.size_increment)
        return cut if cut or not quantity else nothing_to_reduce(request.strategy, instrument.id, request.side, own)

    def _end_reducing(self, position: Position, now: Nanos) -> None:
        """Cancel the orders that only reduce where what they were to close is gone, as far as that can be known."""
        for intent_id in [name for name in position.orders if name in position.reducing]:
            order = position.orders[intent_id]
            if self._is_void(intent_id, order, position) and not is_cancelling(order):
                position.reducing.discard(intent_id)
                self.cancels.append(CancelRequest(intent_id=intent_id, strategy=order.strategy, time=now))

    def _is_void(self, intent_id: IntentId, order: KnownOrder, position: Position) -> bool:
        """Whether an order could open a position; what protects may be larger than that, and waits for its entry."""
        if order.parent:
            held = position.held.get(order.strategy, ZERO)
            return order.parent not in position.orders and held * order.side.sign >= ZERO
        own, _ = self.state.exposures(position, order.strategy, without=intent_id)
        return remaining(order) > own.closable(order.side)

    # Changes of orders

    def decide_change(
        self, change: OrderModification, now: Nanos, monotonic: float
    ) -> OrderModification | Rejected | None:
        """A changed order is checked like a new one of what would be left of it; a larger one counts at once.

        None where there is no such order.
        """
        state, market = self.state, self.market
        order = state.order(change.intent_id)
        if order is None:
            return None
        changed = changed_view(order, change)
        rest = OrderIntent(
            intent_id=order.intent_id,
            strategy=order.strategy,
            account=order.account,
            instrument=market.instrument(order.instrument),
            side=order.side,
            quantity=changed.remaining,
            ticket=changed.ticket,
            time=change.time,
            reduce_only=order.reduce_only,
        )
        position = state.positions[order.account, order.instrument]
        exposures = state.exposures(position, order.strategy, without=order.intent_id)
        quote = market.quote(rest.instrument, now, monotonic)
        context = market.pretrade_context(rest, exposures, quote, state, self._route_of(rest.strategy), now)
        rejection = first_rejection(rest, context, self.limits)
        if rejection is not None:
            return _rejected(order, rejection, now)
        state.observe(replace(order, quantity=max(order.quantity, changed.quantity)))
        return change

    def _ordered_quantity(
        self, request: OrderRequest, instrument: Instrument, quote: MarketQuote
    ) -> Decimal | Rejection:
        if request.size is None:
            return request.quantity or ZERO
        return fraction_quantity(instrument, request.size, self.market.basis(request.strategy, quote))


def _child(request: ChildRequest, parent: OrderIntent) -> OrderIntent:
    """An order that protects what its parent opens."""
    return replace(
        parent,
        intent_id=request.intent_id,
        side=parent.side.opposite,
        ticket=request.ticket,
        reduce_only=False,
        parent=parent.intent_id,
    )


def _rejected(order: OrderView, rejection: Rejection, now: Nanos) -> Rejected:
    note = f"{rejection.code}: {rejection.text}"
    return Rejected(replace(order, note=note, code=str(rejection.code), updated=now), rejection)
