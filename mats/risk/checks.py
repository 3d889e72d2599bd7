"""Pre-trade checks, in order; the first that objects decides.

An order that only reduces its strategy's position passes everything but the checks of its own soundness and of the
connection that would carry it: getting out is never blocked by what blocks getting in.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from mats.model import PLAIN, OrderIntent, OrderType, Unknown, floor_to
from mats.risk.denial import Denial, DenialCode, deny
from mats.risk.limits import Limits
from mats.risk.state import Exposure


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """The world as one order meets it. Texts are empty where all is well, and say what is wrong otherwise.

    `connection`: why its connection cannot carry it. `behind`: which stages are down or behind. `halt`: the halt in
    force. `disagreement`: the break between books and broker on the instrument. `unknown_order`: an order of the
    strategy on the instrument whose outcome is missing. `price_age` is in seconds, None where no price ever came.
    """

    resolved: bool
    strategy: Exposure
    account: Exposure
    price: Decimal | None
    price_age: float | None
    rate: Decimal | Unknown
    recent_orders: int
    connection: str = ""
    behind: str = ""
    halt: str = ""
    disagreement: str = ""
    unknown_order: str = ""


Check = Callable[[OrderIntent, Circumstances, Limits], Denial | None]


def check_order(intent: OrderIntent, world: Circumstances, limits: Limits) -> Denial | None:
    """The first objection to the order, or None: it may go."""
    if is_plain(intent, world, limits):
        return None
    for check in SOUNDNESS:
        if denial := check(intent, world, limits):
            return denial
    if world.strategy.reduced_by(intent.side, intent.quantity):
        return None
    for check in RISK_TAKING:
        if denial := check(intent, world, limits):
            return denial
    return None


def is_plain(intent: OrderIntent, world: Circumstances, limits: Limits) -> bool:
    """Whether nothing at all speaks against a market order, seen at one look; where it is not so, the checks tell why.

    It only saves time: what it lets pass, every check below lets pass.
    """
    instrument, quantity = intent.instrument, intent.quantity
    if (
        intent.ticket is not PLAIN
        or world.price is None
        or world.price_age is None
        or isinstance(world.rate, Unknown)
        or not world.resolved
        or world.connection
        or world.behind
        or world.halt
        or world.disagreement
        or world.unknown_order
        or world.price_age > limits.stale_after
        or world.recent_orders >= limits.max_orders_per_minute
        or not instrument.min_size <= quantity <= limits.max_order_quantity
        or quantity % instrument.size_increment
    ):
        return False
    worth, side = world.price * instrument.multiplier * world.rate, intent.side
    return (
        quantity * worth <= limits.max_order_notional
        and abs(world.strategy.worst(side, quantity)) * worth <= limits.max_position_notional
        and abs(world.account.worst(side, quantity)) * worth <= limits.max_account_notional
    )


def instrument_is_known(intent: OrderIntent, world: Circumstances, _: Limits) -> Denial | None:
    if world.resolved:
        return None
    return deny(DenialCode.UNKNOWN_INSTRUMENT, f"the broker has not resolved {intent.instrument.id} to a contract")


def numbers_are_sound(intent: OrderIntent, _: Circumstances, __: Limits) -> Denial | None:
    """Finite and above zero: the quantity, and the prices that the order type needs."""
    ticket = intent.ticket
    needed: dict[str, Decimal | None] = {"quantity": intent.quantity}
    if ticket.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        needed["limit_price"] = ticket.limit_price
    if ticket.order_type in (OrderType.STOP, OrderType.STOP_LIMIT):
        needed["stop_price"] = ticket.stop_price
    for name, number in needed.items():
        if number is None:
            return deny(DenialCode.NOT_POSITIVE, f"a {ticket.order_type} order needs a {name}")
        if not number.is_finite():
            return deny(DenialCode.NOT_FINITE, f"{name} {number} is not a finite number", **{name: number})
        if number <= 0:
            return deny(DenialCode.NOT_POSITIVE, f"{name} {number} is not above zero", **{name: number})
    return None


def prices_are_on_the_tick(intent: OrderIntent, _: Circumstances, __: Limits) -> Denial | None:
    tick = intent.instrument.tick_size
    for name in ("limit_price", "stop_price"):
        price: Decimal | None = getattr(intent.ticket, name)
        if price is None or price % tick == 0:
            continue
        below = floor_to(price, tick)
        return deny(
            DenialCode.TICK_SIZE,
            f"{name} {price} is not a multiple of {tick}; the nearest are {below} and {below + tick}",
            **{name: price},
            tick_size=tick,
            below=below,
            above=below + tick,
        )
    return None


def quantity_is_tradable(intent: OrderIntent, _: Circumstances, __: Limits) -> Denial | None:
    step, least = intent.instrument.size_increment, intent.instrument.min_size
    if intent.quantity % step == 0 and intent.quantity >= least:
        return None
    return deny(
        DenialCode.SIZE_INCREMENT,
        f"quantity {intent.quantity} of {intent.instrument.id} is not a multiple of {step} from {least} up",
        quantity=intent.quantity,
        size_increment=step,
        min_size=least,
    )


def connection_is_ready(_: OrderIntent, world: Circumstances, __: Limits) -> Denial | None:
    return deny(DenialCode.NOT_READY, world.connection) if world.connection else None


def stages_keep_up(_: OrderIntent, world: Circumstances, __: Limits) -> Denial | None:
    return deny(DenialCode.NOT_READY, world.behind) if world.behind else None


def nothing_is_halted(_: OrderIntent, world: Circumstances, __: Limits) -> Denial | None:
    return deny(DenialCode.HALTED, world.halt) if world.halt else None


def books_agree(_: OrderIntent, world: Circumstances, __: Limits) -> Denial | None:
    return deny(DenialCode.BOOKS_DISAGREE, world.disagreement) if world.disagreement else None


def outcomes_are_known(_: OrderIntent, world: Circumstances, __: Limits) -> Denial | None:
    return deny(DenialCode.UNKNOWN_ORDER, world.unknown_order) if world.unknown_order else None


def data_is_fresh(intent: OrderIntent, world: Circumstances, limits: Limits) -> Denial | None:
    if world.price is None or world.price_age is None:
        return deny(DenialCode.NO_PRICE, f"no price of {intent.instrument.id} is known")
    if world.price_age <= limits.stale_after:
        return None
    return deny(
        DenialCode.STALE_DATA,
        f"the last price of {intent.instrument.id} is {world.price_age:.1f} s old, more than {limits.stale_after:g} s",
        price_age=world.price_age,
        stale_after=limits.stale_after,
    )


def rate_is_known(_: OrderIntent, world: Circumstances, __: Limits) -> Denial | None:
    return deny(DenialCode.NO_RATE, world.rate.reason) if isinstance(world.rate, Unknown) else None


def orders_are_not_too_many(intent: OrderIntent, world: Circumstances, limits: Limits) -> Denial | None:
    if world.recent_orders < limits.max_orders_per_minute:
        return None
    return deny(
        DenialCode.ORDER_RATE,
        f"{intent.strategy} made {world.recent_orders} orders in a minute; {limits.max_orders_per_minute} are allowed",
        recent_orders=world.recent_orders,
        max_orders_per_minute=limits.max_orders_per_minute,
    )


def quantity_is_within_limit(intent: OrderIntent, _: Circumstances, limits: Limits) -> Denial | None:
    if intent.quantity <= limits.max_order_quantity:
        return None
    return deny(
        DenialCode.MAX_QUANTITY,
        f"quantity {intent.quantity} is above {limits.max_order_quantity}",
        quantity=intent.quantity,
        max_order_quantity=limits.max_order_quantity,
    )


def notional_is_within_limit(intent: OrderIntent, world: Circumstances, limits: Limits) -> Denial | None:
    notional = _worth(intent, world, intent.quantity)
    if notional <= limits.max_order_notional:
        return None
    return deny(
        DenialCode.MAX_NOTIONAL,
        f"the order is worth {notional:.2f}, more than {limits.max_order_notional}",
        notional=notional,
        max_order_notional=limits.max_order_notional,
    )


def position_is_within_limit(intent: OrderIntent, world: Circumstances, limits: Limits) -> Denial | None:
    whose = f"the position of {intent.strategy}"
    return _position(intent, world, world.strategy, limits.max_position_notional, whose)


def account_is_within_limit(intent: OrderIntent, world: Circumstances, limits: Limits) -> Denial | None:
    whose = f"the net position of {intent.account}"
    return _position(intent, world, world.account, limits.max_account_notional, whose)


def _position(
    intent: OrderIntent, world: Circumstances, exposure: Exposure, limit: Decimal, whose: str
) -> Denial | None:
    worst = exposure.worst(intent.side, intent.quantity)
    notional = _worth(intent, world, abs(worst))
    if notional <= limit or abs(worst) <= abs(exposure.position):
        return None
    return deny(
        DenialCode.MAX_POSITION,
        f"{whose} in {intent.instrument.id} could reach {worst}, worth {notional:.2f}, more than {limit}",
        worst=worst,
        notional=notional,
        limit=limit,
    )


def _worth(intent: OrderIntent, world: Circumstances, quantity: Decimal) -> Decimal:
    """Value in the base currency at the higher of market and limit price; the checks before made both figures known."""
    assert world.price is not None
    assert not isinstance(world.rate, Unknown)
    price = max(world.price, intent.ticket.limit_price or world.price)
    return quantity * price * intent.instrument.multiplier * world.rate


SOUNDNESS: tuple[Check, ...] = (
    instrument_is_known,
    numbers_are_sound,
    prices_are_on_the_tick,
    quantity_is_tradable,
    connection_is_ready,
)
RISK_TAKING: tuple[Check, ...] = (
    stages_keep_up,
    nothing_is_halted,
    books_agree,
    outcomes_are_known,
    data_is_fresh,
    rate_is_known,
    orders_are_not_too_many,
    quantity_is_within_limit,
    notional_is_within_limit,
    position_is_within_limit,
    account_is_within_limit,
)
