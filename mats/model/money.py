"""Exact numbers. Quantities, prices of orders and fills, costs and cash are decimals; market data is float."""

import operator
from decimal import Decimal, InvalidOperation

ZERO = Decimal(0)
ONE = Decimal(1)

Currency = str
"""ISO 4217 code, for example `USD`."""


def exact(value: float | int | str | Decimal) -> Decimal:
    """The shortest decimal that reads as `value`; not a number and infinity are refused.

    A float that came over the wire as the text `0.1` becomes `Decimal("0.1")`, not its binary expansion. Subclasses of
    float and whole numbers of other libraries are taken for what they are, however they print.
    """
    match value:
        case Decimal():
            number = value
        case float():
            number = Decimal(float.__repr__(value))
        case str():
            number = _parsed(value)
        case _:
            number = Decimal(operator.index(value))
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _parsed(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not further from zero than `value`."""
    return (value / step).to_integral_value("ROUND_DOWN") * step


def round_to(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to `value`, halves to even."""
    return (value / step).to_integral_value("ROUND_HALF_EVEN") * step
