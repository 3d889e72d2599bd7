"""Follow the trend with a bracket: a stop that trails the price, and a profit that is taken."""

from decimal import Decimal

from mats.model import exact, round_to
from mats.strategy import Bar, Strategy
from mats.strategy.indicators import Atr, Ema


class EmaBracket(Strategy):
    """Buys where the fast EMA crosses above the slow one, and leaves at its stop, its profit, or the cross back."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        fast: int = 10
        slow: int = 30
        atr: int = 14
        trail: float = 2.0
        """How many average true ranges the stop lies below the best price."""
        target: float = 3.0
        """How many of them the profit lies above the entry."""
        size: float = 0.5
        tick: Decimal = Decimal("0.01")
        bar_seconds: int = 60
        warmup: int = 100

    params: Params

    def on_start(self) -> None:
        p = self.params
        self.fast, self.slow, self.range = Ema(p.fast), Ema(p.slow), Atr(p.atr)
        self.above: bool | None = None
        self.best = 0.0
        for bar in self.history(p.instrument):
            self.crossed(bar)

    def on_bar(self, bar: Bar) -> None:
        p, crossed, wide = self.params, self.crossed(bar), self.range.value
        if self.broker.position(p.instrument).quantity > 0:
            if crossed and not self.above:
                self.close(p.instrument, reason="cross down")
            elif wide is not None:
                self.best = max(self.best, bar.high)
                self.raise_stop(self.price(self.best - p.trail * wide))
        elif crossed and self.above and wide is not None and not self.broker.orders():
            self.best = bar.close
            stop, profit = bar.close - p.trail * wide, bar.close + p.target * wide
            self.bracket(p.instrument, size=p.size, stop_loss=self.price(stop), take_profit=self.price(profit))

    def raise_stop(self, level: Decimal) -> None:
        """Move the stop up, found among the orders, so that a restart changes nothing."""
        for intent_id, order in self.broker.orders().items():
            if order.ticket.stop_price is not None and level > order.ticket.stop_price:
                self.broker.modify(intent_id, stop_price=level)

    def crossed(self, bar: Bar) -> bool:
        """Take a bar; whether the averages have crossed with it."""
        fast, slow = self.fast.update(bar.close), self.slow.update(bar.close)
        self.range.update(bar)
        before, self.above = self.above, None if fast is None or slow is None else fast > slow
        return before is not None and before is not self.above

    def price(self, price: float) -> Decimal:
        return round_to(exact(round(price, 8)), self.params.tick)
