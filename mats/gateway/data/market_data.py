"""Live market data for clients: subscriptions, their limits, and the delivery of quotes and bars."""

from collections.abc import Callable

from mats.gateway.accounts import RequestHandler
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data.bar_and_tick_streams import LiveBars, RealTimeBars, TickByTick
from mats.gateway.data.contracts import ContractService
from mats.gateway.data.depth import MarketDepth
from mats.gateway.data.subscriptions import SubscriptionId
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
        clients: ClientRegistry,
        clock: Clock,
        universe: Universe,
        contracts: ContractService,
        exchange: Exchange,
        history: BarHistory,
        limits: GatewayLimits,
        on_subscribe: Callable[[], None],
    ) -> None:
        self._universe, self._exchange = universe, exchange
        self._limits, self._on_subscribe = limits, on_subscribe
        self.paused = False
        self._without_permission: set[InstrumentId] = set()
        self._top = TopOfBook(clients, clock, universe, contracts, exchange, history, self._may_have_live)
        self._tick_by_tick = TickByTick(clients, contracts, limits.tick_by_tick)
        self._depth = MarketDepth(clients, universe, contracts, exchange, limits.depth)
        self._bars = RealTimeBars(clients, contracts, self._may_have_live)
        self.live_bars = LiveBars(clients, history)
        streams = (self._top, self._tick_by_tick, self._depth, self._bars, self.live_bars)
        self._subscriptions = tuple(stream.subscriptions for stream in streams)

    def requests(self) -> dict[int, RequestHandler]:
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
            97: lambda session, fields: self._opened(self._tick_by_tick.request(session, fields)),
            98: self._cancel_tick_by_tick,
        }

    def remove_client(self, client_id: int) -> None:
        """Drops the subscriptions of a client that has disconnected."""
        self._top.remove_client(client_id)
        for subscriptions in self._subscriptions:
            subscriptions.remove_where(lambda key: key[0] == client_id)

    def drop_all(self) -> None:
        """Drops every subscription, as a gateway does with error 1101."""
        for subscriptions in self._subscriptions:
            subscriptions.remove_where(lambda key: True)

    def silence(self) -> None:
        """The open subscriptions send nothing more."""
        for subscriptions in self._subscriptions:
            subscriptions.silence()

    def permit(self, name: InstrumentId, *, live: bool) -> None:
        """Gives or takes the permission for live data; without it the open subscriptions to it are silent."""
        if live:
            self._without_permission.discard(name)
            return
        self._without_permission.add(name)
        for subscriptions in self._subscriptions:
            subscriptions.silence(name)

    def open_ids(self, kind: str) -> list[SubscriptionId]:
        """The open subscriptions of `ticks` (top of book and tick by tick), `bars`, or both (`streams`)."""
        bars = [*self._bars.subscriptions, *self.live_bars.subscriptions]
        ticks = [*self._top.subscriptions, *self._tick_by_tick.subscriptions]
        return {"bars": bars, "ticks": ticks}.get(kind, ticks + bars)

    # market data

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        """Sends what changed since the previous quote; nothing while the market is closed."""
        if self.paused or self._closed(quote.instrument, quote.time):
            return
        self._top.on_quote(quote, before)
        self._tick_by_tick.on_quote(quote, before)
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
                self.live_bars.on_bar(kind, bar)

    def _closed(self, name: InstrumentId, instant: Nanos) -> bool:
        return self._exchange.session(name, instant).phase(instant) is SessionPhase.CLOSED

    def bar_instruments(self) -> dict[str, list[InstrumentId]]:
        """The instruments with subscribed bars, by kind of price."""
        by_kind: dict[str, dict[InstrumentId, None]] = {}
        for stream in (self._bars, self.live_bars):
            for kind, names in stream.instruments_by_kind().items():
                by_kind.setdefault(kind, {}).update(dict.fromkeys(names))
        return {kind: list(names) for kind, names in by_kind.items()}

    # requests

    def _opened(self, is_new: bool) -> None:
        if is_new:
            self._on_subscribe()

    def _may_have_live(self, name: InstrumentId) -> bool:
        return name not in self._without_permission and self._universe.listing(name).live

    def _has_room(self, name: InstrumentId) -> bool:
        names = {*self._top.subscriptions.instruments, *self._bars.subscriptions.instruments}
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
            text = f"Can't find the subscribed market depth with tickerId:{request_id}"
            session.send(responses.error(request_id, 310, text))

    def _cancel_bars(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        self._bars.subscriptions.remove((session.client_id, fields.integer()))

    def _cancel_tick_by_tick(self, session: ClientSession, fields: Fields) -> None:
        self._tick_by_tick.subscriptions.remove((session.client_id, fields.integer()))

    def _smart_components(self, session: ClientSession, fields: Fields) -> None:
        rows = SMART_COMPONENTS
        session.send((82, fields.integer(), len(rows), *(field for row in rows for field in row)))
