"""Strategies that only signal, until they do something else; one that hears of its orders, one that does not."""

import random

from mats.strategy import Bar, FillRecorded, OrderView, Side, Strategy, limit


class Signalling(Strategy):
    """Draws a strength now and then; from bar `until` on it also looks at its book and rests limit orders."""

    class Params(Strategy.Params, frozen=True):
        instruments: tuple[str, ...]
        seed: int = 1
        until: int = 10**9
        top: float = 0.9

    params: Params

    def on_start(self) -> None:
        self.draw = random.Random(f"{self.name}/{self.params.seed}")
        self.count = 0
        self.heard: list[tuple] = []

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if self.draw.random() < 0.15:
            self.signal(bar.instrument, self.draw.choice((-0.3, 0.0, 0.25, 0.5, self.params.top)))
        if self.count > self.params.until and self.draw.random() < 0.05:
            held = self.broker.position(bar.instrument)
            self.heard.append((held.quantity, held.average_price, self.broker.equity(), len(self.broker.orders())))
            self.broker.place_order(bar.instrument, limit(round(bar.close * 0.999, 2)), Side.BUY, quantity=10)


class Hearing(Signalling):
    """The same, and it reacts to its fills."""

    def on_fill(self, fill: FillRecorded) -> None:
        self.heard.append((fill.seq, fill.execution.price, self.now))
        if self.draw.random() < 0.2:
            self.signal(fill.execution.instrument, self.draw.choice((0.0, 0.1)))

    def on_order_status(self, order: OrderView) -> None:
        self.heard.append((order.intent_id, order.state, order.filled, self.now))


class Listening(Signalling):
    """The same, and it hears of everything and does nothing about it."""

    def on_fill(self, fill: FillRecorded) -> None:
        self.heard.append((fill.seq, fill.execution.price, self.now))
