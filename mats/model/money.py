"""Exact numbers. Quantities, prices of orders and fills, costs and cash are decimals; market data is float."""

from decimal import Decimal

ZERO = Decimal(0)
ONE = Decimal(1)

Currency = str
"""ISO 4217 code, for example `USD`."""


def exact(value: float | int | str | Decimal) -> Decimal:
    """The shortest decimal that reads as `value`; not a number and infinity are refused.

    A float that came over the wire as the text `0.1` becomes `Decimal("0.1")`, not its binary expansion.
    """
    number = value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not further from zero than `value`."""
    return (value / step).to_integral_value("ROUND_DOWN") * step


def round_to(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to `value`, halves to even."""
    return (value / step).to_integral_value("ROUND_HALF_EVEN") * step
