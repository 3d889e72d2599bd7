"""From a request to a number of units: equity, strength and price in; a quantity in whole increments out."""

from decimal import Decimal
from functools import lru_cache

import msgspec

from mats.model import ZERO, Instrument, Unknown, exact, floor_to
from mats.risk.limits import Limits
from mats.risk.rejection import Rejection, RejectionCode, reject

_share = lru_cache(maxsize=1 << 12)(exact)
"""Strategies ask for the same few fractions again and again."""


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What sizing needs to know. `equity` is the strategy's own, in the base currency; `price` in the instrument's.

    `rate` is the base currency for one unit of the instrument's currency.
    """

    equity: Decimal | Unknown
    price: Decimal | None
    rate: Decimal | Unknown


def target_quantity(instrument: Instrument, strength: float, basis: Basis) -> Decimal | Rejection:
    """The signed position that puts `strength` × equity to work, rounded towards zero to the size increment.

    `strength` is from -1 to 1; flat (0) needs no figures at all.
    """
    if not -1 <= strength <= 1:
        return reject(
            RejectionCode.STRENGTH_RANGE,
            f"strength {strength} of {instrument.id} is not from -1 to 1",
            strength=strength,
        )
    return _units(instrument, _share(strength), basis)


def fraction_quantity(instrument: Instrument, size: float, basis: Basis) -> Decimal | Rejection:
    """The units that `size`, a fraction of the equity above 0 and at most 1, buys; rounded down to the increment."""
    if not 0 < size <= 1:
        return reject(
            RejectionCode.STRENGTH_RANGE, f"size {size} of {instrument.id} is not above 0 and up to 1", size=size
        )
    return _units(instrument, _share(size), basis)


def least_change(instrument: Instrument, units: Decimal, basis: Basis, limits: Limits) -> Decimal:
    """The units below which a change of a position towards a target of `units` is not worth an order."""
    share = abs(units) * limits.least_change_share
    if not limits.least_change_value or not units:
        return share
    return max(share, limits.least_change_value / _worth(instrument, basis))


def _units(instrument: Instrument, share: Decimal, basis: Basis) -> Decimal | Rejection:
    if not share:
        return ZERO
    equity, price, rate = basis.equity, basis.price, basis.rate
    if not isinstance(equity, Decimal):
        return reject(RejectionCode.NO_EQUITY, equity.reason)
    if equity <= ZERO:
        return reject(RejectionCode.NO_EQUITY, f"the strategy's equity is {equity}", equity=equity)
    if price is None or price <= ZERO:
        return reject(RejectionCode.NO_PRICE, f"no price of {instrument.id} to size with is known", price=price)
    if not isinstance(rate, Decimal):
        return reject(RejectionCode.NO_RATE, rate.reason)
    return floor_to(equity * share / _worth(instrument, basis), instrument.size_increment)


def _worth(instrument: Instrument, basis: Basis) -> Decimal:
    """A unit in the base currency; both figures are known."""
    assert basis.price is not None and isinstance(basis.rate, Decimal)
    return basis.price * instrument.unit_value * basis.rate
