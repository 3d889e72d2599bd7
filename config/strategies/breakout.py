"""An operator's own strategy: a file in this folder, named by a [[strategy]] table of config/strategies.toml.

    [[strategy]]
    name = "breakout"
    file = "breakout.py"
    class_name = "Breakout"
    target_weight = 0.05
    params = { instrument = "QQQ", lookback = 20 }

Copy it, rename it, change it. docs/strategies.md explains each call; the daemon reads a changed file at the next start
of the strategy.
"""

from mats.strategy import Bar, Strategy


class Breakout(Strategy):
    """Buys a close above the highest high of the last `lookback` bars, and is flat at 15:55 New York time."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "QQQ"
        lookback: int = 20
        strength: float = 0.5
        bar_seconds: int = 60
        warmup: int = 20

    params: Params

    def on_start(self) -> None:
        self.schedule("close", at="15:55", zone="America/New_York", days="mon-fri")

    def on_bar(self, bar: Bar) -> None:
        before = self.history(bar.instrument, self.params.lookback + 1)[:-1]
        if len(before) == self.params.lookback and bar.close > max(past.high for past in before):
            self.signal(bar.instrument, self.params.strength, reason="breakout")

    def on_timer(self, name: str) -> None:
        self.signal(self.params.instrument, 0, reason="end of the day")
