"""The newest bars of an instrument, counted: paged back over nights, weekends and holidays until there are enough.

A page that has no bar says nothing about when there was one: then hourly bars, and daily ones, show where trading was.
So no calendar is needed, and a halt or a holiday that no calendar knows is passed over like any other.
"""

import math
from collections.abc import Awaitable, Callable

import msgspec

from mats.data import aggregate
from mats.ib.conversion import HistoricalBars, longest_span, part_size
from mats.ib.errors import RequestFailed
from mats.ib.history.request import SMALL_SECONDS, HistoryRequest
from mats.model import DAY, HOUR, SECOND, Bar, Instrument, Nanos
from mats.sessions import Hours, SessionCalendar, check_size

SMALL_KEPT: Nanos = 180 * DAY
"""Bars of up to 30 seconds are kept for half a year. Source: IB's documentation, "Unavailable Historical Data"."""
MAX_PAGES = 500
"""So many requests for one answer mean that something is wrong with the data."""
CLOSED_FACTOR = 4
"""Stocks trade a quarter of the hours; a longer span of larger bars costs nothing."""
PROBES = (HOUR // SECOND, DAY // SECOND)
"""Sizes in seconds of the bars that show where trading was."""

AskBars = Callable[[HistoryRequest], Awaitable[HistoricalBars]]


class RecentBars(msgspec.Struct, frozen=True):
    """Bars oldest first; fewer than asked for where the broker has no earlier ones."""

    bars: tuple[Bar, ...]


class BackwardPager:
    """One answer in the making: bars of `hours` of the sessions of `calendar`.

    `now` is the time of its begin; `progress` gets the number of bars so far.
    """

    def __init__(
        self,
        ask: AskBars,
        instrument: Instrument,
        seconds: int,
        count: int,
        now: Nanos,
        calendar: SessionCalendar,
        *,
        hours: Hours = "regular",
        what: str = "",
        progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        """A ValueError where bars of `seconds` cannot be built."""
        self._ask, self._instrument = ask, instrument
        self._seconds, self._count, self._now = seconds, count, now
        self._calendar, self._hours = calendar, hours
        self._what, self._progress = what, progress
        check_size(seconds)
        begins = (begin // SECOND for begin, _ in calendar.previous(now, hours).stretches(hours))
        self._part = part_size(seconds, 0 if seconds >= DAY // SECOND else math.gcd(*begins))
        self._parts: list[Bar] = []
        self._until: Nanos | None = None
        """Everything from here on is known; None: nothing yet."""
        self._empty = False
        """The last page had no bar."""

    async def run(self) -> RecentBars:
        """The bars. Raises RequestFailed where the broker does not answer, or not with data that can be used."""
        for _ in range(MAX_PAGES):
            bars = self._whole()
            self._progress(min(len(bars), self._count))
            if len(bars) >= self._count:
                return RecentBars(tuple(bars[len(bars) - self._count :]))
            if not await self._page(self._count - len(bars)):
                return RecentBars(tuple(self._whole()))
        raise RequestFailed(
            f"{self._count} bars of {self._seconds} s of {self._instrument.id}: only {len(self._whole())} in "
            f"{MAX_PAGES} requests; ask for fewer, or for larger bars"
        )

    async def _page(self, missing: int) -> bool:
        """Ask for one more page; False where the history ends."""
        until = self._now if self._until is None else self._until
        newest = self._parts[-1].end if self._parts else until
        if self._part <= SMALL_SECONDS and until <= newest - SMALL_KEPT:
            return False
        span = self._span(missing)
        answer = await self._request(self._part, span, self._until)
        oldest = self._parts[0].start if self._parts else self._now
        found = [bar for bar in answer.bars if bar.end <= oldest]
        self._parts[:0] = found
        self._empty = not found
        begin = until - span * SECOND
        if found:
            self._until = min(begin, found[0].start)  # IB may count a span in hours of trading
            return True
        return await self._skip(begin, until)

    async def _skip(self, begin: Nanos, until: Nanos) -> bool:
        """Nothing was traded in a page: go on where something was; False where that was never."""
        for size in PROBES:
            if size > self._part:
                seen = await self._request(size, longest_span(size), until)
                if seen.bars:
                    self._until = min(begin, seen.bars[-1].end)
                    return True
        self._until = begin
        shorter = until - begin < longest_span(self._part) * SECOND
        return self._part == PROBES[-1] and shorter  # the next page of daily bars is as long as can be

    def _span(self, missing: int) -> int:
        """What holds the missing bars if trading never stopped, with the part of a bar at its begin."""
        longest = longest_span(self._part)
        if self._empty and self._part == PROBES[-1]:
            return longest
        span = (missing + 1) * self._seconds
        if self._part > SMALL_SECONDS:
            span *= CLOSED_FACTOR
        return min(longest, span)

    async def _request(self, seconds: int, span: int, end: Nanos | None) -> HistoricalBars:
        regular = self._hours == "regular"
        return await self._ask(HistoryRequest(self._instrument, seconds, span, end, self._what, regular))

    def _whole(self) -> list[Bar]:
        """The bars that are over, and whose parts are all known. A daily bar is the broker's own."""
        if self._seconds == DAY // SECOND:
            return self._parts
        built = aggregate(self._parts, self._seconds, self._calendar, self._hours)
        known = self._now if self._until is None else self._until
        return [bar for bar in built if bar.start >= known and bar.end <= self._now]
