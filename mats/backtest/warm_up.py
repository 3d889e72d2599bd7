"""The bars that a run needs before its start: as many of each size as its strategies ask for, the first one whole."""

from collections.abc import Mapping

import numpy as np

from mats.data import whole_bars
from mats.model import Nanos
from mats.model.bar_columns import BarColumns, Instants
from mats.sessions import BarSpans, Hours, SessionCalendar

Counts = Mapping[tuple[int, Hours], int]
"""How many bars of a size in seconds are needed, in these hours."""


def first_row(bars: BarColumns, calendar: SessionCalendar, counts: Counts, start: Nanos) -> int:
    """The first row that is needed for a run from `start` on."""
    begun = int(np.searchsorted(bars.start, start, side="left"))
    return min(
        (_needed(bars, calendar, size, hours, count, begun) for (size, hours), count in counts.items()), default=begun
    )


def ready(bars: BarColumns, calendar: SessionCalendar, counts: Counts) -> Nanos:
    """From when on there are as many bars as are needed; the start of the first bar where there are never as many."""
    first = int(bars.start[0])
    ends = [_ends(bars, calendar, size, hours) for size, hours in counts]
    enough = [int(end[count - 1]) for end, count in zip(ends, counts.values(), strict=True) if 0 < count < len(end)]
    return max(enough, default=first)


def _needed(bars: BarColumns, calendar: SessionCalendar, size: int, hours: Hours, count: int, begun: int) -> int:
    """The first of the rows before `begun` that is needed for `count` bars and for the one that is under way."""
    if size == bars.seconds:
        return max(0, begun - count)
    if not begun:
        return 0
    before = bars.between(int(bars.start[0]), int(bars.end[begun - 1]))
    own = whole_bars(before, BarSpans(calendar, size, hours))
    start = int(bars.start[begun]) if begun < len(bars) else int(bars.end[begun - 1])
    over = int(np.searchsorted(own.end, start, side="right"))
    row = max(0, over - count)
    if row == len(own):
        return begun
    return max(0, int(np.searchsorted(bars.end, own.start[row], side="right")) - 1)


def _ends(bars: BarColumns, calendar: SessionCalendar, size: int, hours: Hours) -> Instants:
    return bars.end if size == bars.seconds else whole_bars(bars, BarSpans(calendar, size, hours)).end
