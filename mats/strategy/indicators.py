"""Streaming indicators: each value depends only on the inputs so far.

`update` takes the next value and returns the indicator, or None until there are enough; `value` is the last result.
"""

import math
from collections import deque

import numpy as np
import numpy.typing as npt
import pandas as pd

from mats.model import Bar


class Ema:
    """Exponential moving average, weight 2 / (span + 1), started at the first value; ready after `span` values.

    `ema` gives the same numbers to the last bit for a whole column.
    """

    def __init__(self, span: int) -> None:
        weight = 1 / (1 + (_length(span) - 1) / 2)
        self._old, self._new, self._sum = 1 - weight, weight, (1 - weight) + weight
        self._remaining = span
        self._partial: float | None = None
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        mean = self.value
        if mean is None:
            return self._begin(value)
        if mean != value:
            self.value = mean = (self._old * mean + self._new * value) / self._sum
        return mean

    def _begin(self, value: float) -> float | None:
        """The mean of fewer than `span` values, which is not shown yet."""
        mean = self._partial
        if mean is None:
            mean = value
        elif mean != value:
            mean = (self._old * mean + self._new * value) / self._sum
        self._partial, self._remaining = mean, self._remaining - 1
        if self._remaining <= 0:
            self.value = mean
        return self.value


def ema(values: npt.ArrayLike, span: int) -> npt.NDArray[np.float64]:
    """`Ema` over a whole column, NaN until it is ready.

    Bit for bit equal to `Ema`, which follows the order of operations of pandas `ewm(adjust=False)`.
    """
    column = pd.Series(np.asarray(values, dtype=np.float64))
    means: npt.NDArray[np.float64] = column.ewm(span=_length(span), adjust=False).mean().to_numpy(copy=True)
    means[: span - 1] = np.nan
    return means


class Sma:
    """Arithmetic mean of the last `length` values."""

    def __init__(self, length: int) -> None:
        self._window: deque[float] = deque(maxlen=_length(length))
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        self._window.append(value)
        if len(self._window) == self._window.maxlen:
            self.value = math.fsum(self._window) / len(self._window)
        return self.value


class RollingStd:
    """Standard deviation of the last `length` values about their mean, with divisor `length - 1`."""

    def __init__(self, length: int) -> None:
        self._window: deque[float] = deque(maxlen=_length(length, least=2))
        self.mean: float | None = None
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        self._window.append(value)
        count = len(self._window)
        if count == self._window.maxlen:
            self.mean = math.fsum(self._window) / count
            self.value = math.sqrt(math.fsum((x - self.mean) ** 2 for x in self._window) / (count - 1))
        return self.value


class ZScore:
    """How many standard deviations the newest value lies above the mean of the last `length`; 0 where none differ."""

    def __init__(self, length: int) -> None:
        self._deviation = RollingStd(length)
        self.value: float | None = None

    def update(self, value: float) -> float | None:
        deviation, mean = self._deviation.update(value), self._deviation.mean
        if deviation is not None and mean is not None:
            self.value = (value - mean) / deviation if deviation > 0 else 0.0
        return self.value


class Atr:
    """Average true range by Wilder's smoothing, weight 1 / length, started with the first bar's range.

    The true range is the larger of the bar's own range and its reach from the close before it.
    """

    def __init__(self, length: int) -> None:
        self._length = _length(length)
        self._remaining = length
        self._close: float | None = None
        self._mean: float | None = None

    @property
    def value(self) -> float | None:
        return self._mean if self._remaining <= 0 else None

    def update(self, bar: Bar) -> float | None:
        before = bar.open if self._close is None else self._close
        reach = max(bar.high, before) - min(bar.low, before)
        self._mean = reach if self._mean is None else self._mean + (reach - self._mean) / self._length
        self._close = bar.close
        self._remaining -= 1
        return self.value


def _length(length: int, least: int = 1) -> int:
    if length < least:
        raise ValueError(f"invalid indicator length {length}; give {least} or more")
    return length
