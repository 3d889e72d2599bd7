"""From wish to order: a wish becomes a sized and checked intent, a denial, or nothing where nothing is to be done."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.ledger import changed_view, opening_view, refused_view
from mats.model import (
    ZERO,
    AccountId,
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
)
from mats.risk.checks import check_order
from mats.risk.denial import Denial
from mats.risk.limits import Limits
from mats.risk.sizing import fraction_quantity, order_quantity, target_quantity
from mats.risk.state import RiskState
from mats.risk.world import World


class Denied(msgspec.Struct, frozen=True):
    """What was asked for does not happen. `order` is as it stands without it, its note begins with the code."""

    order: OrderView
    denial: Denial


class RiskDesk:
    """The decisions of the risk manager over its state and its world; whoever owns it tells the time and the news.

    `route_of` is the client id that carries a strategy's orders. Times are nanoseconds UTC and monotonic seconds.
    """

    def __init__(self, state: RiskState, world: World, limits: Limits, route_of: Callable[[StrategyName], int]) -> None:
        self._state, self._world, self._limits, self._route_of = state, world, limits, route_of

    def decide(self, wish: Signal | OrderRequest, now: Nanos, monotonic: float) -> OrderIntent | Denied | None:
        """What becomes of a wish; an order counts as exposure from the moment it is approved."""
        intent = self._sized(wish, now)
        if not isinstance(intent, OrderIntent):
            return intent
        denial = self._objection(intent, now, monotonic)
        if denial is not None:
            return _denied(replace(opening_view(intent), state=OrderState.REJECTED), denial, now)
        self._state.submitted(intent.strategy, now)
        self._state.observe(opening_view(intent))
        return intent

    def decide_change(
        self, change: OrderModification, now: Nanos, monotonic: float
    ) -> OrderModification | Denied | None:
        """A changed order is checked like a new one of what would be left of it; a larger one counts at once.

        None where there is no such order.
        """
        order = self._state.order(change.intent_id)
        if order is None:
            return None
        changed = changed_view(order, change)
        rest = OrderIntent(
            intent_id=order.intent_id,
            strategy=order.strategy,
            account=order.account,
            instrument=self._world.instrument(order.instrument),
            side=order.side,
            quantity=changed.remaining,
            ticket=changed.ticket,
            time=change.time,
        )
        denial = self._objection(rest, now, monotonic)
        if denial is not None:
            return _denied(order, denial, now)
        self._state.observe(replace(order, quantity=max(order.quantity, changed.quantity)))
        return change

    def _sized(self, wish: Signal | OrderRequest, now: Nanos) -> OrderIntent | Denied | None:
        instrument, named = (
            self._world.instrument(wish.instrument),
            wish.account if isinstance(wish, OrderRequest) else "",
        )
        account = named or self._world.account_of(wish.strategy)
        quantity = self._signed_quantity(wish, instrument, account, now)
        if isinstance(quantity, Denial):
            return _denied(refused_view(wish, account, "", now), quantity, now)
        if isinstance(wish, Signal) and not quantity:
            return None
        side = wish.side if isinstance(wish, OrderRequest) else Side.of(quantity)
        return OrderIntent(
            intent_id=wish.intent_id,
            strategy=wish.strategy,
            account=account,
            instrument=instrument,
            side=side,
            quantity=quantity * side.sign,
            ticket=wish.ticket,
            time=wish.time,
            reason=wish.reason,
        )

    def _signed_quantity(
        self, wish: Signal | OrderRequest, instrument: Instrument, account: AccountId, now: Nanos
    ) -> Decimal | Denial:
        """Of a signal the difference between the position wished for and what is held and on its way."""
        if isinstance(wish, Signal):
            basis = self._world.basis(wish.strategy, instrument, now)
            target = target_quantity(instrument, wish.strength, basis)
            if isinstance(target, Denial):
                return target
            held = self._state.exposure(account, instrument.id, wish.strategy)
            return order_quantity(target, held.position, held.pending, instrument.size_increment)
        if wish.size is None:
            return (wish.quantity or ZERO) * wish.side.sign
        units = fraction_quantity(instrument, wish.size, self._world.basis(wish.strategy, instrument, now))
        return units if isinstance(units, Denial) else units * wish.side.sign

    def _objection(self, intent: OrderIntent, now: Nanos, monotonic: float) -> Denial | None:
        route = self._route_of(intent.strategy)
        return check_order(intent, self._world.meets(intent, self._state, route, now, monotonic), self._limits)


def _denied(order: OrderView, denial: Denial, now: Nanos) -> Denied:
    return Denied(replace(order, note=f"{denial.code}: {denial.text}", updated=now), denial)
