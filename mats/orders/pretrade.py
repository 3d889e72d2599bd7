"""Turns what strategies ask for into sized, checked order intents, or rejections with a code."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.model import (
    ZERO,
    Instrument,
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
    opening_view,
    refused_view,
)
from mats.risk import (
    Exposure,
    Limits,
    MarketQuote,
    MarketState,
    Rejection,
    RiskState,
    first_rejection,
    fraction_quantity,
    order_quantity,
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

    def decide(self, request: Signal | OrderRequest, now: Nanos, monotonic: float) -> OrderIntent | Rejected | None:
        """The order that is asked for, checked; None where the position asked for is held or on its way already.

        An order counts as exposure from the moment it is approved.
        """
        state, market = self.state, self.market
        strategy, instrument = request.strategy, market.instrument(request.instrument)
        named = "" if isinstance(request, Signal) else request.account
        account = named or market.account_of(strategy)
        position = state.positions[account, instrument.id]
        exposures = state.exposures(position, strategy)
        quote = market.quote(instrument, now, monotonic)
        quantity = self._signed_quantity(request, instrument, exposures[0], quote)
        if not isinstance(quantity, Decimal):
            return _rejected(refused_view(request, account, "", now), quantity, now)
        if not isinstance(request, Signal):
            side = request.side
        elif quantity:
            side = BUY if quantity > ZERO else SELL
        else:
            return None
        intent = OrderIntent(
            intent_id=request.intent_id,
            strategy=strategy,
            account=account,
            instrument=instrument,
            side=side,
            quantity=quantity if side is BUY else -quantity,
            ticket=request.ticket,
            time=request.time,
            reason=request.reason,
        )
        context = market.pretrade_context(intent, exposures, quote, state, self._route_of(strategy), now)
        rejection = first_rejection(intent, context, self.limits)
        if rejection is not None:
            return _rejected(replace(opening_view(intent), state=OrderState.REJECTED), rejection, now)
        state.approve(intent, position, now)
        return intent

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

    def _signed_quantity(
        self, request: Signal | OrderRequest, instrument: Instrument, held: Exposure, quote: MarketQuote
    ) -> Decimal | Rejection:
        """Of a signal the difference between the position asked for and what is held and on its way."""
        if isinstance(request, Signal):
            target: Decimal | Rejection = ZERO
            if request.strength:
                target = target_quantity(instrument, request.strength, self.market.basis(request.strategy, quote))
            if not isinstance(target, Decimal):
                return target
            return order_quantity(target, held.position, held.pending, instrument.size_increment)
        if request.size is None:
            return (request.quantity or ZERO) * request.side.sign
        units = fraction_quantity(instrument, request.size, self.market.basis(request.strategy, quote))
        return units if isinstance(units, Rejection) else units * request.side.sign


def _rejected(order: OrderView, rejection: Rejection, now: Nanos) -> Rejected:
    return Rejected(replace(order, note=f"{rejection.code}: {rejection.text}", updated=now), rejection)
