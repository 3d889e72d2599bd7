"""The combinations of a sweep: one axis for each parameter that varies."""

import itertools
import tomllib
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from math import prod

import msgspec

from mats.errors import StrategyError

Scalar = int | float | bool | str
Parameters = dict[str, Scalar]
MAX_COMBINATIONS = 1_000_000


class Axis(msgspec.Struct, frozen=True):
    """A parameter and the values it takes, in order; `ranged` where they are evenly spaced numbers."""

    name: str
    values: tuple[Scalar, ...]
    ranged: bool = False


def parse_axes(assignments: Iterable[str]) -> tuple[Axis, ...]:
    """Axes of texts: `fast=5:50:5` (first:last:step, the last included), `slow=20,50,200`, `long=true,false`, `n=7`.

    Raises StrategyError for what cannot be read, for a name given twice, and for more than a million combinations.
    """
    axes = tuple(_axis(text) for text in assignments)
    names = [axis.name for axis in axes]
    if duplicate := next((name for name in names if names.count(name) > 1), None):
        raise StrategyError(f"parameter {duplicate!r} is given twice; give all its values at once")
    if (count := size(axes)) > MAX_COMBINATIONS:
        raise StrategyError(f"{count:,} combinations are too many; take wider steps, or let --trials choose among them")
    return axes


def size(axes: Sequence[Axis]) -> int:
    """How many combinations there are."""
    return prod(len(axis.values) for axis in axes)


def combinations(axes: Sequence[Axis]) -> list[Parameters]:
    """Every combination, the last axis varying fastest; one, of nothing, without axes."""
    names = [axis.name for axis in axes]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*(axis.values for axis in axes))]


def _axis(text: str) -> Axis:
    name, equals, values = (part.strip() for part in text.partition("="))
    if not (name and equals and values):
        raise StrategyError(f"parameter {text!r} cannot be read; write fast=5:50:5 or fast=5,10,20")
    if ":" in values:
        return Axis(name, _range(text, values.split(":")), ranged=True)
    return Axis(name, tuple(dict.fromkeys(_value(part.strip()) for part in values.split(","))))


def _range(text: str, parts: Sequence[str]) -> tuple[Scalar, ...]:
    """Counted in decimals, so that 0.1:0.3:0.1 ends with exactly 0.3."""
    try:
        first, last, step = (Decimal(part) for part in (*parts, *["1"] * (3 - len(parts))))
    except (InvalidOperation, ValueError):
        raise StrategyError(f"range {text!r} cannot be read; write first:last:step, for example fast=5:50:5") from None
    if not (first.is_finite() and last.is_finite() and step.is_finite()) or step <= 0 or last < first:
        raise StrategyError(f"range {text!r} is empty; the last must not be below the first, and the step above 0")
    if (steps := int((last - first) / step)) > MAX_COMBINATIONS:
        raise StrategyError(f"range {text!r} has {steps:,} values; take wider steps")
    whole = all(number == number.to_integral_value() and "." not in part for number, part in _pairs(parts))
    return tuple(int(first + at * step) if whole else float(first + at * step) for at in range(steps + 1))


def _pairs(parts: Sequence[str]) -> list[tuple[Decimal, str]]:
    return [(Decimal(part), part) for part in parts]


def _value(text: str) -> Scalar:
    """A TOML scalar if it is one, else text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, int | float | bool | str) else text
