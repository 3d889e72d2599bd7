"""Aggregates bars into longer ones, exactly; and converts bars to a DataFrame."""

from collections.abc import Iterable, Sequence

import pandas as pd

from mats.model import SECOND, Bar, InstrumentId, Nanos


class BarBuilder:
    """Builds bars of `seconds` from parts of one instrument, aligned to multiples of `seconds` since the Unix epoch.

    A bar is complete when the part that reaches its end arrives, or when a later part or `close_until` shows that its
    span is over. Spans without a part give no bar. Parts that start before `not_before`, before the end of the last
    part or before the end of a completed bar are ignored and counted in `ignored`, so a source may repeat itself.
    """

    def __init__(self, instrument: InstrumentId, seconds: int, not_before: Nanos = 0) -> None:
        if seconds < 1:
            raise ValueError(f"bars of {seconds} seconds cannot be built; give a whole number of seconds from 1 on")
        self.instrument = instrument
        self.seconds = seconds
        self.ignored = 0
        self._taken_until = not_before
        self._parts: list[Bar] = []

    def add(self, part: Bar) -> tuple[Bar, ...]:
        """The bars that this part completes, oldest first: none, one, or two (an overdue one and its own)."""
        self._check(part)
        if part.start < self._taken_until:
            self.ignored += 1
            return ()
        begin = floor_time(part.start, self.seconds)
        overdue = self._close() if self._parts and floor_time(self._parts[0].start, self.seconds) < begin else ()
        self._parts.append(part)
        self._taken_until = part.end
        return overdue + (self._close() if part.end == begin + self.seconds * SECOND else ())

    def close_until(self, instant: Nanos) -> tuple[Bar, ...]:
        """The bar under construction, if its end is at or before `instant`."""
        if not self._parts or self._end > instant:
            return ()
        return self._close()

    @property
    def _end(self) -> Nanos:
        return floor_time(self._parts[0].start, self.seconds) + self.seconds * SECOND

    def _close(self) -> tuple[Bar]:
        bar = merge(self._parts, self.seconds)
        self._parts.clear()
        self._taken_until = bar.end
        return (bar,)

    def _check(self, part: Bar) -> None:
        if part.instrument != self.instrument:
            raise ValueError(f"a part of {part.instrument} was given to the bar builder of {self.instrument}")
        if self.seconds % part.seconds or part.start % (part.seconds * SECOND):
            raise ValueError(
                f"{self.instrument}: bars of {self.seconds} s cannot be built from the {part.seconds}-second bar at "
                f"{part.time:%Y-%m-%dT%H:%M:%SZ}; ask for a multiple of {part.seconds} s"
            )


def merge(parts: Sequence[Bar], seconds: int) -> Bar:
    """One bar of `seconds` from its parts in time order: first open, extremes, last close, sums.

    `wap` is weighted by volume over the parts that have one.
    """
    if len(parts) == 1 and parts[0].seconds == seconds:
        return parts[0]
    priced = sum(part.volume for part in parts if part.wap > 0)
    return Bar(
        instrument=parts[0].instrument,
        start=floor_time(parts[0].start, seconds),
        seconds=seconds,
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum(part.volume for part in parts),
        wap=sum(part.wap * part.volume for part in parts) / priced if priced > 0 else 0.0,
        count=sum(part.count for part in parts),
    )


def aggregate(bars: Iterable[Bar], seconds: int) -> list[Bar]:
    """Bars of `seconds` from shorter ones of one instrument in time order; the last one may lack its end."""
    builder: BarBuilder | None = None
    whole: list[Bar] = []
    for bar in bars:
        builder = builder or BarBuilder(bar.instrument, seconds)
        whole += builder.add(bar)
    if builder is not None:
        whole += builder.close_until(bar.end + seconds * SECOND)
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
