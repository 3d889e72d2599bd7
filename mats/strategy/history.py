"""The history of completed bars that a strategy reads."""

from collections import deque
from typing import Protocol

import pandas as pd

from mats.data import to_frame
from mats.model import Bar


class BarWindow(Protocol):
    """The completed bars of one instrument, oldest first, as far as they are known now."""

    def newest(self, n: int | None) -> list[Bar]:
        """The newest `n`, all that are kept when None; fewer where there are fewer."""

    def frame(self, n: int | None) -> pd.DataFrame:
        """The same as a frame: open, high, low, close, volume by the bars' starts, UTC."""


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
