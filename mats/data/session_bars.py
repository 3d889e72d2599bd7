"""Columns of bars and the sessions that they lie in: what is of a session, and the bars of a larger size."""

import numpy as np

from mats.model import SECOND, Instrument, InstrumentId
from mats.model.bar_columns import BarColumns, BarData, Instants
from mats.sessions import DAILY, OUTSIDE, BarSpans, Hours, SessionCalendar, calendar_of, unknown_calendar

STRAYS = 0.05
"""The share of bars outside of all trading from which on a calendar is not that of the data."""


def fitting_calendar(instrument: Instrument, bars: BarColumns) -> SessionCalendar:
    """The sessions of an instrument; days of UTC where so many bars lie outside of them that they are not of it."""
    calendar = calendar_of(instrument)
    inside = len(in_sessions(bars, calendar, "extended"))
    return calendar if len(bars) - inside <= STRAYS * len(bars) else unknown_calendar()


def data_calendar(data: BarData, name: InstrumentId) -> SessionCalendar:
    """The sessions of an instrument, as its bars show them."""
    if name in data.around_the_clock:
        return unknown_calendar()
    instrument = data.instruments[name]
    return calendar_of(instrument) if data.hours else fitting_calendar(instrument, data.bars[name])


def in_sessions(bars: BarColumns, calendar: SessionCalendar, hours: Hours) -> BarColumns:
    """The bars that begin in the sessions and not in a break, each ended by that or by the close at the latest.

    A daily bar is its whole session.
    """
    spans = BarSpans(calendar, bars.seconds, hours)
    if bars.seconds == DAILY:
        opens, closes = spans.of_days(bars.start)
        inside = np.flatnonzero(opens != OUTSIDE)
        return _spanned(bars, inside, opens[inside], closes[inside])
    opens, closes = spans.stretches(bars.start, part=bars.seconds * SECOND)
    inside = np.flatnonzero(opens != OUTSIDE)
    return _spanned(bars, inside, bars.start[inside], np.minimum(bars.end, closes)[inside])


def whole_bars(bars: BarColumns, spans: BarSpans) -> BarColumns:
    """The bars of `spans` that these give, but for a first one of which the beginning is missing.

    The last one may lack its end.
    """
    begins, ends = spans.of(bars.start, part=bars.seconds * SECOND)
    rows = np.flatnonzero((begins != OUTSIDE) & (begins >= bars.start[:1]))
    new = np.diff(begins[rows], prepend=OUTSIDE) != 0
    first = np.flatnonzero(new)
    opening, closing = rows[first], rows[np.flatnonzero(np.append(new[1:], True))[: len(first)]]
    return BarColumns(
        bars.instrument,
        spans.seconds,
        begins[opening],
        bars.open[opening],
        np.maximum.reduceat(bars.high[rows], first),
        np.minimum.reduceat(bars.low[rows], first),
        bars.close[closing],
        np.add.reduceat(bars.volume[rows], first),
        None if bars.spread is None else bars.spread[closing],
        ends[opening],
    )


def _spanned(bars: BarColumns, rows: Instants, starts: Instants, ends: Instants) -> BarColumns:
    """Some rows, with other starts and ends."""
    regular = bool((ends - starts == bars.seconds * SECOND).all())
    if regular and len(rows) == len(bars):
        return bars
    spread = None if bars.spread is None else bars.spread[rows]
    prices = (bars.open[rows], bars.high[rows], bars.low[rows], bars.close[rows], bars.volume[rows])
    return BarColumns(bars.instrument, bars.seconds, starts, *prices, spread, None if regular else ends)
