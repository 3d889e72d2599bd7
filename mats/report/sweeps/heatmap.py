"""A metric over two parameters at a time: what a heat map shows."""

from collections.abc import Sequence
from itertools import combinations

import msgspec
import numpy as np

from mats.model.bar_columns import Floats
from mats.sweep import Axis, Scalar, Trial, ranked

MAX_PAIRS = 6


class Surface(msgspec.Struct, frozen=True, eq=False):
    """`value[i, j]`: the metric of the best outcome with `y.values[i]` and `x.values[j]`, NaN where there is none.

    Where more than two parameters vary, that is the best over all values of the others. `y` is None where one varies.
    """

    x: Axis
    y: Axis | None
    value: Floats


def surfaces(outcomes: Sequence[Trial], axes: Sequence[Axis], metric: str) -> tuple[Surface, ...]:
    """A surface for each pair of parameters that vary, six at most; the one parameter, where only one does."""
    best_first = ranked([outcome for outcome in outcomes if outcome.task.leg != "test"], metric)
    varied = [axis for axis in axes if len(axis.values) > 1]
    pairs: list[tuple[Axis, Axis | None]] = [(b, a) for a, b in combinations(varied, 2)]
    if len(varied) == 1:
        pairs = [(varied[0], None)]
    return tuple(Surface(x, y, _values(best_first, x, y, metric)) for x, y in pairs[:MAX_PAIRS])


def _values(best_first: Sequence[Trial], x: Axis, y: Axis | None, metric: str) -> Floats:
    rows = y.values if y is not None else ("",)
    value = np.full((len(rows), len(x.values)), np.nan)
    column, row = _indices(x.values), _indices(rows)
    for outcome in best_first:
        at = row[_key(outcome.task.parameters[y.name]) if y is not None else _key("")]
        cell = at, column[_key(outcome.task.parameters[x.name])]
        if np.isnan(value[cell]):
            value[cell] = outcome.metrics[metric]
    return value


def _indices(values: Sequence[Scalar]) -> dict[tuple[str, Scalar], int]:
    return {_key(value): at for at, value in enumerate(values)}


def _key(value: Scalar) -> tuple[str, Scalar]:
    """Tells `True` from 1, and takes a float that a search computed for the one of the axis."""
    return ("bool", value) if isinstance(value, bool) else ("", round(value, 9) if isinstance(value, float) else value)
