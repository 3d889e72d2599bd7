"""Whether an instrument trades now, by the hours of its own contract and nothing else: no calendar is loaded for it."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mats.model import Instrument, Nanos, to_datetime
from mats.sessions.contract_hours import read_hours
from mats.sessions.session import Span

Spans = Sequence[Span]


class StatedHours:
    """The regular hours that the broker states for the days to come; for what has no others, all that are traded."""

    def is_open(self, instrument: Instrument, at: Nanos) -> bool:
        """Whether it trades at that instant; True where its contract says nothing of that day."""
        text = instrument.liquid_hours or instrument.trading_hours
        if not text:
            return True
        spans, first, last = _read(text, instrument.time_zone)
        if any(begin <= at < end for begin, end in spans):
            return True
        return not first <= _day(at, instrument.time_zone) < last  # what begins on the last evening is not stated yet


@lru_cache(maxsize=4096)
def _read(text: str, zone: str) -> tuple[Spans, date, date]:
    """When it trades, the first and the last day that are stated; nothing where the text or the zone is not known."""
    try:
        days = read_hours(text, ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        days = {}
    if not days:
        return (), date.max, date.min
    return tuple(span for hours in days.values() for span in hours or ()), min(days), max(days)


def _day(at: Nanos, zone: str) -> date:
    try:
        return to_datetime(at).astimezone(ZoneInfo(zone)).date()
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return date.min
