"""The published sessions of exchanges, with holidays and early closes: the package exchange_calendars.

It takes a third of a second to load, so it is loaded when the first session of an exchange is asked for.
Source of the extended hours: US stocks trade from 04:00 to 20:00 in New York, until four hours after an early close.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from mats.model import HOUR, MINUTE, Nanos, to_datetime
from mats.sessions.around_clock import utc_days
from mats.sessions.calendar import SessionCalendar
from mats.sessions.session import Session

EXTENDED = MappingProxyType({"XNYS": (5 * HOUR + 30 * MINUTE, 4 * HOUR), "XNAS": (5 * HOUR + 30 * MINUTE, 4 * HOUR)})
"""Extended trading of a calendar's market before its open and after its close."""

NOT_A_TIME = -(2**63)
"""How pandas writes a time that is none as a number."""

PAST, TO_COME = timedelta(days=20 * 365), timedelta(days=120)
"""What is loaded beforehand: what a strategy needs at its start, and old bars that are played to it."""


@lru_cache
def exchange_calendar(code: str) -> SessionCalendar:
    """The sessions of an exchange by its name in exchange_calendars, an ISO 10383 code as `XNYS`.

    Where a calendar has no data, before it begins and after it ends, days of UTC count as its sessions.
    """
    return SessionCalendar(code, lambda first, last: published(code, first, last))


def check_exchange(code: str) -> None:
    """Raises ValueError where a name that somebody has written is none of exchange_calendars."""
    import exchange_calendars  # heavy, and needed only where an exchange's sessions are

    if code not in exchange_calendars.get_calendar_names():
        raise ValueError(f"calendar {code!r} is unknown; use XNYS, XLON or another of exchange_calendars")


def published(code: str, first: date, last: date) -> Sequence[Session]:
    """The sessions of an exchange whose dates are in a range."""
    return _published(code).between(first, last)


def load_usual(now: Nanos) -> None:
    """Load the sessions of US exchanges before and around an instant, which takes a second: before anything would wait
    for it, and before processes fork that share them."""
    today = to_datetime(now).date()
    published("XNYS", today - PAST, today + TO_COME)


class Published:
    """The sessions of an exchange, which all its instruments share: a year takes about as long to load as ten."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._known: tuple[date, date, Sequence[Session]] = (date.max, date.min, ())

    def between(self, first: date, last: date) -> Sequence[Session]:
        """Those whose dates are in a range. Threads may share them: what is known is replaced whole."""
        known_first, known_last, sessions = self._known
        if first < known_first or known_last < last:
            begin = date(min(first, known_first).year, 1, 1)
            end = date(max(last, known_last).year, 12, 31)
            sessions = _load(self._code, begin, end)
            self._known = begin, end, sessions
        low = bisect_left(sessions, first, key=_date_of)
        return sessions[low : bisect_right(sessions, last, key=_date_of)]


_published = lru_cache(Published)


def _date_of(session: Session) -> date:
    return session.date


def _load(code: str, first: date, last: date) -> Sequence[Session]:
    import exchange_calendars
    import pandas as pd

    kind = _kinds()[exchange_calendars.resolve_alias(code)]
    lowest, highest = (None if bound is None else bound.date() for bound in (kind.bound_min(), kind.bound_max()))
    low, high = max(first, lowest or first), min(last, highest or last)
    if low >= high:
        return utc_days(first, last)
    calendar = kind(start=pd.Timestamp(low), end=pd.Timestamp(high))
    schedule, early = calendar.schedule, set(calendar.early_closes)
    columns = (pd.DatetimeIndex(schedule[name]).as_unit("ns") for name in ("open", "close", "break_start", "break_end"))
    opens, closes, rests, resumes = (column.asi8.tolist() for column in columns)
    breaks = [((rest, resume),) if rest > NOT_A_TIME else () for rest, resume in zip(rests, resumes, strict=True)]
    before, after = EXTENDED.get(code, (0, 0))
    days = ((label, label in early) for label in schedule.index)
    return [
        *utc_days(first, low - timedelta(days=1)),
        *(
            Session(label.date(), o, c, o - before, c + after, is_early, at_noon)
            for (label, is_early), o, c, at_noon in zip(days, opens, closes, breaks, strict=True)
        ),
        *utc_days(high + timedelta(days=1), last),
    ]


def _kinds() -> Mapping[str, Any]:
    """The classes of calendars, which know their bounds; nothing public does."""
    from exchange_calendars import calendar_utils

    kinds: Mapping[str, Any] = calendar_utils._default_calendar_factories
    return kinds
