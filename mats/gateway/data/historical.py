"""The past: bars, ticks, histograms, the first instant, trading sessions."""

from collections import Counter
from collections.abc import Callable
from itertools import groupby

import msgspec

from mats.gateway.accounts import Handler
from mats.gateway.data.bar_and_tick_streams import LiveBars
from mats.gateway.data.contracts import Contracts
from mats.gateway.data.historical_requests import (
    DURATIONS,
    MONTH,
    NO_DATA,
    PRICES,
    SCHEDULE,
    VIOLATION,
    WEEK,
    BarRequest,
    HistoricalPacing,
    bar_request,
    refusal,
)
from mats.gateway.protocol import ClientSession, Fields, Message, WireError, contract_messages, instant, responses
from mats.gateway.protocol import historical_messages as wire
from mats.model import DAY, SECOND, Bar, Clock, Instrument, Nanos, to_datetime
from mats.venue.markets import BarHistory, Hours, SessionPhase, join_bars

MOST_TICKS = 1000
"""Ticks in one answer. Source: IB's documentation of reqHistoricalTicks."""
TICK_SECONDS = 5
"""The past is kept in pieces of so many seconds: a tick of the past is the end of one."""


class Historical:
    """Answers from the history. `pacing` is None where nobody counts."""

    def __init__(
        self,
        clock: Clock,
        contracts: Contracts,
        history: BarHistory,
        hours: Hours,
        growing: LiveBars,
        pacing: HistoricalPacing | None,
        on_subscribe: Callable[[], None],
    ) -> None:
        self._clock, self._contracts, self._history, self._hours = clock, contracts, history, hours
        self._growing, self._pacing, self._on_subscribe = growing, pacing, on_subscribe

    def requests(self) -> dict[int, Handler]:
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
        request = bar_request(request_id, instrument, fields)
        if isinstance(request, tuple):
            session.send(responses.error(request_id, *request))
            return
        refused = refusal(request, now) or self._paced(request)
        if refused:
            session.send(responses.error(request_id, *refused))
            return
        end = min(request.end or now, now)
        if request.what == SCHEDULE:
            session.send(contract_messages.schedule(request_id, instrument, self._hours, end - request.span, end))
            return
        bars = self._inside(request, self._made(request, end))
        if bars or request.keep:
            session.send(wire.historical_data(request_id, bars, end - request.span, end, request.date_format))
        else:
            session.send(responses.error(request_id, 162, NO_DATA))
        if request.keep:
            self._growing.open(session, request, now)
            self._on_subscribe()

    def _paced(self, request: BarRequest) -> tuple[int, str] | None:
        if not request.small or request.what == SCHEDULE:
            return None
        series = (request.instrument.id, request.what)
        same = msgspec.structs.replace(request, request_id=0)
        return self._admitted(series, same, 2 if request.what == "BID_ASK" else 1)

    def _admitted(self, series: tuple[str, str], request: object, weight: int = 1) -> tuple[int, str] | None:
        fits = self._pacing is None or self._pacing.admit(series, request, weight)
        return None if fits else (162, VIOLATION)

    def _made(self, request: BarRequest, end: Nanos) -> list[Bar]:
        name, start = request.instrument.id, end - request.span
        if request.what == "BID_ASK":
            sides = (self._history.bars(name, start, end, request.seconds, kind) for kind in ("BID", "ASK"))
            return [_both(bid, ask) for bid, ask in zip(*sides, strict=True)]
        kind = PRICES[request.what]
        if request.seconds not in (WEEK, MONTH):
            return self._history.bars(name, start, end, request.seconds, kind)
        days = self._history.bars(name, start, end, DAY // SECOND, kind)
        return calendar_bars(days, by_week=request.seconds == WEEK)

    def _inside(self, request: BarRequest, bars: list[Bar]) -> list[Bar]:
        """The bars that begin while it trades, or in regular hours alone; days on which there is a session."""
        daily, kept = request.seconds >= DAY // SECOND, []
        session = self._hours.session(request.instrument.sec_type, bars[0].start) if bars else None
        for bar in bars:
            if session is None or bar.start >= session.late:
                session = self._hours.session(request.instrument.sec_type, bar.start)
            phase = session.phase(bar.start)
            if daily:
                fits = session.opens < bar.end
            else:
                fits = phase is SessionPhase.REGULAR or (phase is SessionPhase.EXTENDED and not request.regular)
            if fits:
                kept.append(bar)
        return kept

    def _cancel(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        self._growing.cancel(session, fields.integer())

    def _head(self, session: ClientSession, fields: Fields) -> None:
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(2)
        what = fields.text()
        refused = self._admitted((instrument.id, what), ("head", instrument.id, what))
        if refused:
            session.send(responses.error(request_id, *refused))
            return
        session.send(wire.head_timestamp(request_id, self._history.head(instrument.id), fields.integer()))

    def _histogram(self, session: ClientSession, fields: Fields) -> None:
        """Units traded at each price, from the minutes of a period such as `3 days`."""
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return
        fields.skip(2)
        count, _, unit = fields.text().partition(" ")
        span = int(count) * DURATIONS.get(unit[:1].upper(), 0) if count.isdigit() and len(count) < 4 else 0
        if not 0 < span <= 31 * DAY:
            words = "Error validating request.-'ch' : cause - Invalid time period; write 3 days"
            session.send(responses.error(request_id, 321, words))
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
            start, end = (instant(text) if text else 0 for text in (begins, ends))
        except WireError as error:
            session.send(responses.error(request_id, 10314, f"Start or End Date/Time: {error}."))
            return
        if bool(start) == bool(end) or not 0 < count <= MOST_TICKS or what not in ("TRADES", "BID_ASK", "MIDPOINT"):
            words = "One of start and end, 1 to 1000 ticks, and TRADES, BID_ASK or MIDPOINT are asked for"
            session.send(responses.error(request_id, 321, f"Error validating request.-'cw' : cause - {words}"))
            return
        same = ("ticks", instrument.id, what, start, end, count)
        refused = self._admitted((instrument.id, what), same, 2 if what == "BID_ASK" else 1)
        if refused:
            session.send(responses.error(request_id, *refused))
            return
        session.send(self._ticks_of(request_id, instrument, what, self._stretch(start, end, count)))

    def _stretch(self, start: Nanos, end: Nanos, count: int) -> tuple[Nanos, Nanos]:
        """From the start forwards, or from the end backwards; never beyond now."""
        span = count * TICK_SECONDS * SECOND
        now = self._clock.now()
        return (start, min(start + span, now)) if start else (min(end, now) - span, min(end, now))

    def _ticks_of(self, request_id: int, instrument: Instrument, what: str, stretch: tuple[Nanos, Nanos]) -> Message:
        def bars(kind: str) -> list[Bar]:
            return self._history.bars(instrument.id, *stretch, TICK_SECONDS, kind)

        if what == "TRADES":
            return wire.ticks_last(request_id, ((bar.end, bar.close, bar.volume) for bar in bars(what)))
        if what == "MIDPOINT":
            return wire.ticks_midpoint(request_id, ((bar.end, bar.close) for bar in bars(what)))
        lot = 100.0
        sides = zip(bars("BID"), bars("ASK"), strict=True)
        return wire.ticks_bid_ask(request_id, ((bid.end, bid.close, ask.close, lot, lot) for bid, ask in sides))


def _both(bid: Bar, ask: Bar) -> Bar:
    """A bar of both sides: the mean bid, the highest ask, the lowest bid, the mean ask. Source: IB's documentation."""
    return msgspec.structs.replace(bid, open=bid.wap, high=ask.high, low=bid.low, close=ask.wap)


def calendar_bars(days: list[Bar], *, by_week: bool) -> list[Bar]:
    """Whole weeks or months of daily bars, each dated as its last day."""

    def period(bar: Bar) -> tuple[int, int]:
        moment = to_datetime(bar.start)
        year, week, _ = moment.isocalendar()
        return (year, week) if by_week else (moment.year, moment.month)

    groups = [list(group) for _, group in groupby(days, key=period)]
    return [
        msgspec.structs.replace(join_bars(group, DAY // SECOND), start=group[-1].start, seconds=DAY // SECOND)
        for group in groups[1:-1]
    ]
