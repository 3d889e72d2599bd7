"""Instants are integers: nanoseconds since the Unix epoch, UTC.

An integer has no zone to forget, compares exactly, and is what the store's index holds.
"""

from datetime import UTC, datetime, timedelta

Nanos = int
"""Nanoseconds since 1970-01-01T00:00:00Z (an instant), or a count of nanoseconds (a span)."""

SECOND: Nanos = 1_000_000_000
MINUTE: Nanos = 60 * SECOND
HOUR: Nanos = 60 * MINUTE
DAY: Nanos = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(instant: Nanos) -> datetime:
    """The instant as an aware UTC datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=instant // 1_000)


def from_datetime(moment: datetime) -> Nanos:
    """The aware datetime as an instant; a naive one is refused, because its zone is unknown."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; give one, for example tzinfo=UTC")
    span = moment - _EPOCH
    return (span.days * 86_400 + span.seconds) * SECOND + span.microseconds * 1_000


def iso(instant: Nanos) -> str:
    """ISO 8601 with a trailing Z, to the millisecond, for logs and messages."""
    return to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def floor_time(instant: Nanos, seconds: int) -> Nanos:
    """The last multiple of `seconds` at or before `instant`."""
    step = seconds * SECOND
    return instant // step * step


def ceil_time(instant: Nanos, seconds: int) -> Nanos:
    """The first multiple of `seconds` at or after `instant`."""
    return -floor_time(-instant, seconds)
