"""Mean reversion: buy far below the mean, sell far above it, with limit orders at the touch."""

from decimal import Decimal

from mats.model import exact, round_to
from mats.strategy import Bar, OrderTicket, OrderView, Side, Strategy, limit, market
from mats.strategy.indicators import ZScore


class MeanReversion(Strategy):
    """One order at a time. Enters beyond `entry` standard deviations, leaves once within `exit` of the mean.

    An order that has not filled after `patience` bars is cancelled; an exit is then repeated at the market.
    """

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        lookback: int = 20
        entry: float = 1.5
        exit: float = 0.25
        size: float = 0.25
        """Share of the equity that an entry trades."""
        patience: int = 4
        tick_size: Decimal = Decimal("0.01")
        ticks: bool = True
        bar_seconds: int = 60
        warmup: int = 60

    params: Params

    def on_start(self) -> None:
        self.zscore = ZScore(self.params.lookback)
        self.order = ""
        self.age = 0
        self.hurry = False
        for bar in self.history(self.params.instrument):
            self.zscore.update(bar.close)
        self.broker.cancel_all()

    def on_bar(self, bar: Bar) -> None:
        z = self.zscore.update(bar.close)
        held = self.broker.position(bar.instrument).quantity
        if self.order:
            self.wait()
        elif z is None:
            return
        elif not held and abs(z) >= self.params.entry:
            side = Side.BUY if z < 0 else Side.SELL
            self.place(bar, side, self.at_touch(side, bar), f"z {z:.2f}", size=self.params.size)
        elif held and Side.of(held).sign * z >= -self.params.exit:
            side = Side.of(held).opposite
            ticket = market() if self.hurry else self.at_touch(side, bar)
            self.place(bar, side, ticket, f"back at z {z:.2f}", quantity=abs(held))

    def on_order_status(self, order: OrderView) -> None:
        if order.intent_id == self.order and order.state.final:
            self.order = ""
            self.hurry = bool(order.remaining and self.broker.position(order.instrument).quantity)

    def place(
        self,
        bar: Bar,
        side: Side,
        ticket: OrderTicket,
        reason: str,
        *,
        size: float | None = None,
        quantity: Decimal | None = None,
    ) -> None:
        self.age = 0
        self.order = self.broker.place_order(bar.instrument, ticket, side, size=size, quantity=quantity, reason=reason)

    def wait(self) -> None:
        """Let the order work for a while, then cancel it; drop it if it is not among the working orders."""
        self.age += 1
        if self.age == self.params.patience:
            self.broker.cancel(self.order)
        elif self.age >= 2 * self.params.patience and self.order not in self.broker.orders():
            self.order = ""

    def at_touch(self, side: Side, bar: Bar) -> OrderTicket:
        """A limit at the price of our own side of the market, or at the close without a quote."""
        quote = self.quote(bar.instrument)
        price = quote and (quote.bid if side is Side.BUY else quote.ask)
        return limit(round_to(exact(price or bar.close), self.params.tick_size))
