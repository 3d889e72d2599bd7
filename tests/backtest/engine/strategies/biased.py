"""Strategies that know what they should not, or forget slowly."""

import numpy as np

from mats.strategy import Bar, Strategy


class Centred(Strategy):
    """Declares a mean about each bar, half of which is in the future."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SYN"

    params: Params

    def signals(self, frame):
        return np.where(frame["close"] > frame["close"].rolling(9, center=True, min_periods=1).mean(), 0.5, 0.0)


class Remembers(Strategy):
    """Long above the first close that it ever saw: it depends on where it began for ever."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SYN"

    params: Params

    def on_start(self) -> None:
        self.first = 0.0
        self.long = False

    def on_bar(self, bar: Bar) -> None:
        self.first = self.first or bar.close
        if self.long != (bar.close > self.first):
            self.long = not self.long
            self.signal(bar.instrument, 0.5 if self.long else 0.0)
