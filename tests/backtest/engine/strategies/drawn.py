"""A strategy that draws what it does from a seed: every kind of order, changes, cancels, timers."""

import random
from decimal import Decimal

from mats.model.money import exact, round_to
from mats.model.orders import TimeInForce
from mats.strategy import Bar, FillRecorded, OrderTicket, OrderView, Side, Strategy, limit, market, stop, stop_limit


class Drawn(Strategy):
    class Params(Strategy.Params, frozen=True):
        instruments: tuple[str, ...]
        seed: int = 1
        eagerness: float = 0.2
        timer: int = 0
        bar_seconds: int = 60

    params: Params

    def on_start(self) -> None:
        self.draw = random.Random(f"{self.name}/{self.params.seed}")
        self.heard: list[tuple] = []
        if self.params.timer:
            self.every("beat", minutes=self.params.timer)

    def on_bar(self, bar: Bar) -> None:
        if self.draw.random() < self.params.eagerness:
            self.act(bar.instrument, bar.close)

    def on_timer(self, name: str) -> None:
        self.heard.append((name, self.now))
        for instrument in self.params.instruments:
            if bars := self.history(instrument, 1):
                self.act(instrument, bars[-1].close)

    def on_fill(self, fill: FillRecorded) -> None:
        self.heard.append((fill.seq, self.now, self.broker.position(fill.execution.instrument).quantity))
        if self.draw.random() < 0.3:
            self.act(fill.execution.instrument, float(fill.execution.price))

    def on_order_status(self, order: OrderView) -> None:
        self.heard.append((order.intent_id, order.state, order.filled))

    def near(self, price: float) -> Decimal:
        return round_to(exact(round(price * self.draw.uniform(0.997, 1.003), 6)), Decimal("0.01"))

    def act(self, instrument: str, price: float) -> None:
        draw, working = self.draw, list(self.broker.orders())
        match draw.randrange(7):
            case 0:
                self.signal(instrument, draw.choice((-0.4, 0.0, 0.2, 0.5)))
            case 1 if working:
                self.broker.cancel(draw.choice(working))
            case 2 if working:
                chosen = self.broker.orders()[draw.choice(working)]
                if chosen.ticket.limit_price is not None:
                    limit_price, quantity = self.near(price), chosen.quantity + 10
                    self.broker.modify(chosen.intent_id, limit_price=limit_price, quantity=quantity)
            case _:
                side, quantity = draw.choice((Side.BUY, Side.SELL)), draw.randrange(1, 400)
                self.broker.place_order(instrument, self.ticket(price), side, quantity=quantity)

    def ticket(self, price: float) -> OrderTicket:
        tif = self.draw.choice((TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK))
        tickets = (
            market(tif),
            limit(self.near(price), tif),
            stop(self.near(price), TimeInForce.GTC),
            stop_limit(self.near(price), self.near(price), TimeInForce.DAY),
        )
        return self.draw.choice(tickets)
