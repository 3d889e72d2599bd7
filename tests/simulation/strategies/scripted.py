"""A strategy of a simulation: random wishes at random times, the same ones for one seed."""

from decimal import Decimal
from random import Random

import msgspec

from mats.model.market_data import Bar, Quote
from mats.model.orders import OrderTicket, OrderType, Side, TimeInForce
from mats.model.timestamp import SECOND, Nanos
from mats.strategy import Strategy

LAST: Nanos = 5 * SECOND


class Scripted(Strategy):
    """Acts on every quote with probability `activity`, until the instant `until` (nanoseconds UTC).

    In its last seconds it places an order for certain: that it can is what shows that it trades.
    """

    class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """`instruments` to trade; `seed` of the wishes."""

        instruments: tuple[str, ...]
        seed: int
        until: int
        activity: float = 0.15

    bar_seconds = 5
    ticks = True

    def on_start(self) -> None:
        """Begin anew with numbers of its own: a restarted script does not repeat itself."""
        self._random = Random(f"{self.params.seed}/{self.name}/{self._context.host.now()}")
        self._ordered_at_last = False

    def on_bar(self, bar: Bar) -> None:
        """Quotes are enough."""

    def on_tick(self, quote: Quote) -> None:
        """One wish, or none."""
        random, now = self._random, self._context.host.now()
        if now >= self.params.until:
            return
        if now >= self.params.until - LAST and not self._ordered_at_last:
            self._ordered_at_last = True
            self._order(quote)
            return
        if random.random() >= self.params.activity:
            return
        working = list(self.broker.orders().values())
        choice = random.random()
        if choice < 0.2 and working:
            self.broker.cancel(random.choice(working).intent_id)
        elif choice < 0.35 and working:
            order = random.choice(working)
            self.broker.modify(order.intent_id, quantity=order.filled + random.randint(1, 200))
        elif choice < 0.5:
            self.signal(quote.instrument, random.choice((-0.2, 0.0, 0.1, 0.3)))
        else:
            self._order(quote)

    def _order(self, quote: Quote) -> None:
        random = self._random
        side = random.choice((Side.BUY, Side.SELL))
        price = Decimal(str(quote.ask if side is Side.BUY else quote.bid))
        tickets = (
            OrderTicket(),
            OrderTicket(order_type=OrderType.LIMIT, limit_price=price, tif=TimeInForce.GTC),
            OrderTicket(order_type=OrderType.LIMIT, limit_price=price - 2 * side.sign, tif=TimeInForce.GTC),
            OrderTicket(order_type=OrderType.LIMIT, limit_price=price, tif=TimeInForce.IOC),
        )
        self.broker.place_order(quote.instrument, random.choice(tickets), side, quantity=random.randint(1, 300))
