"""The history of completed bars that a strategy reads."""

from collections import deque
from collections.abc import Iterator, Sequence
from operator import length_hint
from typing import Protocol

import pandas as pd

from mats.data import to_frame
from mats.model import Bar, InstrumentId


class BarWindow(Protocol):
    """The completed bars of one instrument, oldest first, as far as they are known now."""

    def newest(self, n: int | None) -> list[Bar]:
        """The newest `n`, all that are kept when None; fewer where there are fewer."""

    def frame(self, n: int | None) -> pd.DataFrame:
        """The same as a frame: open, high, low, close, volume by the bars' starts, UTC."""


Windows = dict[InstrumentId, BarWindow]
"""The windows of one size of bars, by instrument."""


class RollingWindow:
    """A window that its owner fills: the last `length` bars that were added."""

    def __init__(self, length: int) -> None:
        self._bars: deque[Bar] = deque(maxlen=length)

    def add(self, bar: Bar) -> None:
        """The next completed bar."""
        self._bars.append(bar)

    def newest(self, n: int | None) -> list[Bar]:
        bars = list(self._bars)
        return bars if n is None else bars[max(len(bars) - n, 0) :]

    def frame(self, n: int | None) -> pd.DataFrame:
        return to_frame(self.newest(n))


class Delivery:
    """Which bars of a close are still to come, while they are handed to a strategy one by one."""

    def __init__(self) -> None:
        self._bars: Sequence[Bar] = ()
        self._rest: Iterator[Bar] = iter(())

    def of(self, bars: Sequence[Bar]) -> Iterator[Bar]:
        """The bars, one by one; what has not been taken from them yet is to come."""
        self._bars = bars
        self._rest = rest = iter(bars)
        return rest

    def pending(self, instrument: InstrumentId) -> bool:
        """Whether the instrument's bar is to come."""
        count = length_hint(self._rest)
        return bool(count) and any(bar.instrument == instrument for bar in self._bars[-count:])
