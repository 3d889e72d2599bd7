"""Historical data: bars, ticks, histograms, head timestamps, trading schedules."""

from collections import Counter
from collections.abc import Callable
from itertools import groupby

import msgspec

from mats.gateway.accounts import RequestHandler
from mats.gateway.data.bar_and_tick_streams import LiveBars
from mats.gateway.data.contracts import ContractService
from mats.gateway.data.historical_requests import (
    DURATIONS,
    MONTH,
    NO_DATA,
    PACING_VIOLATION,
    PRICES,
    SCHEDULE,
    WEEK,
    BarRequest,
    HistoricalPacing,
    check_bar_request,
    read_bar_request,
)
from mats.gateway.protocol import ClientSession, Fields, Message, WireError, contract_messages, parse_time, responses
from mats.gateway.protocol import historical_messages as wire
from mats.model import DAY, SECOND, Bar, Clock, Instrument, Nanos, to_datetime
from mats.venue.markets import BarHistory, Hours, SessionPhase, join_bars

MAX_TICKS = 1000
"""Ticks in one answer. Source: IB's documentation of reqHistoricalTicks."""
TICK_SECONDS = 5
"""History has a resolution of this many seconds: a historical tick is the end of one such bar."""

TOO_MANY_OPEN = "Error processing request.-'bQ' : cause - Maximum number of open historical data requests ({}) exceeded"


class HistoricalDataService:
    """Answers historical requests. `pacing` None: unlimited. At most `max_open` of them keep up to date at once."""

    def __init__(
        self,
        clock: Clock,
        contracts: ContractService,
        history: BarHistory,
        hours: Hours,
        live_bars: LiveBars,
        pacing: HistoricalPacing | None,
        max_open: int,
        on_subscribe: Callable[[], None],
    ) -> None:
        self._clock, self._contracts, self._history, self._hours = clock, contracts, history, hours
        self._live_bars, self._pacing, self._max_open = live_bars, pacing, max_open
        self._on_subscribe = on_subscribe

    def requests(self) -> dict[int, RequestHandler]:
        return {
            20: self._bars,
            25: self._cancel,
            87: self._head,
            88: self._histogram,
            89: lambda session, fields: None,
            90: lambda session, fields: None,
            96: self._ticks,
        }

    def _bars(self, session: ClientSession, fields: Fields) -> None:
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return
        now = self._clock.now()
        request = read_bar_request(request_id, instrument, fields)
        if isinstance(request, tuple):
            session.send(responses.error(request_id, *request))
            return
        reply = check_bar_request(request, now) or self._check_open(request) or self._check_bar_pacing(request)
        if reply:
            session.send(responses.error(request_id, *reply))
            return
        end = min(request.end or now, now)
        if request.what == SCHEDULE:
            session.send(contract_messages.schedule(request_id, instrument, self._hours, end - request.span, end))
            return
        bars = self._within_sessions(request, self._build_bars(request, end))
        if bars or request.keep:
            session.send(wire.historical_data(request_id, bars, end - request.span, end, request.date_format))
        else:
            session.send(responses.error(request_id, 162, NO_DATA))
        if request.keep:
            self._live_bars.open(session, request, now)
            self._on_subscribe()

    def _check_open(self, request: BarRequest) -> tuple[int, str] | None:
        full = request.keep and len(self._live_bars.subscriptions) >= self._max_open
        return (322, TOO_MANY_OPEN.format(self._max_open)) if full else None

    def _check_bar_pacing(self, request: BarRequest) -> tuple[int, str] | None:
        if not request.small or request.what == SCHEDULE:
            return None
        series = (request.instrument.id, request.what)
        same = msgspec.structs.replace(request, request_id=0)
        return self._check_pacing(series, same, 2 if request.what == "BID_ASK" else 1)

    def _check_pacing(self, series: tuple[str, str], request: object, weight: int = 1) -> tuple[int, str] | None:
        admitted = self._pacing is None or self._pacing.admit(series, request, weight)
        return None if admitted else (162, PACING_VIOLATION)

    def _build_bars(self, request: BarRequest, end: Nanos) -> list[Bar]:
        name, start = request.instrument.id, end - request.span
        if request.what == "BID_ASK":
            sides = (self._history.bars(name, start, end, request.seconds, kind) for kind in ("BID", "ASK"))
            return [_bid_ask_bar(bid, ask) for bid, ask in zip(*sides, strict=True)]
        kind = PRICES[request.what]
        if request.seconds not in (WEEK, MONTH):
            return self._history.bars(name, start, end, request.seconds, kind)
        days = self._history.bars(name, start, end, DAY // SECOND, kind)
        return calendar_bars(days, by_week=request.seconds == WEEK)

    def _within_sessions(self, request: BarRequest, bars: list[Bar]) -> list[Bar]:
        """Intraday bars that begin in trading hours, or only in regular ones; daily bars of days with a session."""
        daily, kept = request.seconds >= DAY // SECOND, []
        session = self._hours.session(request.instrument.sec_type, bars[0].start) if bars else None
        for bar in bars:
            if session is None or bar.start >= session.late:
                session = self._hours.session(request.instrument.sec_type, bar.start)
            phase = session.phase(bar.start)
            if daily:
                admitted = session.opens < bar.end
            else:
                admitted = phase is SessionPhase.REGULAR or (phase is SessionPhase.EXTENDED and not request.regular)
            if admitted:
                kept.append(bar)
        return kept

    def _cancel(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        self._live_bars.cancel(session, fields.integer())

    def _head(self, session: ClientSession, fields: Fields) -> None:
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(2)
        what = fields.text()
        reply = self._check_pacing((instrument.id, what), ("head", instrument.id, what))
        if reply:
            session.send(responses.error(request_id, *reply))
            return
        session.send(wire.head_timestamp(request_id, self._history.head(instrument.id), fields.integer()))

    def _histogram(self, session: ClientSession, fields: Fields) -> None:
        """Units traded at each price, from the minute bars of a period such as `3 days`."""
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(2)
        count, _, unit = fields.text().partition(" ")
        span = int(count) * DURATIONS.get(unit[:1].upper(), 0) if count.isdigit() and len(count) < 4 else 0
        if not 0 < span <= 31 * DAY:
            text = "Error validating request.-'ch' : cause - Invalid time period; write 3 days"
            session.send(responses.error(request_id, 321, text))
            return
        now = self._clock.now()
        counts: Counter[float] = Counter()
        for bar in self._history.bars(instrument.id, now - span, now, 60, "TRADES"):
            counts[bar.close] += int(bar.volume)
        session.send(wire.histogram(request_id, sorted(counts.items())))

    def _ticks(self, session: ClientSession, fields: Fields) -> None:
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(1)
        begins, ends, count, what = fields.text(), fields.text(), fields.integer(), fields.text()
        try:
            start, end = (parse_time(text) if text else 0 for text in (begins, ends))
        except WireError as error:
            session.send(responses.error(request_id, 10314, f"Start or End Date/Time: {error}."))
            return
        if bool(start) == bool(end) or not 0 < count <= MAX_TICKS or what not in ("TRADES", "BID_ASK", "MIDPOINT"):
            text = "Give either start or end, 1 to 1000 ticks, and one of TRADES, BID_ASK and MIDPOINT"
            session.send(responses.error(request_id, 321, f"Error validating request.-'cw' : cause - {text}"))
            return
        same = ("ticks", instrument.id, what, start, end, count)
        reply = self._check_pacing((instrument.id, what), same, 2 if what == "BID_ASK" else 1)
        if reply:
            session.send(responses.error(request_id, *reply))
            return
        session.send(self._ticks_of(request_id, instrument, what, self._time_range(start, end, count)))

    def _time_range(self, start: Nanos, end: Nanos, count: int) -> tuple[Nanos, Nanos]:
        """The time range forward from the start or backward from the end, never beyond now."""
        span = count * TICK_SECONDS * SECOND
        now = self._clock.now()
        return (start, min(start + span, now)) if start else (min(end, now) - span, min(end, now))

    def _ticks_of(self, request_id: int, instrument: Instrument, what: str, time_range: tuple[Nanos, Nanos]) -> Message:
        def bars(kind: str) -> list[Bar]:
            return self._history.bars(instrument.id, *time_range, TICK_SECONDS, kind)

        if what == "TRADES":
            return wire.ticks_last(request_id, ((bar.end, bar.close, bar.volume) for bar in bars(what)))
        if what == "MIDPOINT":
            return wire.ticks_midpoint(request_id, ((bar.end, bar.close) for bar in bars(what)))
        lot = 100.0
        sides = zip(bars("BID"), bars("ASK"), strict=True)
        return wire.ticks_bid_ask(request_id, ((bid.end, bid.close, ask.close, lot, lot) for bid, ask in sides))


def _bid_ask_bar(bid: Bar, ask: Bar) -> Bar:
    """A BID_ASK bar: the mean bid, the highest ask, the lowest bid, the mean ask. Source: IB's documentation."""
    return msgspec.structs.replace(bid, open=bid.wap, high=ask.high, low=bid.low, close=ask.wap)


def calendar_bars(days: list[Bar], *, by_week: bool) -> list[Bar]:
    """The weeks or months of daily bars, each dated as its last day; the first and the last hold the days there are."""

    def period(bar: Bar) -> tuple[int, int]:
        moment = to_datetime(bar.start)
        year, week, _ = moment.isocalendar()
        return (year, week) if by_week else (moment.year, moment.month)

    groups = [list(group) for _, group in groupby(days, key=period)]
    return [
        msgspec.structs.replace(join_bars(group, DAY // SECOND), start=group[-1].start, seconds=DAY // SECOND)
        for group in groups
    ]
