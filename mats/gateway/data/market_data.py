"""Live market data for clients: who may subscribe to what, and to whom quotes and bars go."""

from collections.abc import Callable

from mats.gateway.accounts import Handler
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data.bar_and_tick_streams import LiveBars, RealTimeBars, TickByTick
from mats.gateway.data.contracts import Contracts
from mats.gateway.data.depth import Depth
from mats.gateway.data.subscriptions import Line
from mats.gateway.data.top_of_book import TopOfBook
from mats.gateway.pacing import GatewayLimits
from mats.gateway.protocol import ClientSession, Fields, responses
from mats.model import Bar, Clock, InstrumentId, Nanos, Quote
from mats.venue.markets import BarHistory, SessionPhase, Universe
from mats.venue.matching import Exchange

SMART_COMPONENTS = ((1, "ARCA", "P"), (2, "NASDAQ", "Q"), (3, "NYSE", "N"), (4, "BATS", "Z"), (5, "IEX", "V"))
"""Bit, exchange and letter of the exchanges behind SMART."""


class MarketDataService:
    """The subscriptions to live data; `on_subscribe` is called at each new one. While `paused`, nothing is sent."""

    def __init__(
        self,
        hub: ClientRegistry,
        clock: Clock,
        universe: Universe,
        contracts: Contracts,
        exchange: Exchange,
        history: BarHistory,
        limits: GatewayLimits,
        on_subscribe: Callable[[], None],
    ) -> None:
        self._exchange, self._limits, self._on_subscribe = exchange, limits, on_subscribe
        self.paused = False
        self._top = TopOfBook(hub, clock, universe, contracts, exchange, history)
        self._single = TickByTick(hub, contracts, limits.tick_by_tick)
        self._depth = Depth(hub, universe, contracts, exchange, limits.depth)
        self._bars = RealTimeBars(hub, contracts)
        self.growing = LiveBars(hub, history)
        streams = (self._top, self._single, self._depth, self._bars, self.growing)
        self._subscriptions = tuple(stream.subscriptions for stream in streams)

    def requests(self) -> dict[int, Handler]:
        return {
            1: lambda session, fields: self._opened(self._top.request(session, fields, self._has_room)),
            2: self._cancel_ticks,
            10: lambda session, fields: self._opened(self._depth.request(session, fields)),
            11: self._cancel_depth,
            50: lambda session, fields: self._opened(self._bars.request(session, fields, self._has_room)),
            51: self._cancel_bars,
            59: self._top.choose_type,
            82: self._depth.exchanges,
            83: self._smart_components,
            97: lambda session, fields: self._opened(self._single.request(session, fields)),
            98: self._cancel_single,
        }

    def forget(self, client_id: int) -> None:
        """Drops the subscriptions of a client that has left."""
        self._top.forget(client_id)
        for subscriptions in self._subscriptions:
            subscriptions.drop(lambda line: line[0] == client_id)

    def drop_all(self) -> None:
        """Loses every subscription, as a gateway does that says 1101."""
        for subscriptions in self._subscriptions:
            subscriptions.drop(lambda line: True)

    def lines(self, kind: str) -> list[Line]:
        """The open lines of `ticks` (of either sort) or `bars`."""
        streams = (self._bars, self.growing) if kind == "bars" else (self._top, self._single)
        return [line for stream in streams for line in stream.subscriptions]

    # news

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        """Sends what changed since the quote before it; a market that is closed is silent."""
        if self.paused or self._closed(quote.instrument, quote.time):
            return
        self._top.on_quote(quote, before)
        self._single.on_quote(quote, before)
        self._depth.on_quote(quote, before)

    def on_bars(self, bars: dict[str, list[Bar]]) -> None:
        """Sends five-second bars, by kind of price."""
        if self.paused:
            return
        for kind, of_kind in bars.items():
            for bar in of_kind:
                if self._closed(bar.instrument, bar.start):
                    continue
                self._bars.on_bar(kind, bar)
                self.growing.on_bar(kind, bar)

    def _closed(self, name: InstrumentId, instant: Nanos) -> bool:
        return self._exchange.session(name, instant).phase(instant) is SessionPhase.CLOSED

    def bar_lines(self) -> dict[str, list[InstrumentId]]:
        """The instruments with bars open at some client, by kind of price."""
        lines: dict[str, dict[InstrumentId, None]] = {}
        for stream in (self._bars, self.growing):
            for kind, names in stream.lines().items():
                lines.setdefault(kind, {}).update(dict.fromkeys(names))
        return {kind: list(names) for kind, names in lines.items()}

    # requests

    def _opened(self, is_new: bool) -> None:
        if is_new:
            self._on_subscribe()

    def _has_room(self, name: InstrumentId) -> bool:
        names = {*self._top.subscriptions.names, *self._bars.subscriptions.names}
        return name in names or len(names) < self._limits.lines

    def _cancel_ticks(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        request_id = fields.integer()
        if not self._top.subscriptions.remove((session.client_id, request_id)):
            session.send(responses.error(request_id, 300, f"Can't find EId with tickerId:{request_id}"))

    def _cancel_depth(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        request_id = fields.integer()
        if not self._depth.subscriptions.remove((session.client_id, request_id)):
            words = f"Can't find the subscribed market depth with tickerId:{request_id}"
            session.send(responses.error(request_id, 310, words))

    def _cancel_bars(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        self._bars.subscriptions.remove((session.client_id, fields.integer()))

    def _cancel_single(self, session: ClientSession, fields: Fields) -> None:
        self._single.subscriptions.remove((session.client_id, fields.integer()))

    def _smart_components(self, session: ClientSession, fields: Fields) -> None:
        rows = SMART_COMPONENTS
        session.send((82, fields.integer(), len(rows), *(field for row in rows for field in row)))
