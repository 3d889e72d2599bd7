"""Markets without an exchange's hours: days of UTC, and the days of currencies."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mats.model import from_datetime
from mats.sessions.session import Session

NEW_YORK = ZoneInfo("America/New_York")
FX_CLOSE = time(17)
"""The day of a currency pair changes at five in the afternoon in New York; the week begins and ends there too."""

_DAY = timedelta(days=1)


def utc_days(first: date, last: date) -> list[Session]:
    """Each day of UTC is a session."""
    return [_utc_day(day) for day in _days(first, last)]


def currency_days(first: date, last: date) -> list[Session]:
    """From Sunday to Friday, each day from 17:00 of the day before to 17:00 in New York."""
    return [_currency_day(day) for day in _days(first, last) if day.weekday() < 5]


def _utc_day(day: date) -> Session:
    begin = from_datetime(datetime.combine(day, time(), UTC))
    end = from_datetime(datetime.combine(day + _DAY, time(), UTC))
    return Session(day, begin, end, begin, end)


def _currency_day(day: date) -> Session:
    begin = from_datetime(datetime.combine(day - _DAY, FX_CLOSE, NEW_YORK))
    end = from_datetime(datetime.combine(day, FX_CLOSE, NEW_YORK))
    return Session(day, begin, end, begin, end)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + step * _DAY for step in range((last - first).days + 1))
