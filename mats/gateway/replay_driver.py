"""Plays stored data as a market, and keeps the position in the replay with the state of the gateway."""

import asyncio

from mats.gateway.data import MarketDataService
from mats.gateway.market_driver import Publisher
from mats.gateway.persistence import GatewayState
from mats.model import MINUTE
from mats.venue import DataClock
from mats.venue.markets import BarReplay, Slice


class ReplayMarketDriver:
    """Stored minutes at `bar_seconds` each. It begins `hold_seconds` after the last new subscription."""

    def __init__(
        self,
        replay: BarReplay,
        clock: DataClock,
        publisher: Publisher,
        data: MarketDataService,
        state: GatewayState,
        bar_seconds: float,
        hold_seconds: float,
    ) -> None:
        self._replay, self._clock, self._publisher, self._data = replay, clock, publisher, data
        self._state = state
        self._bar_seconds, self._hold_seconds = bar_seconds, hold_seconds
        self._subscribed = asyncio.Event()
        self._last_request = 0.0

    def on_subscribe(self) -> None:
        self._last_request = self._clock.monotonic()
        self._subscribed.set()

    async def run(self) -> None:
        """Plays to the end of the data; when it falls behind its schedule it lags and skips nothing."""
        await self._hold()
        due = self._clock.monotonic()
        for start, slices in self._replay.minutes(self._clock.now()):
            reached = start
            for piece in slices:
                due = max(due + (piece.time - reached) / MINUTE * self._bar_seconds, self._clock.monotonic())
                reached = piece.time
                await self._clock.sleep(due - self._clock.monotonic())
                self.play(piece)

    async def _hold(self) -> None:
        await self._subscribed.wait()
        left = self._hold_seconds
        while left > 0:
            await self._clock.sleep(left)
            left = self._last_request + self._hold_seconds - self._clock.monotonic()

    def play(self, piece: Slice) -> None:
        """Plays one instant of the data."""
        self._clock.advance(piece.time)
        self._state.put("clock", "now", piece.time)
        self._publisher.publish(piece.time, piece.quotes)
        self._publisher.publish_bars({kind: list(piece.bars) for kind in self._data.bar_instruments()})
