"""The rule of `market_backtest` as strategies of MATS: one that hears of every bar, one that declares its signals."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mats.strategy import Bar, Strategy
from mats.strategy.indicators import Ema, ema


class CrossParams(Strategy.Params, frozen=True):
    instruments: tuple[str, ...] = ()
    fast: int = 10
    slow: int = 30
    quiet: int = 300
    strength: float = 0.5
    """Share of the equity held in each instrument."""


class PeerCross(Strategy):
    """Long while the fast average is above the slow one; no orders in the first `quiet` bars."""

    class Params(CrossParams, frozen=True):
        """Nothing of its own."""

    params: Params
    history_length = 1

    def on_start(self) -> None:
        of = self.params
        self.averages = {name: (Ema(of.fast), Ema(of.slow)) for name in of.instruments}
        self.seen = dict.fromkeys(of.instruments, 0)
        self.long = dict.fromkeys(of.instruments, False)

    def on_bar(self, bar: Bar) -> None:
        name = bar.instrument
        fast, slow = self.averages[name]
        up, down = fast.update(bar.close), slow.update(bar.close)
        self.seen[name] += 1
        if self.seen[name] <= self.params.quiet or up is None or down is None:
            return
        if (up > down) != self.long[name]:
            self.long[name] = up > down
            self.signal(name, self.params.strength if up > down else 0)


class PeerCrossSignals(Strategy):
    """The same, declared for whole columns."""

    class Params(CrossParams, frozen=True):
        """Nothing of its own."""

    params: Params

    def signals(self, frame: pd.DataFrame) -> npt.ArrayLike:
        close = frame["close"]
        wanted = np.where(ema(close, self.params.fast) > ema(close, self.params.slow), self.params.strength, 0.0)
        wanted[: self.params.quiet] = 0.0
        return wanted
