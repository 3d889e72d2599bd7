"""Streams of ticks and bars: tick by tick, five-second bars, and the unfinished bar of a historical request."""

from collections.abc import Callable

import msgspec

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data.contracts import ContractService
from mats.gateway.data.historical_requests import PRICES, SERVICE_ERROR, BarRequest
from mats.gateway.data.subscriptions import Subscriptions
from mats.gateway.protocol import ClientSession, Fields, data_messages, historical_messages, responses
from mats.model import SECOND, Bar, InstrumentId, Nanos, Quote
from mats.venue.markets import BarHistory, join_bars


class TickByTick:
    """Tick-by-tick subscriptions, at most `limit` of them."""

    def __init__(self, clients: ClientRegistry, contracts: ContractService, limit: int) -> None:
        self._clients, self._contracts, self._limit = clients, contracts, limit
        self.subscriptions: Subscriptions[str] = Subscriptions()

    def request(self, session: ClientSession, fields: Fields) -> bool:
        """Returns whether there is a new subscription."""
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        kind = fields.text()
        if kind not in data_messages.TICK_KINDS:
            text = f"Error validating request.-'cu' : cause - tick type {kind} is not offered"
            session.send(responses.error(request_id, 321, text))
            return False
        if len(self.subscriptions) >= self._limit:
            session.send(responses.error(request_id, 10190, "Max number of tick-by-tick requests has been reached"))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, kind)
        return True

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        for (client_id, request_id), kind in self.subscriptions.on(quote.instrument).items():
            message = data_messages.tick_by_tick(request_id, kind, quote, before)
            if message:
                self._clients.send(client_id, message)


KINDS = ("TRADES", "MIDPOINT", "BID", "ASK")


class RealTimeBars:
    """Subscriptions to five-second bars, by kind of price."""

    def __init__(
        self, clients: ClientRegistry, contracts: ContractService, may_have_live: Callable[[InstrumentId], bool]
    ) -> None:
        self._clients, self._contracts, self._may_have_live = clients, contracts, may_have_live
        self.subscriptions: Subscriptions[str] = Subscriptions()

    def request(self, session: ClientSession, fields: Fields, has_room: Callable[[InstrumentId], bool]) -> bool:
        """Returns whether there is a new subscription."""
        fields.skip(1)
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        fields.skip(1)
        kind = fields.text()
        if kind not in KINDS:
            text = f"Error validating request.-'bO' : cause - Incorrect generic tick: {kind} bars are not offered"
            session.send(responses.error(request_id, 321, text))
            return False
        if not self._may_have_live(instrument.id):
            text = f"Invalid Real-time Query:No market data permissions for {instrument.exchange} {instrument.sec_type}"
            session.send(responses.error(request_id, 420, text))
            return False
        if not has_room(instrument.id):
            session.send(responses.error(request_id, 101, "Max number of tickers has been reached"))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, kind)
        return True

    def instruments_by_kind(self) -> dict[str, list[InstrumentId]]:
        """The instruments with subscribed bars, by kind of price."""
        by_kind: dict[str, dict[InstrumentId, None]] = {}
        for name in self.subscriptions.instruments:
            for kind in self.subscriptions.on(name).values():
                by_kind.setdefault(kind, {})[name] = None
        return {kind: list(names) for kind, names in by_kind.items()}

    def on_bar(self, kind: str, bar: Bar) -> None:
        for (client_id, request_id), wanted in self.subscriptions.on(bar.instrument).items():
            if wanted == kind:
                self._clients.send(client_id, data_messages.realtime_bar(request_id, bar))


class LiveBar(msgspec.Struct):
    """A request and its unfinished bar, None between two bars."""

    request: BarRequest
    bar: Bar | None

    @property
    def kind(self) -> str:
        return PRICES[self.request.what]

    def add(self, piece: Bar) -> Bar:
        """Extends the bar by five seconds."""
        span = self.request.seconds * SECOND
        same = self.bar and self.bar.start == piece.start // span * span
        self.bar = join_bars([self.bar, piece] if self.bar and same else [piece], self.request.seconds)
        return self.bar


class LiveBars:
    """Subscriptions to unfinished bars, updated every five seconds."""

    def __init__(self, clients: ClientRegistry, history: BarHistory) -> None:
        self._clients, self._history = clients, history
        self.subscriptions: Subscriptions[LiveBar] = Subscriptions()

    def open(self, session: ClientSession, request: BarRequest, now: Nanos) -> None:
        """Starts with the elapsed part of the current bar."""
        name, span = request.instrument.id, request.seconds * SECOND
        pieces = self._history.bars(name, now // span * span, now, 5, PRICES[request.what])
        bar = join_bars(pieces, request.seconds) if pieces else None
        self.subscriptions.add((session.client_id, request.request_id), name, LiveBar(request, bar))

    def cancel(self, session: ClientSession, request_id: int) -> None:
        if self.subscriptions.remove((session.client_id, request_id)):
            text = f"{SERVICE_ERROR}API historical data query cancelled: {request_id}"
            session.send(responses.error(request_id, 162, text))
        else:
            text = f"No historical data query found for ticker id:{request_id}"
            session.send(responses.error(request_id, 366, text))

    def instruments_by_kind(self) -> dict[str, list[InstrumentId]]:
        """The instruments with an unfinished bar, by kind of price."""
        by_kind: dict[str, dict[InstrumentId, None]] = {}
        for name in self.subscriptions.instruments:
            for live_bar in self.subscriptions.on(name).values():
                by_kind.setdefault(live_bar.kind, {})[name] = None
        return {kind: list(names) for kind, names in by_kind.items()}

    def on_bar(self, kind: str, piece: Bar) -> None:
        for (client_id, request_id), live_bar in self.subscriptions.on(piece.instrument).items():
            if live_bar.kind == kind:
                bar = live_bar.add(piece)
                message = historical_messages.historical_update(request_id, bar, live_bar.request.date_format)
                self._clients.send(client_id, message)
