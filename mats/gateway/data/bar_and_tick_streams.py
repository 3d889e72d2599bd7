"""Bars that keep up to date: the unfinished bar of a request, sent anew whenever five seconds were added to it."""

from collections.abc import Callable

import msgspec

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data.contracts import Contracts
from mats.gateway.data.historical_requests import PRICES, SERVICE_ERROR, BarRequest
from mats.gateway.data.subscriptions import Subscriptions
from mats.gateway.protocol import ClientSession, Fields, data_messages, historical_messages, responses
from mats.model import SECOND, Bar, InstrumentId, Nanos, Quote
from mats.venue.markets import BarHistory, join_bars


class TickByTick:
    """Subscriptions to single ticks, at most `most` of them."""

    def __init__(self, hub: ClientRegistry, contracts: Contracts, most: int) -> None:
        self._hub, self._contracts, self._most = hub, contracts, most
        self.subscriptions: Subscriptions[str] = Subscriptions()

    def request(self, session: ClientSession, fields: Fields) -> bool:
        """Returns whether there is a new subscription."""
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        kind = fields.text()
        if kind not in data_messages.TICK_KINDS:
            words = f"Error validating request.-'cu' : cause - tick type {kind} is not offered"
            session.send(responses.error(request_id, 321, words))
            return False
        if len(self.subscriptions) >= self._most:
            session.send(responses.error(request_id, 10190, "Max number of tick-by-tick requests has been reached"))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, kind)
        return True

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        for (client_id, request_id), kind in self.subscriptions.of(quote.instrument).items():
            message = data_messages.tick_by_tick(request_id, kind, quote, before)
            if message:
                self._hub.tell(client_id, message)


KINDS = ("TRADES", "MIDPOINT", "BID", "ASK")


class RealTimeBars:
    """Subscriptions to five-second bars, by kind of price."""

    def __init__(self, hub: ClientRegistry, contracts: Contracts) -> None:
        self._hub, self._contracts = hub, contracts
        self.subscriptions: Subscriptions[str] = Subscriptions()

    def request(self, session: ClientSession, fields: Fields, room: Callable[[InstrumentId], bool]) -> bool:
        """Returns whether there is a new subscription."""
        fields.skip(1)
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        fields.skip(1)
        kind = fields.text()
        if kind not in KINDS:
            words = f"Error validating request.-'bO' : cause - Incorrect generic tick: {kind} bars are not offered"
            session.send(responses.error(request_id, 321, words))
            return False
        if not room(instrument.id):
            session.send(responses.error(request_id, 101, "Max number of tickers has been reached"))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, kind)
        return True

    def lines(self) -> dict[str, list[InstrumentId]]:
        """The instruments with bars open at some client, by kind of price."""
        lines: dict[str, dict[InstrumentId, None]] = {}
        for name in self.subscriptions.names:
            for kind in self.subscriptions.of(name).values():
                lines.setdefault(kind, {})[name] = None
        return {kind: list(names) for kind, names in lines.items()}

    def on_bar(self, kind: str, bar: Bar) -> None:
        for (client_id, request_id), wanted in self.subscriptions.of(bar.instrument).items():
            if wanted == kind:
                self._hub.tell(client_id, data_messages.realtime_bar(request_id, bar))


class LiveBar(msgspec.Struct):
    """A request and its unfinished bar, None between two bars."""

    request: BarRequest
    bar: Bar | None

    @property
    def kind(self) -> str:
        return PRICES[self.request.what]

    def add(self, piece: Bar) -> Bar:
        """The bar with five more seconds in it."""
        span = self.request.seconds * SECOND
        same = self.bar and self.bar.start == piece.start // span * span
        self.bar = join_bars([self.bar, piece] if self.bar and same else [piece], self.request.seconds)
        return self.bar


class LiveBars:
    """Subscriptions to unfinished bars."""

    def __init__(self, hub: ClientRegistry, history: BarHistory) -> None:
        self._hub, self._history = hub, history
        self.subscriptions: Subscriptions[LiveBar] = Subscriptions()

    def open(self, session: ClientSession, request: BarRequest, now: Nanos) -> None:
        """Begins with what there is of the present bar."""
        name, span = request.instrument.id, request.seconds * SECOND
        pieces = self._history.bars(name, now // span * span, now, 5, PRICES[request.what])
        bar = join_bars(pieces, request.seconds) if pieces else None
        self.subscriptions.add((session.client_id, request.request_id), name, LiveBar(request, bar))

    def cancel(self, session: ClientSession, request_id: int) -> None:
        if self.subscriptions.remove((session.client_id, request_id)):
            words = f"{SERVICE_ERROR}API historical data query cancelled: {request_id}"
            session.send(responses.error(request_id, 162, words))
        else:
            words = f"No historical data query found for ticker id:{request_id}"
            session.send(responses.error(request_id, 366, words))

    def lines(self) -> dict[str, list[InstrumentId]]:
        """The instruments with a growing bar, by kind of price."""
        lines: dict[str, dict[InstrumentId, None]] = {}
        for name in self.subscriptions.names:
            for growing in self.subscriptions.of(name).values():
                lines.setdefault(growing.kind, {})[name] = None
        return {kind: list(names) for kind, names in lines.items()}

    def on_bar(self, kind: str, piece: Bar) -> None:
        for (client_id, request_id), growing in self.subscriptions.of(piece.instrument).items():
            if growing.kind == kind:
                bar = growing.add(piece)
                message = historical_messages.historical_update(request_id, bar, growing.request.date_format)
                self._hub.tell(client_id, message)
