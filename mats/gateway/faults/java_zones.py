"""Zones by the names that Java and Windows give them, which real gateways write behind times."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

CLOCKS = {
    "Central European Standard Time": "Europe/Berlin",
    "Central European Time": "Europe/Berlin",
    "Eastern Standard Time": "America/New_York",
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "CST": "America/Chicago",
    "GMT Standard Time": "Europe/London",
    "BST": "Europe/London",
    "JST": "Asia/Tokyo",
    "Japan Standard Time": "Asia/Tokyo",
    "China Standard Time": "Asia/Shanghai",
}
"""The IANA name of the clock."""

_TIME = re.compile(r"(\d{8} \d\d:\d\d:\d\d) UTC")
_OFFSET = re.compile(r"GMT([+-])(\d{1,2})(?::(\d\d))?")


def java_zone(name: str) -> tzinfo:
    """The clock of a name; UTC for an empty one. Raises ValueError for one that is not known."""
    offset = _OFFSET.fullmatch(name)
    if offset:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(ahead if offset[1] == "+" else -ahead)
    try:
        return ZoneInfo(CLOCKS.get(name, name)) if name else UTC
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(
            f"zone {name!r} is not known; write an IANA name, GMT+08:00 or one of {', '.join(CLOCKS)}"
        ) from error


def in_zone(field: str, name: str) -> str:
    """A time of UTC by the clock and the name of a zone; anything else unchanged."""
    found = _TIME.fullmatch(field)
    if not found:
        return field
    moment = datetime.strptime(found[1], "%Y%m%d %H:%M:%S").replace(tzinfo=UTC)
    if not name:
        return moment.strftime("%Y%m%d  %H:%M:%S")
    return moment.astimezone(java_zone(name)).strftime("%Y%m%d %H:%M:%S ") + name
