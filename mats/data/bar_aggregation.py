"""Aggregates bars into longer ones, exactly; and converts bars to a DataFrame."""

from collections.abc import Iterable, Sequence

import pandas as pd

from mats.model import SECOND, Bar, InstrumentId, Nanos
from mats.sessions import DAILY, BarSpans, Hours, SessionCalendar, unknown_calendar


class BarBuilder:
    """Builds the bars of `spans` from parts of one instrument.

    A bar is complete when the part that reaches its end arrives, or when a later part or `close_until` shows that its
    span is over. Spans without a part give no bar. Parts outside of the sessions are left out. Parts that start before
    `not_before`, before the end of the last part or before the end of a completed bar are ignored and counted in
    `ignored`, so a source may repeat itself. `known_until`: every bar that ends by then has been given.
    """

    def __init__(self, instrument: InstrumentId, spans: BarSpans, not_before: Nanos = 0) -> None:
        self.instrument, self.spans = instrument, spans
        self.ignored = 0
        self.known_until: Nanos = 0
        self._taken_until = not_before
        self._begin = self._end = self._until = 0
        """Parts from `_begin` to before `_until` are of one bar: all of its span, but for a week with its nights."""
        self._parts: list[Bar] = []

    def add(self, part: Bar) -> tuple[Bar, ...]:
        """The bars that this part completes, oldest first: none, one, or two (an overdue one and its own)."""
        if part.instrument != self.instrument:
            raise ValueError(f"a part of {part.instrument} was given to the bar builder of {self.instrument}")
        if part.start < self._taken_until:
            self.ignored += 1
            return ()
        self._taken_until = end = part.end
        self.known_until = max(self.known_until, end)
        overdue = self.close_until(part.start)
        if not self._begin <= part.start < self._until:
            found = self.spans.at(part.start)
            if found is None:
                return overdue
            self._begin, self._end = found
            self._until = self._end if self.spans.seconds <= DAILY else 0
        self._check(part)
        self._parts.append(part)
        return overdue + self._close() if end == self._end else overdue

    def close_until(self, instant: Nanos) -> tuple[Bar, ...]:
        """The bar under construction, if its end is at or before `instant`."""
        if not self._parts or self._end > instant:
            return ()
        return self._close()

    def _close(self) -> tuple[Bar]:
        bar = merge(self._parts, self._begin, self._end)
        self._parts.clear()
        self._taken_until = max(self._taken_until, bar.end)
        self.known_until = max(self.known_until, bar.end)
        return (bar,)

    def _check(self, part: Bar) -> None:
        """Parts must lie in the bar, and those of a bar within a session side by side from its begin on."""
        begins_between = (part.start - self._begin) % (part.seconds * SECOND) and self.spans.seconds < DAILY
        if part.end > self._end or (begins_between and part.end != self._end):
            raise ValueError(
                f"{self.instrument}: bars of {self.spans.seconds} s cannot be built from the {part.seconds}-second bar "
                f"at {part.time:%Y-%m-%dT%H:%M:%SZ}; give parts that divide the bars and begin with their sessions"
            )


def merge(parts: Sequence[Bar], start: Nanos, end: Nanos) -> Bar:
    """The bar from `start` to `end` of its parts in time order: first open, extremes, last close, sums.

    `wap` is weighted by volume over the parts that have one.
    """
    first = parts[0]
    if len(parts) == 1 and first.start == start and first.end == end:
        return first
    priced = sum(part.volume for part in parts if part.wap > 0)
    return Bar(
        instrument=first.instrument,
        start=start,
        seconds=(end - start) // SECOND,
        open=first.open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum(part.volume for part in parts),
        wap=sum(part.wap * part.volume for part in parts) / priced if priced > 0 else 0.0,
        count=sum(part.count for part in parts),
    )


def aggregate(
    bars: Iterable[Bar], seconds: int, calendar: SessionCalendar | None = None, hours: Hours = "regular"
) -> list[Bar]:
    """Bars of `seconds` from shorter ones of one instrument in time order; the last one may lack its end.

    They lie in the sessions of the calendar, without one in days of UTC.
    """
    builder: BarBuilder | None = None
    whole: list[Bar] = []
    for bar in bars:
        builder = builder or BarBuilder(bar.instrument, BarSpans(calendar or unknown_calendar(), seconds, hours))
        whole += builder.add(bar)
    if builder is not None:
        whole += builder.close_until(bar.end + 7 * DAILY * SECOND)
    return whole


def floor_time(instant: Nanos, seconds: int) -> Nanos:
    """The last multiple of `seconds` at or before `instant`."""
    step = seconds * SECOND
    return instant // step * step


def ceil_time(instant: Nanos, seconds: int) -> Nanos:
    """The first multiple of `seconds` at or after `instant`."""
    return -floor_time(-instant, seconds)


def to_frame(bars: Sequence[Bar]) -> pd.DataFrame:
    """Columns open, high, low, close, volume (float); index `time`, the starts of the bars, UTC with nanoseconds."""
    index = pd.DatetimeIndex(pd.to_datetime([bar.start for bar in bars], utc=True), name="time")
    columns = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name: [float(getattr(bar, name)) for bar in bars] for name in columns}, index=index)
