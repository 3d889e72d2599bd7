"""Strategies that change their mind within one callback."""

from mats.strategy import Bar, Side, Strategy, limit, market


class Counting(Strategy):
    """Numbers its bars from 1."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SYN"

    params: Params

    def on_start(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1


class PlacesAndCancels(Counting):
    """Rests a bid and takes it back, moves one, and cancels all, each in the callback that placed the order."""

    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        broker, name = self.broker, self.params.instrument
        if self.bars == 2:
            broker.cancel(broker.place_order(name, limit(1), Side.BUY, quantity=1, reason="taken back"))
        if self.bars == 4:
            moved = broker.place_order(name, limit(1), Side.BUY, quantity=1, reason="moved")
            broker.modify(moved, limit_price=2)
        if self.bars == 6:
            broker.place_order(name, limit(3), Side.BUY, quantity=1, reason="cancelled with all")
            broker.cancel_all()


class FlatBesideABid(Counting):
    """Holds a position and a resting bid, then wants to be flat."""

    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        broker, name = self.broker, self.params.instrument
        if self.bars == 2:
            broker.place_order(name, market(), Side.BUY, quantity=100)
        if self.bars == 4:
            broker.place_order(name, limit(bar.close - 1), Side.BUY, quantity=100)
        if self.bars == 6:
            broker.cancel_all()
            self.signal(name, 0)
