"""The days on which contracts expire, by the rules of their exchanges without holidays, and the names of months."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

YEARS = range(2025, 2031)
QUARTERS = (3, 6, 9, 12)
MONTHS = tuple(range(1, 13))
MONTH_CODES = dict(zip(MONTHS, "FGHJKMNQUVXZ", strict=True))
FRIDAY = 4

ExpiryRule = Callable[[int, int], date]
"""The last trading day of a contract month."""


def third_friday(year: int, month: int) -> date:
    return nth_friday(year, month, 3)


def nth_friday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(FRIDAY - first.weekday()) % 7 + 7 * (number - 1))


def before_second_friday(year: int, month: int) -> date:
    """Of the futures on the Nikkei: the business day before the second Friday."""
    return nth_friday(year, month, 2) - timedelta(days=1)


def third_last_business_day(year: int, month: int) -> date:
    """Of the metals."""
    return _business_days_before(_next_month(year, month), 3)


def second_last_business_day(year: int, month: int) -> date:
    """Of the futures on the Hang Seng."""
    return _business_days_before(_next_month(year, month), 2)


def before_delivery_month(year: int, month: int) -> date:
    """Of crude oil: three business days before the 25th of the month before delivery."""
    earlier = date(year, month, 1) - timedelta(days=1)
    return _business_days_before(earlier.replace(day=25), 3)


def before_tenth(year: int, month: int) -> date:
    """Of the bonds of the EUREX: two business days before the tenth."""
    return _business_days_before(date(year, month, 10), 2)


def before_third_wednesday(year: int, month: int) -> date:
    """Of currencies: two business days before the third Wednesday."""
    first = date(year, month, 1)
    return _business_days_before(first + timedelta(days=(2 - first.weekday()) % 7 + 14), 2)


def contract_months(months: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Year and month of each contract."""
    return ((year, month) for year in YEARS for month in months)


def fridays() -> list[date]:
    first = nth_friday(YEARS.start, 1, 1)
    return [first + timedelta(weeks=week) for week in range((date(YEARS.stop, 1, 1) - first).days // 7 + 1)]


def _next_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)


def _business_days_before(day: date, count: int) -> date:
    while count:
        day -= timedelta(days=1)
        count -= day.weekday() <= FRIDAY
    return day
