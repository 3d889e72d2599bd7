"""The parts of the bar that is under way, so that who starts now gets it whole."""

from mats.ib.history.paging import AskBars
from mats.ib.history.request import HistoryRequest
from mats.model import DAY, SECOND, Bar, Instrument, Nanos, to_datetime
from mats.sessions import BarSpans, Hours, SessionCalendar

FINE, COARSE = 5, 60
"""Sizes in seconds of the parts: of live bars, and of what is further back than an hour."""
FINE_SPAN = 3_600
OVERLAP = 120
"""Seconds of fine parts after the coarse ones, which end with a minute."""


async def parts_under_way(
    ask: AskBars,
    instrument: Instrument,
    seconds: int,
    now: Nanos,
    calendar: SessionCalendar,
    hours: Hours,
    newest: Bar | None,
) -> tuple[Bar, ...]:
    """Short bars from the begin of the bar under way until now; a day that is over counts while it has no bar.

    `newest` is the last bar that is known. Raises RequestFailed.
    """
    begin = _begin(seconds, now, calendar, hours, newest)
    if begin is None or seconds <= FINE or now - begin < FINE * SECOND:
        return ()
    elapsed = ((now - begin) // SECOND // FINE + 2) * FINE  # with the part that begins before a second that is not full
    regular = hours == "regular"
    parts: list[Bar] = []
    if elapsed > FINE_SPAN:
        span = min((elapsed // COARSE + 2) * COARSE, DAY // SECOND)
        answer = await ask(HistoryRequest(instrument, COARSE, span, None, "", regular))
        parts = [bar for bar in answer.bars if bar.start >= begin]
    known = parts[-1].end if parts else begin
    span = OVERLAP if elapsed > FINE_SPAN else elapsed
    fine = await ask(HistoryRequest(instrument, FINE, span, None, "", regular))
    return (*parts, *(bar for bar in fine.bars if bar.start >= known))


def _begin(seconds: int, now: Nanos, calendar: SessionCalendar, hours: Hours, newest: Bar | None) -> Nanos | None:
    """When the bar under way began; None where there is none, or it may still come as a whole bar."""
    if seconds < DAY // SECOND:
        span = BarSpans(calendar, seconds, hours).at(now)
        return None if span is None else span[0]
    session = calendar.session_at(now, hours) or calendar.previous(now, hours)
    known = newest is not None and to_datetime(newest.start).date() >= session.date
    return None if known or now - session.end(hours) > DAY else session.begin(hours)
