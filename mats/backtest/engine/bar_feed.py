"""The bars of a run as they become known: a clock that counts closes, and for each instrument what is known by then."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import chain, islice, repeat

import numpy as np
import pandas as pd

from mats.errors import StrategyError
from mats.model import SECOND, Bar, Instrument, InstrumentId, Nanos, exact
from mats.model.bar_columns import BarColumns, Floats, Instants
from mats.strategy import Declaration, as_columns, not_declared
from mats.strategy.hosting import Delivery

BLOCK = 256
"""Rows that are turned into bars at once: so few that those of many instruments stay in the processor's cache."""


exactly = lru_cache(maxsize=1 << 16)(exact)
"""`exact` of prices, which come again and again."""


class Clock:
    """`step` is the number of the last close of the timeline, -1 before the first; `now` is nanoseconds UTC."""

    __slots__ = ("now", "step")

    def __init__(self, now: Nanos) -> None:
        self.now, self.step = now, -1


class BarFeed:
    """The bars of one instrument: rows before `first` are history, rows from `first` to before `last` are the run's.

    Everything it tells is as of the clock, but for `bars`, `opening` and what it tells of a row, which are for the
    engine alone. By row, `starts` is when a bar begins and `spreads` its quoted spread, None where the data has none.
    `regular` is whether a bar has trading in regular hours, by row; None where every one has, or sessions are unknown.
    """

    def __init__(self, instrument: Instrument, columns: BarColumns, first: int, last: int, clock: Clock) -> None:
        self.instrument, self.columns, self.first, self.last, self._clock = instrument, columns, first, last, clock
        c = columns
        self._columns = tuple(_numbers(column) for column in (c.open, c.high, c.low, c.close, c.volume))
        self._close = self._columns[3]
        self.spreads = None if c.spread is None else _numbers(c.spread)
        self.starts = np.ascontiguousarray(columns.start, dtype=np.int64).data
        self.span = columns.seconds * SECOND
        self._ends = None if columns.ends is None else np.ascontiguousarray(columns.ends, dtype=np.int64).data
        self.regular: memoryview | None = None
        self._marked, self._mark = -1, Decimal(0)
        self._rows: Sequence[int] = ()
        self._opened: Sequence[int] = ()

    def lay_out(self, closes: Instants) -> None:
        """Find the newest row at each close of the timeline, and how many bars have begun before it."""
        run = slice(self.first, self.last)
        starts, ends = self.columns.start[run], self.columns.end[run]
        if len(ends) == len(closes) and bool((starts[1:] >= ends[:-1]).all()):
            self._rows, self._opened = range(self.first, self.last), range(self.first + 1, self.last + 1)
        else:
            self._rows = (np.searchsorted(ends, closes, side="right") + (self.first - 1)).tolist()
            self._opened = (np.searchsorted(starts, closes, side="left") + self.first).tolist()

    @property
    def row(self) -> int:
        """The newest completed bar; -1 where there is none."""
        step = self._clock.step
        return self._rows[step] if step >= 0 else self.first - 1

    def levels(self, count: int) -> Floats:
        """The newest close at each of the first `count` closes of the timeline, 0 before the first bar."""
        close = self.columns.close
        if isinstance(self._rows, range):
            return close[self.first : self.first + count]
        rows = np.asarray(self._rows[:count])
        return np.where(rows >= 0, close[np.maximum(rows, 0)], 0.0)

    def end(self, row: int) -> Nanos:
        """When a bar is over."""
        return self.starts[row] + self.span if self._ends is None else self._ends[row]

    def mark(self) -> Decimal | None:
        """The newest close, exactly; None before the first bar. After a split it is in new units at once."""
        step = self._clock.step
        row = self._rows[step] if step >= 0 else self.first - 1
        if row != self._marked:
            if row < 0:
                return None
            self._marked, self._mark = row, exactly(self._close[row])
        return self._mark

    def due(self) -> Nanos:
        """When the bar after the newest one should be over."""
        step = self._clock.step
        return self.starts[self._rows[step] if step >= 0 else self.first - 1] + 2 * self.span

    def split(self, ratio: Decimal) -> None:
        """From here on a unit is what a part of one was at the newest close."""
        mark = self.mark()
        if mark is not None:
            self._mark = mark / ratio

    def opening(self, step: int) -> range:
        """The rows whose bars begin at or after the close before `step` and before its own."""
        return range(self._opened[step - 1] if step else self.first, self._opened[step])

    def open(self, row: int) -> float:
        """The first price of a bar."""
        return self._columns[0][row]

    def exact_open(self, row: int) -> Decimal:
        """The same, exactly."""
        return exactly(self._columns[0][row])

    def volume(self, row: int) -> float:
        """What was traded in a bar."""
        return self._columns[4][row]

    def close(self, row: int) -> float:
        """The last price of a bar."""
        return self._close[row]

    def extremes(self, row: int) -> tuple[float, float]:
        """The lowest and the highest price of a bar."""
        return self._columns[2][row], self._columns[1][row]

    def bars(self, first: int, last: int) -> Iterator[Bar]:
        """The bars of some rows, oldest first, made as they are asked for."""
        return chain.from_iterable(self._block(low, min(low + BLOCK, last)) for low in range(first, last, BLOCK))

    def _block(self, low: int, high: int) -> Iterator[Bar]:
        c = self.columns
        lists = (column[low:high].tolist() for column in (c.open, c.high, c.low, c.close, c.volume))
        seconds: Iterable[int] = repeat(c.seconds)
        if c.ends is not None:
            seconds = ((c.ends[low:high] - c.start[low:high]) // SECOND).tolist()
        return map(Bar, repeat(c.instrument), c.start[low:high].tolist(), seconds, *lists)

    def frame(self, first: int, last: int) -> pd.DataFrame:
        """Some rows as a frame, a copy."""
        part = slice(first, last)
        index = pd.DatetimeIndex(self.columns.start[part].view("datetime64[ns]"), name="time").tz_localize("UTC")
        names = ("open", "high", "low", "close", "volume")
        return pd.DataFrame({name: getattr(self.columns, name)[part] for name in names}, index=index)


class FeedWindow:
    """A strategy's view of a feed: from row `begin` on, at most `length` bars, never beyond the clock.

    A bar of a close that is to come in the `delivery` is not shown yet.
    """

    def __init__(self, feed: BarFeed, begin: int, length: int, clock: Clock, delivery: Delivery) -> None:
        self.feed, self.begin, self._length = feed, begin, length
        self._clock, self._delivery, self._name = clock, delivery, feed.columns.instrument

    @property
    def row(self) -> int:
        """The newest bar that is shown; one before `begin` where there is none."""
        row = self.feed.row
        if self._delivery.pending(self._name) and row >= 0 and self.feed.end(row) == self._clock.now:
            row -= 1
        return row if row >= self.begin else self.begin - 1

    def newest(self, n: int | None) -> list[Bar]:
        return list(self.feed.bars(*self._span(n)))

    def frame(self, n: int | None) -> pd.DataFrame:
        return self.feed.frame(*self._span(n))

    def whole(self) -> pd.DataFrame:
        """All rows to the end of the run: for what is declared causal, and for nobody else."""
        return self.feed.frame(self.begin, self.feed.last)

    def _span(self, n: int | None) -> tuple[int, int]:
        last = self.row + 1
        count = self._length if n is None else min(n, self._length)
        return max(self.begin, last - count), last


class FeedIndicators:
    """Declared indicators, computed once over all rows from each instrument's first warm-up bar on."""

    def __init__(self, declare: Declaration, windows: Mapping[InstrumentId, FeedWindow]) -> None:
        self._declare, self._windows = declare, windows
        self._columns: dict[InstrumentId, dict[str, memoryview]] = {}

    def value(self, name: str, instrument: InstrumentId) -> float | None:
        window = self._windows[instrument]
        columns = self._columns.get(instrument)
        if columns is None:
            columns = self._columns[instrument] = self._made(window)
        if name not in columns:
            raise StrategyError(not_declared(name, columns))
        row = window.row - window.begin
        value = columns[name][row] if row >= 0 else math.nan
        return value if value == value else None

    def _made(self, window: FeedWindow) -> dict[str, memoryview]:
        columns = as_columns(self._declare(window.whole()))
        return {name: column.data for name, column in columns.items()}


def _numbers(column: Floats) -> memoryview:
    """A column of which single numbers are read: as Python floats, without a copy where it lies in one piece."""
    return np.ascontiguousarray(column, dtype=np.float64).data


def timeline(feeds: Sequence[BarFeed]) -> Instants:
    """All instants at which a bar of the run ends, ascending; the feeds are laid out along it."""
    ends = np.sort(np.concatenate([feed.columns.end[feed.first : feed.last] for feed in feeds]), kind="stable")
    closes: Instants = ends[np.diff(ends, prepend=-1) != 0]
    for feed in feeds:
        feed.lay_out(closes)
    return closes


def closing(feeds: Sequence[BarFeed], closes: Instants) -> Iterator[tuple[Nanos, Sequence[Bar]]]:
    """Each close of a timeline with the bars that end there, in the order of instruments."""
    ends, bars = closes.tolist(), [feed.bars(feed.first, feed.last) for feed in feeds]
    if all(feed.last - feed.first == len(ends) for feed in feeds):
        return zip(ends, zip(*bars, strict=True), strict=True)
    steps = [np.searchsorted(closes, feed.columns.end[feed.first : feed.last]) for feed in feeds]
    every = np.concatenate(steps)
    numbers = np.repeat(np.arange(len(feeds)), [len(found) for found in steps])
    who = iter(numbers[np.argsort(every, kind="stable")].tolist())
    counts = np.bincount(every, minlength=len(ends)).tolist()
    return (
        (end, [next(bars[number]) for number in islice(who, count)]) for end, count in zip(ends, counts, strict=True)
    )
