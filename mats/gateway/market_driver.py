"""What moves the market on: here the clock, for the random market; `replay_driver` plays stored data.

At each instant the order is: the clock, then the quotes and the fills they cause, then the bars that end there.
"""

from collections.abc import Iterable
from typing import Protocol

from mats.gateway.data import MarketDataService
from mats.gateway.orders import OrderService
from mats.model import SECOND, Bar, Nanos, Quote
from mats.venue import AlarmClock
from mats.venue.markets import QUOTE_STEP, RandomMarket
from mats.venue.matching import Exchange

BAR_SPAN: Nanos = 5 * SECOND

MAX_GAP_BARS = 720
"""After a jump of the clock, bars are published for at most this many missed spans."""


class MarketDriver(Protocol):
    """A source of prices; `run` continues until it is cancelled or the data ends."""

    def on_subscribe(self) -> None:
        """A client has opened a new market data subscription."""

    async def run(self) -> None: ...


class Publisher:
    """Passes quotes and bars to the exchange, the order service and the clients."""

    def __init__(self, exchange: Exchange, orders: OrderService, data: MarketDataService) -> None:
        self._exchange, self._orders, self._data = exchange, orders, data

    def publish(self, now: Nanos, quotes: Iterable[Quote]) -> None:
        """Publishes new quotes: fills are booked before the quotes are sent."""
        self._orders.advance(now)
        for quote in quotes:
            before = self._exchange.quote(quote.instrument)
            self._orders.process(self._exchange.on_quote(quote))
            self._data.on_quote(quote, before)

    def publish_bars(self, bars: dict[str, list[Bar]]) -> None:
        self._data.on_bars(bars)


class RandomMarketDriver:
    """Four quotes a second; five-second bars as they end, none left out."""

    def __init__(self, market: RandomMarket, clock: AlarmClock, publisher: Publisher, data: MarketDataService) -> None:
        self._market, self._clock, self._publisher, self._data = market, clock, publisher, data
        self._bar = clock.now() // BAR_SPAN

    def on_subscribe(self) -> None:
        """Does nothing: the random market never waits for subscribers."""

    async def run(self) -> None:
        while True:
            now = self._clock.now()
            self.step(now)
            await self._clock.until(now - now % QUOTE_STEP + QUOTE_STEP)

    def step(self, now: Nanos) -> None:
        """Publishes the current quotes, and the bars that ended since the previous step."""
        self._publisher.publish(now, self._market.quotes(now))
        if not now // BAR_SPAN - MAX_GAP_BARS <= self._bar <= now // BAR_SPAN:
            self._bar = now // BAR_SPAN
        while self._bar < now // BAR_SPAN:
            start = self._bar * BAR_SPAN
            self._publisher.publish_bars(
                {
                    kind: [bar for name in names for bar in self._market.bars(name, start, start + BAR_SPAN, 5, kind)]
                    for kind, names in self._data.bar_instruments().items()
                }
            )
            self._bar += 1
