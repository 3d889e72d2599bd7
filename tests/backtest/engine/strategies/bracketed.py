"""Asks for one bracket at its first bar, and does what it is told later."""

from decimal import Decimal

from mats.strategy import Bar, Strategy, limit


class Bracketed(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SYN"
        bar_seconds: int = 60
        quantity: int = 100
        entry: Decimal | None = None
        stop_loss: Decimal | None = None
        take_profit: Decimal | None = None
        cancel: str = ""
        """Which of the three is cancelled at the third bar."""
        trail: Decimal | None = None
        """Where the stop is moved to at the third bar."""
        close: bool = False
        flat: bool = False

    params: Params

    def on_start(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        p = self.params
        if self.bars == 1:
            entry = None if p.entry is None else limit(p.entry)
            self.ids = self.bracket(
                bar.instrument, p.quantity, entry=entry, stop_loss=p.stop_loss, take_profit=p.take_profit
            )
        elif self.bars == 3:
            if p.cancel:
                self.broker.cancel(getattr(self.ids, p.cancel))
            if p.trail:
                self.broker.modify(self.ids.stop_loss, stop_price=p.trail)
            if p.flat:
                self.signal(bar.instrument, 0)
            if p.close:
                self.close(bar.instrument)
