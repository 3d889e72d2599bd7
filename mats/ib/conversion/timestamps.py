"""IB's ways to write an instant, and the one that we send.

The gateway writes the zone of its own settings into executions and bars. An unknown zone is an error,
never a guess: an execution with a wrong time stays wrong.
"""

import re
from datetime import UTC, datetime, tzinfo

from mats.ib.conversion.time_zones import KNOWN_ZONES, TimeZones, UnknownZone
from mats.model import SECOND, Nanos, from_datetime, to_datetime

_WRITTEN = re.compile(r"(\d{4})(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)


class UnknownTime(ValueError):
    """A text that is not an instant, or (with `zone_unknown`) one in an unknown zone."""

    zone_unknown = False


def instant(text: str, zones: TimeZones = KNOWN_ZONES) -> Nanos:
    """The instant that the gateway wrote.

    Forms: seconds since 1970; `20260413 15:27:04 US/Eastern`; `20260413-19:27:04` (UTC); `20260413` (a trading day:
    midnight UTC of its date). An hour that a zone repeats in autumn is taken for the first.
    """
    written = text.strip()
    if written[8:9] == "-":
        written = f"{written[:8]} {written[9:]} UTC"
    date, _, rest = written.partition(" ")
    if not rest:
        return _plain(date)
    clock, _, zone = rest.strip().partition(" ")
    return from_datetime(_parse(f"{date} {clock}", text, _zone(zone.strip(), text, zones)))


def utc_text(moment: Nanos) -> str:
    """The instant as IB reads it, with an explicit zone: `20260413 19:27:04 UTC`."""
    return to_datetime(moment).strftime("%Y%m%d %H:%M:%S UTC")


def _plain(text: str) -> Nanos:
    if len(text) == 8:
        return from_datetime(_parse(f"{text} 00:00:00", text, UTC))
    if text.isascii() and text.isdigit():
        return int(text) * SECOND
    raise UnknownTime(f"time {text!r} is neither seconds since 1970, nor yyyymmdd, nor yyyymmdd hh:mm:ss ZONE")


def _parse(text: str, original: str, zone: tzinfo) -> datetime:
    """By hand, because `strptime` is most of the work of an execution."""
    try:
        if (found := _WRITTEN.fullmatch(text)) is None:
            raise ValueError(text)
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as error:
        raise UnknownTime(f"time {original!r} is not a date and time in IB's form yyyymmdd hh:mm:ss ZONE") from error


def _zone(name: str, original: str, zones: TimeZones) -> tzinfo:
    try:
        return zones.find(name)
    except UnknownZone as error:
        unknown = UnknownTime(f"time {original!r} has {error}")
        unknown.zone_unknown = True
        raise unknown from error
