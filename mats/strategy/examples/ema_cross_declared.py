"""The same trend follower with vectorized indicators, and with vectorized signals."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mats.strategy import Bar, OrderState, OrderView, Strategy
from mats.strategy.indicators import ema


class CrossParams(Strategy.Params, frozen=True):
    """Those of `EmaCross` in `ema_cross.py`."""

    instrument: str = "SPY"
    fast: int = 5
    slow: int = 20
    strength: float = 0.5
    short: float = 0.0
    bar_seconds: int = 60
    warmup: int = 60

    def __post_init__(self) -> None:
        if not 0 < self.fast < self.slow:
            raise ValueError(f"fast {self.fast} must be from 1 to below slow {self.slow}")


class EmaCrossIndicators(Strategy):
    """Reacts to each bar, with averages that a backtest computes once for all bars."""

    class Params(CrossParams, frozen=True):
        """No further parameters."""

    params: Params

    def on_start(self) -> None:
        self.target: float | None = None

    def indicators(self, frame: pd.DataFrame) -> dict[str, npt.ArrayLike]:
        return {"fast": ema(frame["close"], self.params.fast), "slow": ema(frame["close"], self.params.slow)}

    def on_bar(self, bar: Bar) -> None:
        fast, slow = self.indicator("fast", bar.instrument), self.indicator("slow", bar.instrument)
        if fast is None or slow is None:
            return
        target = self.params.strength if fast > slow else -self.params.short
        if target != self.target:
            self.target = target
            self.signal(bar.instrument, target)

    def on_order_status(self, order: OrderView) -> None:
        if order.state is OrderState.REJECTED:
            self.target = None  # signal again at the next bar


class EmaCrossSignals(Strategy):
    """Declares its target at every bar; a backtest sends a signal only where that changes."""

    class Params(CrossParams, frozen=True):
        """No further parameters."""

    params: Params

    def signals(self, frame: pd.DataFrame) -> npt.ArrayLike:
        fast, slow = ema(frame["close"], self.params.fast), ema(frame["close"], self.params.slow)
        return np.where(np.isnan(slow), np.nan, np.where(fast > slow, self.params.strength, -self.params.short))
