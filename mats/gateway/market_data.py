"""Market data for clients: ticks, five-second bars, and bars of the past."""

from collections import defaultdict
from collections.abc import Callable

from mats.gateway import data_messages, responses
from mats.gateway.admission import Refusal
from mats.gateway.hub import Hub
from mats.gateway.portfolio import Handler
from mats.gateway.requests import BAR_SIZES, contract_query, duration, instant
from mats.gateway.session import Session
from mats.gateway.wire import Fields, WireError, encode_text
from mats.model.instrument import Instrument, InstrumentId
from mats.model.market import Bar, Quote
from mats.model.timestamp import DAY, SECOND, Nanos
from mats.venue.clock import Clock
from mats.venue.exchange import Exchange
from mats.venue.history import History
from mats.venue.universe import Universe

Line = tuple[int, int]
"""A subscription: client id and request id."""

KINDS = {"TRADES": "TRADES", "MIDPOINT": "MIDPOINT", "BID": "BID", "ASK": "ASK", "ADJUSTED_LAST": "TRADES"}
MAX_SPAN: Nanos = 31 * DAY
"""The longest stretch of bars below one hour in one request."""
MAX_BARS = 100_000
"""The most bars in one answer."""


SERVICE_ERROR = "Historical Market Data Service error message:"
INVALID = "Error validating request.-'bQ' : cause - "


class MarketData:
    """The subscriptions and the history. `on_subscribe` is called at each new subscription."""

    def __init__(
        self,
        hub: Hub,
        clock: Clock,
        universe: Universe,
        exchange: Exchange,
        history: History,
        on_subscribe: Callable[[], None],
    ) -> None:
        self._hub, self._clock, self._universe = hub, clock, universe
        self._exchange, self._history, self._on_subscribe = exchange, history, on_subscribe
        self.paused = False
        self._ticks: dict[InstrumentId, dict[Line, None]] = defaultdict(dict)
        self._tick_by_tick: dict[InstrumentId, dict[Line, str]] = defaultdict(dict)
        self._bars: dict[InstrumentId, dict[Line, str]] = defaultdict(dict)

    def requests(self) -> dict[int, Handler]:
        return {
            1: self._subscribe_ticks,
            2: self._cancel_versioned,
            9: self._contract_details,
            20: self._historical,
            25: lambda session, fields: None,
            50: self._subscribe_bars,
            51: self._cancel_versioned,
            59: lambda session, fields: None,
            87: self._head,
            90: lambda session, fields: None,
            97: self._subscribe_tick_by_tick,
            98: self._cancel,
        }

    def forget(self, client_id: int) -> None:
        """Drops the subscriptions of a client that has left."""
        self._drop(lambda line: line[0] == client_id)

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        """Sends what changed since the quote before it."""
        if self.paused:
            return
        lines = self._ticks.get(quote.instrument)
        if lines:
            changes = data_messages.tick_changes(quote, before)
            for client_id, request_id in lines:
                self._send_ticks(client_id, request_id, changes)
        for (client_id, request_id), kind in self._tick_by_tick.get(quote.instrument, {}).items():
            message = data_messages.tick_by_tick(request_id, kind, quote)
            if message:
                self._hub.tell(client_id, message)

    def on_bars(self, bars: dict[str, list[Bar]]) -> None:
        """Sends five-second bars, by kind of price."""
        if self.paused:
            return
        for kind, of_kind in bars.items():
            for bar in of_kind:
                for (client_id, request_id), wanted in self._bars.get(bar.instrument, {}).items():
                    if wanted == kind:
                        self._hub.tell(client_id, data_messages.realtime_bar(request_id, bar))

    def _send_ticks(self, client_id: int, request_id: int, changes: list[tuple[str, str]]) -> None:
        session = self._hub.session(client_id)
        if session and changes:
            session.send_raw(b"".join(encode_text(f"{head}{request_id}{tail}") for head, tail in changes))
            self._hub.wake()

    def _resolve(self, session: Session, request_id: int, fields: Fields) -> Instrument | None:
        found = self._universe.find(contract_query(fields))
        if len(found) != 1:
            words = "No security definition has been found for the request" if not found else "Contract is ambiguous"
            session.send(responses.error(request_id, 200, words))
            return None
        return found[0]

    def _contract_details(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        request_id = fields.integer()
        found = self._universe.find(contract_query(fields))
        if not found:
            words = "No security definition has been found for the request"
            session.send(responses.error(request_id, 200, words))
            return
        session.send(*(responses.contract_details(request_id, instrument) for instrument in found))
        session.send(responses.contract_details_end(request_id))

    # live

    def _subscribe_ticks(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        request_id = fields.integer()
        instrument = self._resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(2)
        snapshot = fields.flag()
        session.send(data_messages.tick_parameters(request_id, instrument))
        session.send(data_messages.market_data_type(request_id))
        quote = self._exchange.quote(instrument.id)
        if quote:
            self._send_ticks(session.client_id, request_id, data_messages.tick_changes(quote, None))
        close = self._last_close(instrument)
        if close:
            session.send(data_messages.tick_price(request_id, data_messages.CLOSE, close))
        if snapshot:
            session.send(data_messages.snapshot_end(request_id))
            return
        self._ticks[instrument.id][session.client_id, request_id] = None
        self._on_subscribe()

    def _last_close(self, instrument: Instrument) -> float:
        today = self._clock.now() // DAY * DAY
        bars = self._history.bars(instrument.id, today - 7 * DAY, today, 86400, "TRADES")
        return bars[-1].close if bars else 0.0

    def _subscribe_bars(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        request_id = fields.integer()
        instrument = self._resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(1)
        kind = fields.text()
        if kind not in KINDS:
            words = f"Error validating request.-'bO' : cause - Incorrect generic tick: {kind} bars are not offered"
            session.send(responses.error(request_id, 321, words))
            return
        self._bars[instrument.id][session.client_id, request_id] = KINDS[kind]
        self._on_subscribe()

    def bar_lines(self) -> dict[str, list[InstrumentId]]:
        """The instruments with bars open at some client, by kind of price."""
        lines: dict[str, dict[InstrumentId, None]] = {}
        for name, wanted in self._bars.items():
            for kind in wanted.values():
                lines.setdefault(kind, {})[name] = None
        return {kind: list(names) for kind, names in lines.items()}

    def lines(self, kind: str) -> list[Line]:
        """The open lines of `ticks` (of either sort) or `bars`."""
        tables = (self._bars,) if kind == "bars" else (self._ticks, self._tick_by_tick)
        return [line for table in tables for lines in table.values() for line in lines]

    def drop_all(self) -> None:
        """Loses every subscription, as a gateway does that says 1101."""
        self._drop(lambda line: True)

    def _subscribe_tick_by_tick(self, session: Session, fields: Fields) -> None:
        request_id = fields.integer()
        instrument = self._resolve(session, request_id, fields)
        if instrument is None:
            return
        kind = fields.text()
        if kind not in data_messages.TICK_KINDS:
            words = f"Error validating request.-'cu' : cause - tick type {kind} is not offered"
            session.send(responses.error(request_id, 321, words))
            return
        self._tick_by_tick[instrument.id][session.client_id, request_id] = kind
        self._on_subscribe()

    def _cancel_versioned(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        self._cancel(session, fields)

    def _cancel(self, session: Session, fields: Fields) -> None:
        line = (session.client_id, fields.integer())
        self._drop(lambda other: other == line)

    def _drop(self, gone: Callable[[Line], bool]) -> None:
        for table in (self._ticks, self._tick_by_tick, self._bars):
            for lines in table.values():
                for line in [line for line in lines if gone(line)]:
                    lines.pop(line)

    # the past

    def _historical(self, session: Session, fields: Fields) -> None:
        request_id = fields.integer()
        instrument = self._resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(1)
        ends, size, length = fields.text(), fields.text(), fields.text()
        fields.skip(1)
        kind, date_format, keep = fields.text(), fields.integer(), fields.flag()
        try:
            end = min(instant(ends), self._clock.now()) if ends else self._clock.now()
        except WireError as error:
            session.send(responses.error(request_id, 10314, f"End Date/Time: {error}."))
            return
        span, seconds = duration(length), BAR_SIZES.get(size, 0)
        refusal = _refusal(span, seconds, kind, keep=keep)
        if refusal:
            session.send(responses.error(request_id, refusal.code, refusal.text))
            return
        bars = self._history.bars(instrument.id, end - span, end, seconds, KINDS[kind])
        if bars:
            session.send(data_messages.historical_data(request_id, bars, end - span, end, date_format))
        else:
            session.send(responses.error(request_id, 162, f"{SERVICE_ERROR}HMDS query returned no data"))

    def _head(self, session: Session, fields: Fields) -> None:
        request_id = fields.integer()
        instrument = self._resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(3)
        head = self._history.head(instrument.id)
        session.send(data_messages.head_timestamp(request_id, head, fields.integer()))


def _refusal(span: Nanos, seconds: int, kind: str, *, keep: bool) -> Refusal | None:
    """What is wrong with a request for bars."""
    if kind not in KINDS:
        return Refusal(321, f"{INVALID}Bars of {kind} are not offered")
    if not seconds:
        return Refusal(
            321, f"{INVALID}Historical data bar size setting is invalid; one of {', '.join(BAR_SIZES)} is legal"
        )
    if not span:
        return Refusal(321, f"{INVALID}Historical data duration is not a count and one of S, D, W, M, Y")
    if keep:
        return Refusal(321, f"{INVALID}Bars that keep up to date are not offered; use real-time bars")
    if (seconds < 3600 and span > MAX_SPAN) or span > MAX_BARS * seconds * SECOND:
        return Refusal(162, f"{SERVICE_ERROR}Time length exceed max.")
    return None
