"""The bars of a strategy's own size and hours, made of those of the run."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mats.backtest.engine.bar_feed import BarFeed, Clock, closing
from mats.data import data_calendar, in_sessions, whole_bars
from mats.model import SECOND, Bar, InstrumentId, Nanos
from mats.model.bar_columns import BarData
from mats.sessions import DAILY, OUTSIDE, BarSpans, Hours, SessionCalendar


class OwnBars:
    """The feeds of a run by size and hours, each made once; those of the run itself are taken as they are.

    A bar is of the run where it ends after the run's start and until its end: so one that is under way at the start
    is whole, and none is history for one strategy and news for another.
    """

    def __init__(self, data: BarData, feeds: Mapping[InstrumentId, BarFeed], clock: Clock) -> None:
        self._data, self._feeds, self._clock = data, feeds, clock
        self._made: dict[tuple[InstrumentId, int, Hours], BarFeed] = {}
        self._calendars: dict[InstrumentId, SessionCalendar] = {}
        self._until = max(int(feed.columns.end[feed.last - 1]) for feed in feeds.values() if feed.last)

    def feed(self, name: InstrumentId, seconds: int, hours: Hours) -> BarFeed:
        """The bars of an instrument."""
        base = self._feeds[name]
        if seconds == base.columns.seconds and self._data.hours in ("", hours):
            return base
        known = self._made.get((name, seconds, hours))
        if known is None:
            known = self._made[name, seconds, hours] = self._make(base, seconds, hours)
        return known

    @property
    def made(self) -> Sequence[BarFeed]:
        """The feeds that are not of the run itself."""
        return tuple(self._made.values())

    def calendar(self, name: InstrumentId) -> SessionCalendar:
        """The sessions of an instrument, as its bars show them."""
        known = self._calendars.get(name)
        if known is None:
            known = self._calendars[name] = data_calendar(self._data, name)
        return known

    def mark_regular_hours(self) -> None:
        """Let the feeds of the run know which of their bars lie in regular hours, where they go beyond them."""
        if self._data.hours != "extended":
            return
        for name, feed in self._feeds.items():
            columns, calendar = feed.columns, self.calendar(name)
            if columns.seconds < DAILY and calendar.known:
                opens, _ = BarSpans(calendar, DAILY).of(columns.start, part=columns.seconds * SECOND)
                feed.regular = (opens != OUTSIDE).data

    def _make(self, base: BarFeed, seconds: int, hours: Hours) -> BarFeed:
        columns, calendar = base.columns, self.calendar(base.columns.instrument)
        if seconds == columns.seconds:
            own = in_sessions(columns, calendar, hours)
        else:
            own = whole_bars(columns, BarSpans(calendar, seconds, hours))
        begins = columns.start[base.first] if base.first < base.last else columns.end[base.last - 1]
        first, last = np.searchsorted(own.end, (begins, self._until), side="right").tolist()
        return BarFeed(base.instrument, own, first, last, self._clock)


class OwnCloses:
    """Bars of a strategy's own, close by close, handed out as the run comes to them."""

    def __init__(self, feeds: Sequence[BarFeed]) -> None:
        ends = np.unique(np.concatenate([feed.columns.end[feed.first : feed.last] for feed in feeds]))
        self._closes: Iterator[tuple[Nanos, Sequence[Bar]]] = closing(feeds, ends)
        self._next = next(self._closes, None)

    def at(self, end: Nanos) -> Sequence[Bar]:
        """The bars that end at an instant, none of them given before."""
        if self._next is None or self._next[0] != end:
            return ()
        bars = self._next[1]
        self._next = next(self._closes, None)
        return bars
