"""The bars of one live strategy: their sessions, their history, and the larger ones that are built from them."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from mats.data import BarBuilder
from mats.errors import StrategyError
from mats.model import DAY, HOUR, MINUTE, SECOND, Bar, Instrument, InstrumentId, Nanos, StrategyName
from mats.sessions import DAILY, OUTSIDE, BarSpans, Hours, SessionCalendar, calendar_of
from mats.strategy.context import usual_calendar
from mats.strategy.history import RollingWindow
from mats.strategy.hosting.live_bars import LONG_AGO, Close, LiveBars, first_whole

MINUTE_PART, SHORT_PART = 60, 5
"""Sizes in seconds of what makes up a bar that is under way: minutes where it is long, and what streams."""


class StrategyBars:
    """Windows of the bars of `seconds` and of larger sizes, filled as closes are handed out and shown."""

    def __init__(
        self, names: Sequence[InstrumentId], seconds: int, larger: Sequence[int], hours: Hours, length: int
    ) -> None:
        self._names, self._seconds, self._hours = names, seconds, hours
        self._calendars = {name: usual_calendar(name) for name in names}
        self.windows = {name: RollingWindow(length) for name in names}
        self.larger = {size: {name: RollingWindow(length) for name in names} for size in larger}
        self._live = LiveBars({name: self._spans(name, seconds) for name in names})
        self._larger: dict[tuple[InstrumentId, int], BarBuilder] = {}
        self._ended: dict[tuple[InstrumentId, int], Nanos] = {}
        self._started: Nanos = 0

    def calendar(self, name: InstrumentId) -> SessionCalendar:
        """The sessions of an instrument."""
        return self._calendars[name]

    def know(self, name: InstrumentId, instrument: Instrument) -> bool:
        """The contract of a name is known; whether its sessions are others now."""
        calendar = calendar_of(instrument)
        if calendar is self._calendars[name]:
            return False
        self._calendars[name] = calendar
        self._live.respan(name, self._spans(name, self._seconds))
        for (other, size), builder in self._larger.items():
            if other == name:
                builder.spans = self._spans(name, size)
        return True

    def needs(self, name: InstrumentId, counts: Mapping[int, int], now: Nanos) -> dict[int, int]:
        """How many bars of which size `load` should be given: so many of each size, and what makes up those under way.

        Bars under a minute are not made up: the next one is whole soon enough.
        """
        needed = {size: count for size, count in counts.items() if count}
        if self._seconds < MINUTE // SECOND or not (needed or self._seconds >= HOUR // SECOND):
            return needed
        gone = max(self._gone(name, size, now) for size in (self._seconds, *self.larger))
        if not gone:
            return needed
        if gone > HOUR and self._seconds % MINUTE_PART == 0:
            minutes = max(gone // MINUTE + 2, needed.get(MINUTE_PART, 0))
            return needed | {MINUTE_PART: minutes, SHORT_PART: 2 * MINUTE // (SHORT_PART * SECOND)}
        return needed | {SHORT_PART: gone // (SHORT_PART * SECOND) + 2}

    def _gone(self, name: InstrumentId, size: int, now: Nanos) -> Nanos:
        """How long it has been traded since the begin of the bar under way; no break counts and no night.

        A session that closed within a day counts as under way for daily bars and larger ones: a source has its bar
        hours later.
        """
        calendar, instant = self._calendars[name], now
        if size >= DAILY and calendar.session_at(now, self._hours) is None:
            close = calendar.previous(now, self._hours).end(self._hours)
            instant = close - 1 if now - close < DAY else now
        if (span := self._spans(name, size).at(instant)) is None:
            return 0
        traded = calendar.sessions(span[0], now, self._hours)
        stretches = (stretch for session in traded for stretch in session.stretches(self._hours))
        return sum(max(0, min(end, now) - max(begin, span[0])) for begin, end in stretches)

    def load(self, strategy: StrategyName, history: Mapping[InstrumentId, Sequence[Bar]], now: Nanos) -> None:
        """Fill the windows with what went before `now`; shorter bars build the one that is under way.

        Raises StrategyError for bars that are neither of a size that the strategy has nor shorter than its own.
        """
        self._started = now
        parts: dict[InstrumentId, list[Bar]] = {}
        for name in self._names:
            self._calendars[name].around(now, now)  # which loads its sessions, before bars would wait for that
            own, parts[name] = self._sort(strategy, name, history.get(name, ()), now)
            bars = {bar.start: bar for bar in (*self._built(name, parts[name], now), *own)}
            for start in sorted(bars):
                self._grow(bars[start])
        self._live.start(now, {name: self._ended.get((name, self._seconds), LONG_AGO) for name in self._names})
        for part in (part for name in self._names for part in parts[name]):
            self._live.take(part)
        for close in self._live.closes(now):
            for bar in close.bars:
                self.windows[bar.instrument].add(bar)
        self.close_larger(now)

    def take(self, part: Bar) -> None:
        """A part arrives."""
        self._live.take(part)

    def closes(self, horizon: Nanos) -> Iterator[Close]:
        """The closes that are complete, and those up to `horizon` as they are; then `show` each of their bars."""
        return self._live.closes(horizon)

    @property
    def waiting(self) -> Nanos | None:
        """The end of the earliest close that waits for other instruments."""
        return self._live.waiting

    def show(self, bar: Bar) -> None:
        """From now on the windows end with this bar, and with the larger ones that end with it."""
        self.windows[bar.instrument].add(bar)
        self._grow(bar)

    def close_larger(self, instant: Nanos, but: Collection[InstrumentId] = ()) -> None:
        """Larger bars that end by an instant are over, with or without their last part; but for some instruments."""
        for (name, size), builder in self._larger.items():
            for bar in builder.close_until(instant) if name not in but else ():
                self.larger[size][name].add(bar)

    def _grow(self, bar: Bar) -> None:
        name = bar.instrument
        for size, windows in self.larger.items():
            builder = self._larger.get((name, size))
            if builder is None:
                spans = self._spans(name, size)
                whole = max(first_whole(spans, bar.start, self._started), self._ended.get((name, size), LONG_AGO))
                builder = self._larger[name, size] = BarBuilder(name, spans, whole)
            for larger in builder.add(bar):
                windows[name].add(larger)

    def _sort(
        self, strategy: StrategyName, name: InstrumentId, bars: Sequence[Bar], now: Nanos
    ) -> tuple[list[Bar], list[Bar]]:
        """The bars of `seconds` and the shorter ones; all whole ones are kept at once."""
        own: list[Bar] = []
        parts: list[Bar] = []
        for size, bar in (self._sized(name, given) for given in bars):
            if size is None and bar.seconds >= self._seconds:
                raise StrategyError(
                    f"strategy {strategy}: its history of {name} has {bar.seconds}-second bars, "
                    f"but it works on {self._seconds}; load bars of {self._seconds} seconds"
                )
            if bar.end > now:
                continue
            if size is None:
                parts.append(bar)
                continue
            (self.windows if size == self._seconds else self.larger[size])[name].add(bar)
            self._ended[name, size] = bar.end
            if size == self._seconds:
                own.append(bar)
        return own, sorted(parts, key=lambda part: (part.start, -part.seconds))

    def _built(self, name: InstrumentId, parts: Sequence[Bar], now: Nanos) -> Iterator[Bar]:
        """The bars of `seconds` that are over, of parts."""
        if parts:
            spans = self._spans(name, self._seconds)
            builder = BarBuilder(name, spans, first_whole(spans, parts[0].start, self._started))
            for part in parts:
                yield from builder.add(part)
            yield from builder.close_until(now)

    def _sized(self, name: InstrumentId, bar: Bar) -> tuple[int | None, Bar]:
        """Which of the strategy's sizes a bar is of, None for none; a daily one as the session that it stands for."""
        sizes = (self._seconds, *self.larger)
        if bar.seconds == DAILY and DAILY in sizes:
            return DAILY, self._as_session(bar)
        for size in sizes:
            if bar.seconds == size or self._spans(name, size).at(bar.start) == (bar.start, bar.end):
                return size, bar
        return None, bar

    def _as_session(self, bar: Bar) -> Bar:
        opens, closes = self._spans(bar.instrument, DAILY).of_days(np.array([bar.start], dtype=np.int64))
        if opens[0] == OUTSIDE:
            return bar
        seconds = int(closes[0] - opens[0]) // SECOND
        prices = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.wap, bar.count)
        return Bar(bar.instrument, int(opens[0]), seconds, *prices)

    def _spans(self, name: InstrumentId, seconds: int) -> BarSpans:
        return BarSpans(self._calendars[name], seconds, self._hours)
