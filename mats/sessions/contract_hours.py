"""The hours that IB states for a contract: `20261127:0930-20261127:1300;20261128:CLOSED`, for the days to come."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise

from msgspec.structs import replace

from mats.model import Nanos, from_datetime, to_datetime
from mats.sessions.calendar import Source
from mats.sessions.session import Session, Span

_RANGE = re.compile(r"(?:(?P<first>\d{8}):)?(?P<begin>\d{4})-(?:(?P<last>\d{8}):)?(?P<end>\d{4})")

DayHours = dict[date, tuple[Span, ...] | None]
"""When each day that is stated trades, in the order of time; None for one without trading."""


def read_hours(text: str, zone: tzinfo) -> DayHours:
    """The hours by day, a session's day being the one on which it ends; raises ValueError where the text is not IB's.

    Forms: `20261127:0930-20261127:1300`, and the older `20261127:0930-1600` or `20261127:0930-1200,1300-1600`, in which
    an end that is not after its begin means that it began on the day before. Ranges that touch are one.
    """
    found: DayHours = {}
    for day in filter(None, (piece.strip() for piece in text.split(";"))):
        named, _, ranges = day.partition(":")
        if ranges == "CLOSED":
            found.setdefault(_day(named), None)
            continue
        for part in ranges.split(","):
            label, begin, end = _range(part, _day(named), zone)
            found[label] = _joined([*(found.get(label) or ()), (begin, end)])
    return found


def stated_sessions(regular: DayHours, extended: DayHours, zone: tzinfo) -> dict[date, Session | None]:
    """The sessions of the days that are stated, None for one without regular hours."""
    closes = {day: _clock(hours[-1][1], zone) for day, hours in regular.items() if hours}
    counted = Counter(closes.values())
    usual = max(counted, key=lambda close: (counted[close], close), default="")
    return {
        day: _session(day, hours, extended.get(day) or hours, early=closes[day] < usual) if hours else None
        for day, hours in regular.items()
    }


def preferring(stated: dict[date, Session | None], otherwise: Source) -> Source:
    """The stated sessions from the first to the last day that is stated, those of another source elsewhere.

    Where the sources meet, the stated sessions count: extended hours end at them, a session that overlaps is left out.
    """
    sessions = sorted((session for session in stated.values() if session), key=lambda session: session.open)
    first, last = min(stated), max(stated)

    def source(start: date, end: date) -> Sequence[Session]:
        others = [session for session in otherwise(start, end) if not first <= session.date <= last]
        if not sessions:
            return others
        opens, closes = sessions[0].extended_open, sessions[-1].extended_close
        before = [_cut(session, until=opens) for session in others if session.close <= opens]
        after = [_cut(session, since=closes) for session in others if session.open >= closes]
        return [*before, *(session for session in sessions if start <= session.date <= end), *after]

    return source


def _cut(session: Session, since: Nanos = 0, until: Nanos = 2**62) -> Session:
    return replace(
        session,
        extended_open=max(session.extended_open, since),
        extended_close=min(session.extended_close, until),
    )


def _session(day: date, regular: Sequence[Span], extended: Sequence[Span], *, early: bool) -> Session:
    opens, closes = regular[0][0], regular[-1][1]
    breaks = tuple((rest[1], resumed[0]) for rest, resumed in pairwise(regular))
    return Session(day, opens, closes, min(opens, extended[0][0]), max(closes, extended[-1][1]), early, breaks)


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            begin, end = joined[-1][0], max(end, joined.pop()[1])
        joined.append((begin, end))
    return tuple(joined)


def _range(text: str, named: date, zone: tzinfo) -> tuple[date, Nanos, Nanos]:
    match = _RANGE.fullmatch(text.strip() if ":" in text.partition("-")[0] else f"{named:%Y%m%d}:{text.strip()}")
    if match is None:
        raise ValueError(f"hours {text!r} are not like 20261127:0930-20261127:1300")
    first = _day(match["first"])
    last = _day(match["last"]) if match["last"] else first
    begin, end = _instant(first, match["begin"], zone), _instant(last, match["end"], zone)
    if end <= begin and not match["last"]:
        begin = _instant(first - timedelta(days=1), match["begin"], zone)
    if end <= begin:
        raise ValueError(f"hours {text!r} end before they begin")
    return to_datetime(end - 1).astimezone(zone).date(), begin, end


def _instant(day: date, clock: str, zone: tzinfo) -> Nanos:
    """A time of day as an instant; 2400 is the end of the day."""
    if clock == "2400":
        day, clock = day + timedelta(days=1), "0000"
    return from_datetime(datetime(day.year, day.month, day.day, int(clock[:2]), int(clock[2:]), tzinfo=zone))


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone


def _clock(instant: Nanos, zone: tzinfo) -> str:
    return f"{to_datetime(instant - 1).astimezone(zone):%H%M%S}"
