"""Vectorized indicators, declared over whole columns of bars and read bar by bar."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from mats.errors import StrategyError
from mats.model import InstrumentId, Nanos
from mats.strategy.history import BarWindow

Columns = Mapping[str, npt.ArrayLike]
"""Indicators by name, each with one number for every row of the frame that they were made of."""

Declaration = Callable[[pd.DataFrame], Columns]
"""A strategy's `indicators`."""


class Indicators(Protocol):
    """Where declared indicators are read."""

    def value(self, name: str, instrument: InstrumentId) -> float | None:
        """The indicator at the newest completed bar; None where it is not a number, and before the first bar."""


class WindowIndicators:
    """Indicators computed over the window of kept bars, once for each new bar: what a live strategy reads."""

    def __init__(self, declare: Declaration, window: Callable[[InstrumentId], BarWindow]) -> None:
        self._declare, self._window = declare, window
        self._last: dict[InstrumentId, tuple[Nanos, Mapping[str, float]]] = {}

    def value(self, name: str, instrument: InstrumentId) -> float | None:
        window = self._window(instrument)
        newest = window.newest(1)
        if not newest:
            return None
        known = self._last.get(instrument)
        if known is None or known[0] != newest[-1].start:
            columns = as_columns(self._declare(window.frame(None)))
            known = self._last[instrument] = newest[-1].start, {key: float(c[-1]) for key, c in columns.items()}
        if name not in known[1]:
            raise StrategyError(not_declared(name, known[1]))
        value = known[1][name]
        return value if value == value else None


def as_columns(declared: Columns) -> dict[str, npt.NDArray[np.float64]]:
    """The indicators as contiguous columns of floats."""
    return {name: np.ascontiguousarray(column, dtype=np.float64) for name, column in declared.items()}


def not_declared(name: str, declared: Iterable[str]) -> str:
    """The error message for an indicator that `indicators` does not return."""
    return f"indicator {name!r} is not declared; indicators() returns {', '.join(declared) or 'none'}"
