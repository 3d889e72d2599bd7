"""Exact numbers. Quantities, prices of orders and fills, costs and cash are decimals; market data is float."""

import operator
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_05UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

ZERO = Decimal(0)
ONE = Decimal(1)

NOT_KNOWN = Decimal("NaN")
"""A number that is not known; what is computed from it is none either."""

QUANTUM = Decimal("1e-12")
"""Rounded amounts have this precision, in units of a currency."""

EXACT = Context(prec=2_000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[DivisionByZero, Inexact, InvalidOperation, Overflow])
"""Arithmetic that is exact or raises. The product of any three finite doubles has fewer digits than it holds.

Unused precision costs no time: it is as fast as the operators, which silently round to 28 digits.
"""

_DIVIDING = Context(prec=100, rounding=ROUND_05UP, Emin=MIN_EMIN, Emax=MAX_EMAX)
"""Rounds so that rounding its result again, to fewer digits, is the same as rounding once. Source: the General Decimal
Arithmetic specification, `round-05up`."""

_ROUNDING = Context(prec=2_000, Emin=MIN_EMIN, Emax=MAX_EMAX)

Currency = str
"""ISO 4217 code, for example `USD`."""


def exact(value: float | int | str | Decimal) -> Decimal:
    """The shortest decimal that reads as `value`; NaN and infinity are refused.

    A float that came over the wire as the text `0.1` becomes `Decimal("0.1")`, not its binary expansion. Subclasses of
    float and integers of other libraries are accepted.
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


def prorate(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`amount × part / whole`, rounded once, to `QUANTUM`, halves to even; amounts have up to 80 digits before that."""
    quotient = _DIVIDING.divide(EXACT.multiply(amount, part), whole)
    return quotient.quantize(QUANTUM, context=_ROUNDING)


def converted(amount: Decimal, rate: Decimal) -> Decimal:
    """`amount` at `rate`, rounded to `QUANTUM`, halves to even."""
    return EXACT.multiply(amount, rate).quantize(QUANTUM, context=_ROUNDING)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not further from zero than `value`."""
    return value // step * step


def round_to(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to `value`, halves to even."""
    return (value / step).to_integral_value("ROUND_HALF_EVEN") * step
