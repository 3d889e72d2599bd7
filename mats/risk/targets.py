"""Targets: what a strategy wants to hold of an instrument, and the orders that lead there.

A target owns the orders that it made. A new target replaces them: what leads elsewhere is cancelled, and only what
cannot be filled twice is sent at once; the rest follows when the cancel is proved. So a target stands as long as orders
are open that can still lead away from it:

- what can still fill towards the target, cancelled or not, is not ordered again before its end is proved;
- what stands on the other side is no help: the position is led to the target, and again if that order fills;
- conditional orders (stops) protect the position and lead to no target. When one of them fills, the target is over.

A target is over, too, when an order of its own ends unfilled without its doing, for then the broker or the strategy has
ended it, and when the strategy places an order of its own that leads elsewhere.
"""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from mats.model import ZERO, AccountId, IntentId, Side, Signal
from mats.risk.open_orders import KnownOrder, is_cancelling, is_conditional, remaining


class Target(msgspec.Struct):
    """A signal as a number of `units`, signed, in an account.

    A change of less than `least_change` units is not worth an order. `orders` counts those that it made, `withdrawn`
    are those that it cancels. `over`: it makes no more.
    """

    signal: Signal
    account: AccountId
    units: Decimal
    least_change: Decimal
    orders: int = 0
    withdrawn: set[IntentId] = set()
    over: bool = False

    def owns(self, intent_id: IntentId) -> bool:
        """Whether an order was made for this target, not for an earlier one."""
        first = self.signal.intent_id
        return intent_id == first or intent_id.startswith(f"{first}.")

    def next_id(self) -> IntentId:
        """The id of the next order: that of the signal, then numbered ones."""
        self.orders += 1
        first = self.signal.intent_id
        return first if self.orders == 1 else f"{first}.{self.orders}"


class Step(msgspec.Struct, frozen=True, gc=False):
    """What leads to a target now: a signed `quantity` to trade, and orders to cancel. `open`: other orders of the
    strategy can still change the position, so the target stands until they end."""

    quantity: Decimal = ZERO
    cancels: tuple[IntentId, ...] = ()
    open: bool = False


def next_step(target: Target, held: Decimal, orders: Collection[tuple[IntentId, KnownOrder]]) -> Step:
    """From what a strategy holds of an instrument and its orders on it that can still fill."""
    need = ZERO if target.over else target.units - held
    if not orders:
        return Step(_worth_it(target, need, held))
    side = Side.BUY if need > ZERO else Side.SELL
    on_the_way, is_open = ZERO, False
    owned: list[IntentId] = []
    cancels: list[IntentId] = []
    for intent_id, order in orders:
        left = remaining(order)
        if left <= ZERO or is_conditional(order):
            continue
        is_open = True
        helps = bool(need) and order.side is side
        if helps:
            on_the_way += left
        if order.of_target and not is_cancelling(order):
            keeps = helps and order.ticket == target.signal.ticket
            (owned if keeps else cancels).append(intent_id)
    missing = _worth_it(target, abs(need) - on_the_way, held or on_the_way)
    if missing < ZERO:
        cancels += owned
    fresh = tuple(intent_id for intent_id in cancels if intent_id not in target.withdrawn)
    return Step(missing * side.sign if missing > ZERO else ZERO, fresh, is_open)


def _worth_it(target: Target, change: Decimal, there: Decimal) -> Decimal:
    """The change; none where something is held or on its way and the change is not worth an order."""
    return ZERO if there and abs(change) < target.least_change else change
