"""Pre-trade checks, in order; the first that objects decides.

The two lists at the end are the only statement of the rules: every order is held against all of `SOUNDNESS`, and one
that takes risk against all of `RISK_TAKING`, live and in every backtest. A check of one's own is added to a list:
`checks.RISK_TAKING = (*checks.RISK_TAKING, mine)`.

An order that only reduces its strategy's position passes everything but the checks of its own soundness and of the
connection that would carry it: getting out is never blocked by what blocks getting in.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from mats.model import PRICES, ZERO, InstrumentId, OrderIntent, SecType, Side, StrategyName, Unknown, floor_to
from mats.risk.exposure import Exposure
from mats.risk.limits import Limits
from mats.risk.rejection import Rejection, RejectionCode, reject


class PreTradeContext(msgspec.Struct, frozen=True, gc=False):
    """The market and the account as one order meets them. Texts are empty where all is well, and say what is wrong.

    `connection`: why its connection cannot carry it. `behind`: which stages are down or behind. `halt`: the halt in
    force. `disagreement`: the break between books and broker on the instrument. `unknown_order`: an order of the
    strategy on the instrument whose outcome is missing. `quarantine`: what of the instrument or the strategy is in
    quarantine. `stale`: what is wrong with the market data of the instrument. `price_age` is in seconds, None where no
    price ever came.
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
    quarantine: str = ""
    stale: str = ""


Check = Callable[[OrderIntent, PreTradeContext, Limits], Rejection | None]
"""Objects with a rejection, or returns None. It runs for every order, so a text is made only where it objects."""


def first_rejection(intent: OrderIntent, context: PreTradeContext, limits: Limits) -> Rejection | None:
    """The first objection to the order, or None: it may go."""
    for check in SOUNDNESS:
        if (rejection := check(intent, context, limits)) is not None:
            return rejection
    if context.strategy.reduced_by(intent.side, intent.quantity):
        return None
    for check in RISK_TAKING:
        if (rejection := check(intent, context, limits)) is not None:
            return rejection
    return None


def first_unsound(intent: OrderIntent, context: PreTradeContext, limits: Limits) -> Rejection | None:
    """The first objection to an order by itself, whatever risk it takes."""
    return next((found for check in SOUNDNESS if (found := check(intent, context, limits)) is not None), None)


def instrument_is_known(intent: OrderIntent, context: PreTradeContext, _: Limits) -> Rejection | None:
    if context.resolved:
        return None
    return reject(RejectionCode.UNKNOWN_INSTRUMENT, f"the broker has not resolved {intent.instrument.id} to a contract")


DATA_ONLY = {
    SecType.INDEX: "an index: it has prices and cannot be held; trade a future or a fund on it",
    SecType.CONTINUOUS_FUTURE: "a continuous series: it has prices and cannot be held; trade one of its contracts, such"
    " as the one in front (`ES:front`)",
}
"""What a type is that cannot be held, and what to trade in its place."""


def instrument_can_be_held(intent: OrderIntent, _: PreTradeContext, __: Limits) -> Rejection | None:
    remedy = DATA_ONLY.get(intent.instrument.sec_type)
    if remedy is None:
        return None
    return reject(RejectionCode.UNKNOWN_INSTRUMENT, f"{intent.instrument.id} is {remedy}")


def numbers_are_sound(intent: OrderIntent, _: PreTradeContext, __: Limits) -> Rejection | None:
    """Finite and above zero: the quantity, and the prices that the order type needs."""
    quantity, ticket = intent.quantity, intent.ticket
    if not (quantity.is_finite() and quantity > ZERO):
        return _unsound("quantity", quantity)
    for name in PRICES[ticket.order_type]:
        price: Decimal | None = getattr(ticket, name)
        if price is None:
            return reject(RejectionCode.NOT_POSITIVE, f"a {ticket.order_type} order needs a {name}")
        if not (price.is_finite() and price > ZERO):
            return _unsound(name, price)
    return None


def _unsound(name: str, number: Decimal) -> Rejection:
    if number.is_finite():
        return reject(RejectionCode.NOT_POSITIVE, f"{name} {number} is not above zero", **{name: number})
    return reject(RejectionCode.NOT_FINITE, f"{name} {number} is not a finite number", **{name: number})


def prices_are_on_the_tick(intent: OrderIntent, _: PreTradeContext, __: Limits) -> Rejection | None:
    """By the level of each price."""
    ticket, instrument = intent.ticket, intent.instrument
    if (limit := ticket.limit_price) is not None and limit % (tick := instrument.tick_at(limit)):
        return _off_the_tick("limit_price", limit, tick)
    if (stop := ticket.stop_price) is not None and stop % (tick := instrument.tick_at(stop)):
        return _off_the_tick("stop_price", stop, tick)
    return None


def _off_the_tick(name: str, price: Decimal, tick: Decimal) -> Rejection:
    below = floor_to(price, tick)
    return reject(
        RejectionCode.TICK_SIZE,
        f"{name} {price} is not a multiple of {tick}; the nearest are {below} and {below + tick}",
        **{name: price},
        tick_size=tick,
        below=below,
        above=below + tick,
    )


def quantity_is_tradable(intent: OrderIntent, _: PreTradeContext, __: Limits) -> Rejection | None:
    step, least = intent.instrument.size_increment, intent.instrument.min_size
    if not intent.quantity % step and intent.quantity >= least:
        return None
    return reject(
        RejectionCode.SIZE_INCREMENT,
        f"quantity {intent.quantity} of {intent.instrument.id} is not a multiple of {step} from {least} up",
        quantity=intent.quantity,
        size_increment=step,
        min_size=least,
    )


def reduces_as_asked(intent: OrderIntent, context: PreTradeContext, _: Limits) -> Rejection | None:
    """What is to reduce only must fit into what is held, less all that may close it already."""
    own = context.strategy
    if not intent.reduce_only or intent.quantity <= own.closable(intent.side):
        return None
    return nothing_to_reduce(intent.strategy, intent.instrument.id, intent.side, own)


def nothing_to_reduce(strategy: StrategyName, instrument: InstrumentId, side: Side, own: Exposure) -> Rejection:
    """The rejection of an order that is to reduce only and could do more."""
    pending = own.buying if side is Side.BUY else own.selling
    room = own.closable(side)
    return reject(
        RejectionCode.REDUCE_ONLY,
        f"{strategy} holds {own.position} {instrument}, and orders for {pending} on this side can fill already:"
        f" at most {room} more can be {'bought' if side is Side.BUY else 'sold'} to reduce it",
        position=own.position,
        pending=pending,
        room=room,
    )


def exit_is_supported(intent: OrderIntent, context: PreTradeContext, _: Limits) -> Rejection | None:
    """What closes a strategy's position must not open one in the account: its part may be gone from there already."""
    own = context.strategy
    if own.supported is None or own.position * intent.side.sign >= ZERO:
        return None
    if min(intent.quantity, abs(own.position)) <= own.supported:
        return None
    return reject(
        RejectionCode.BROKER_HOLDS_LESS,
        f"{intent.strategy} holds {own.position} {intent.instrument.id} by its book, and what no strategy traded has"
        f" closed some of it at the broker: more than {own.supported} would open a position there; see `mats breaks`,"
        " and give what Discretionary holds to the strategy with `mats books assign`",
        position=own.position,
        supported=own.supported,
    )


def connection_is_ready(_: OrderIntent, context: PreTradeContext, __: Limits) -> Rejection | None:
    return reject(RejectionCode.NOT_READY, context.connection) if context.connection else None


def stages_keep_up(_: OrderIntent, context: PreTradeContext, __: Limits) -> Rejection | None:
    return reject(RejectionCode.NOT_READY, context.behind) if context.behind else None


def nothing_is_halted(_: OrderIntent, context: PreTradeContext, __: Limits) -> Rejection | None:
    return reject(RejectionCode.HALTED, context.halt) if context.halt else None


def books_agree(_: OrderIntent, context: PreTradeContext, __: Limits) -> Rejection | None:
    return reject(RejectionCode.BOOKS_DISAGREE, context.disagreement) if context.disagreement else None


def nothing_is_in_quarantine(_: OrderIntent, context: PreTradeContext, __: Limits) -> Rejection | None:
    return reject(RejectionCode.QUARANTINED, context.quarantine) if context.quarantine else None


def outcomes_are_known(_: OrderIntent, context: PreTradeContext, __: Limits) -> Rejection | None:
    return reject(RejectionCode.UNKNOWN_ORDER, context.unknown_order) if context.unknown_order else None


def data_is_fresh(intent: OrderIntent, context: PreTradeContext, limits: Limits) -> Rejection | None:
    if context.price is None or context.price_age is None:
        return reject(RejectionCode.NO_PRICE, f"no price of {intent.instrument.id} is known")
    age = context.price_age
    if age <= limits.max_price_age_seconds:
        return None
    return reject(
        RejectionCode.STALE_DATA,
        context.stale
        or f"the last price of {intent.instrument.id} is {age:.1f} s old, more than {limits.max_price_age_seconds:g} s",
        price_age=age,
        max_price_age_seconds=limits.max_price_age_seconds,
    )


def rate_is_known(_: OrderIntent, context: PreTradeContext, __: Limits) -> Rejection | None:
    rate = context.rate
    return None if isinstance(rate, Decimal) else reject(RejectionCode.NO_RATE, rate.reason)


def orders_are_not_too_many(intent: OrderIntent, context: PreTradeContext, limits: Limits) -> Rejection | None:
    made, most = context.recent_orders, limits.max_orders_per_minute
    if made < most:
        return None
    return reject(
        RejectionCode.ORDER_RATE,
        f"{intent.strategy} made {made} orders in a minute; {most} are allowed",
        recent_orders=made,
        max_orders_per_minute=most,
    )


def quantity_is_within_limit(intent: OrderIntent, _: PreTradeContext, limits: Limits) -> Rejection | None:
    if intent.quantity <= limits.max_order_quantity:
        return None
    return reject(
        RejectionCode.MAX_QUANTITY,
        f"quantity {intent.quantity} is above {limits.max_order_quantity}",
        quantity=intent.quantity,
        max_order_quantity=limits.max_order_quantity,
    )


def values_are_within_limits(intent: OrderIntent, context: PreTradeContext, limits: Limits) -> Rejection | None:
    """Of the order; and of the position of its strategy and of its account if all orders on its side fill.

    A position above its limit may stay as large as it is.
    """
    side, quantity, unit_value = intent.side, intent.quantity, _unit_value(intent, context)
    if quantity * unit_value > limits.max_order_notional:
        return _order_too_large(quantity * unit_value, limits.max_order_notional)
    own, whole = context.strategy, context.account
    worst = own.worst(side, quantity)
    if (notional := abs(worst) * unit_value) > limits.max_position_notional and abs(worst) > abs(own.position):
        whose = f"the position of {intent.strategy}"
        return _too_large(whose, intent, worst, notional, limits.max_position_notional)
    worst = whole.worst(side, quantity)
    if (notional := abs(worst) * unit_value) > limits.max_account_notional and abs(worst) > abs(whole.position):
        whose = f"the net position of {intent.account}"
        return _too_large(whose, intent, worst, notional, limits.max_account_notional)
    return None


def _order_too_large(notional: Decimal, limit: Decimal) -> Rejection:
    return reject(
        RejectionCode.MAX_NOTIONAL,
        f"the order is worth {notional:.2f}, more than {limit}",
        notional=notional,
        max_order_notional=limit,
    )


def _too_large(whose: str, intent: OrderIntent, worst: Decimal, notional: Decimal, limit: Decimal) -> Rejection:
    return reject(
        RejectionCode.MAX_POSITION,
        f"{whose} in {intent.instrument.id} could reach {worst}, worth {notional:.2f}, more than {limit}",
        worst=worst,
        notional=notional,
        limit=limit,
    )


def _unit_value(intent: OrderIntent, context: PreTradeContext) -> Decimal:
    """A unit in the base currency at the higher of market and limit price; checks before made both figures known."""
    price, rate, limit = context.price, context.rate, intent.ticket.limit_price
    assert price is not None and isinstance(rate, Decimal)
    if limit is not None and limit > price:
        price = limit
    return price * intent.instrument.unit_value * rate


SOUNDNESS: tuple[Check, ...] = (
    instrument_can_be_held,
    instrument_is_known,
    numbers_are_sound,
    prices_are_on_the_tick,
    quantity_is_tradable,
    reduces_as_asked,
    exit_is_supported,
    connection_is_ready,
)
RISK_TAKING: tuple[Check, ...] = (
    stages_keep_up,
    nothing_is_halted,
    nothing_is_in_quarantine,
    books_agree,
    outcomes_are_known,
    data_is_fresh,
    rate_is_known,
    orders_are_not_too_many,
    quantity_is_within_limit,
    values_are_within_limits,
)
