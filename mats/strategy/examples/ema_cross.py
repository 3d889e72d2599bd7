"""Follow the trend: hold the instrument while its fast average is above its slow one."""

from mats.strategy import Bar, OrderState, OrderView, Strategy
from mats.strategy.indicators import Ema


class EmaCross(Strategy):
    """Long while the fast EMA of closes is above the slow one, else flat, or short where `short` is above 0."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        fast: int = 5
        slow: int = 20
        strength: float = 0.5
        """Share of the equity held when long."""
        short: float = 0.0
        """Share of the equity sold short otherwise."""
        bar_seconds: int = 60
        warmup: int = 60

        def __post_init__(self) -> None:
            if not 0 < self.fast < self.slow:
                raise ValueError(f"fast {self.fast} must be from 1 to below slow {self.slow}")

    params: Params

    def on_start(self) -> None:
        self.fast = Ema(self.params.fast)
        self.slow = Ema(self.params.slow)
        self.target: float | None = None
        for bar in self.history(self.params.instrument):
            self.fast.update(bar.close)
            self.slow.update(bar.close)

    def on_bar(self, bar: Bar) -> None:
        fast, slow = self.fast.update(bar.close), self.slow.update(bar.close)
        if fast is None or slow is None:
            return
        target = self.params.strength if fast > slow else -self.params.short
        if target != self.target:
            self.target = target
            self.signal(bar.instrument, target, reason=f"EMA {fast:.2f} against {slow:.2f}")

    def on_order_status(self, order: OrderView) -> None:
        if order.state is OrderState.REJECTED:
            self.target = None  # signal again at the next bar
