"""From a wish to a number of units: equity, strength and price in; a quantity in whole increments out."""

import math
from decimal import Decimal

import msgspec

from mats.model import Instrument, Unknown, exact, floor_to
from mats.risk.denial import Denial, DenialCode, deny


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What sizing needs to know. `equity` is the strategy's own, in the base currency; `price` in the instrument's.

    `rate` is the base currency for one unit of the instrument's currency.
    """

    equity: Decimal | Unknown
    price: Decimal | None
    rate: Decimal | Unknown


def target_quantity(instrument: Instrument, strength: float, basis: Basis) -> Decimal | Denial:
    """The signed position that puts `strength` × equity to work, rounded towards zero to the size increment.

    `strength` is from -1 to 1; flat (0) needs no figures at all.
    """
    if not math.isfinite(strength) or abs(strength) > 1:
        return deny(
            DenialCode.STRENGTH_RANGE, f"strength {strength} of {instrument.id} is not from -1 to 1", strength=strength
        )
    return _units(instrument, exact(strength), basis)


def fraction_quantity(instrument: Instrument, size: float, basis: Basis) -> Decimal | Denial:
    """The units that `size`, a fraction of the equity above 0 and at most 1, buys; rounded down to the increment."""
    if not math.isfinite(size) or not 0 < size <= 1:
        return deny(DenialCode.STRENGTH_RANGE, f"size {size} of {instrument.id} is not above 0 and up to 1", size=size)
    return _units(instrument, exact(size), basis)


def order_quantity(target: Decimal, position: Decimal, pending: Decimal, increment: Decimal) -> Decimal:
    """The signed quantity that leads from the position and the signed rest of all working orders to the target."""
    return floor_to(target - position - pending, increment)


def _units(instrument: Instrument, share: Decimal, basis: Basis) -> Decimal | Denial:
    if share == 0:
        return Decimal(0)
    if isinstance(basis.equity, Unknown):
        return deny(DenialCode.NO_EQUITY, basis.equity.reason)
    if basis.equity <= 0:
        return deny(DenialCode.NO_EQUITY, f"the strategy's equity is {basis.equity}", equity=basis.equity)
    if basis.price is None or basis.price <= 0:
        return deny(DenialCode.NO_PRICE, f"no price of {instrument.id} to size with is known", price=basis.price)
    if isinstance(basis.rate, Unknown):
        return deny(DenialCode.NO_RATE, basis.rate.reason)
    worth = basis.price * instrument.multiplier * basis.rate
    return floor_to(basis.equity * share / worth, instrument.size_increment)
