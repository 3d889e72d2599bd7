"""When a timer is due: pure arithmetic on instants, correct across daylight-saving changes."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from mats.errors import StrategyError
from mats.model import SECOND, Nanos, from_datetime, to_datetime
from mats.sessions import Hours, SessionCalendar

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Schedule(Protocol):
    """A rule that names instants."""

    def next_after(self, instant: Nanos) -> Nanos:
        """The first due instant strictly later than `instant`."""


class Every(msgspec.Struct, frozen=True):
    """Due at each multiple of `seconds` since the Unix epoch, so that a restart does not shift the schedule."""

    seconds: int

    def next_after(self, instant: Nanos) -> Nanos:
        step = self.seconds * SECOND
        return (instant // step + 1) * step


class DailyAt(msgspec.Struct, frozen=True):
    """Due at a local wall-clock time on some days of the week (0 is Monday).

    A time that the clocks skip in spring is due as much later as they skip (02:30 becomes 03:30); a time that happens
    twice in autumn is due once, the first time. This is `fold=0` of PEP 495.
    """

    at: time
    zone: ZoneInfo
    days: frozenset[int]

    def next_after(self, instant: Nanos) -> Nanos:
        day = to_datetime(instant).astimezone(self.zone).date()
        while True:
            if day.weekday() in self.days and (due := self._on(day)) > instant:
                return due
            day += timedelta(days=1)

    def _on(self, day: date) -> Nanos:
        return from_datetime(datetime.combine(day, self.at, self.zone).astimezone(UTC))


class SessionBound(msgspec.Struct, frozen=True):
    """Due at each session's open or close in some hours, moved by `offset`: negative is before it."""

    calendar: Callable[[], SessionCalendar]
    edge: Literal["open", "close"]
    hours: Hours
    offset: Nanos

    def next_after(self, instant: Nanos) -> Nanos:
        calendar, after = self.calendar(), instant - self.offset
        if self.edge == "open":
            return calendar.next_session(after, self.hours).begin(self.hours) + self.offset
        session = calendar.session_at(after, self.hours) or calendar.next_session(after, self.hours)
        return session.end(self.hours) + self.offset


def every(*, seconds: int = 0, minutes: int = 0, hours: int = 0) -> Every:
    """A schedule of fixed intervals; the interval must be a positive whole number of seconds."""
    span = seconds + 60 * minutes + 3600 * hours
    if not isinstance(span, int) or span < 1:
        raise StrategyError(f"invalid timer interval {span} seconds; give a whole number of seconds, at least 1")
    return Every(span)


def daily(at: str, zone: str, days: str) -> DailyAt:
    """The schedule of a local time, for example `daily("15:55", "America/New_York", "mon-fri")`."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", at):
        raise StrategyError(f"timer time {at!r} is not a time of day; write HH:MM or HH:MM:SS, for example 15:55")
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise StrategyError(f"time zone {zone!r} is not known; write an IANA name, e.g. America/New_York") from error
    return DailyAt(time.fromisoformat(at), info, parse_days(days))


def parse_days(text: str) -> frozenset[int]:
    """`mon-fri`, `mon,wed,fri` or `sat-sun,wed` as numbers, Monday 0. A range may span the weekend."""
    days: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in DAY_NAMES or (dash and last not in DAY_NAMES):
            raise StrategyError(f"timer days {text!r} cannot be read at {part!r}; write mon-fri or mon,wed,fri")
        begin = DAY_NAMES.index(first)
        length = (DAY_NAMES.index(last) - begin) % 7 if dash else 0
        days.update((begin + step) % 7 for step in range(length + 1))
    return frozenset(days)


class Timers:
    """The named timers of one strategy and when each is due next.

    A timer starts at the first instant that the strategy sees: what was due earlier is not fired. Of several missed due
    times of one timer only the first is fired.
    """

    def __init__(self) -> None:
        self.schedules: dict[str, Schedule] = {}
        self._due: dict[str, Nanos] = {}

    def add(self, name: str, schedule: Schedule) -> None:
        """Set a timer; one of the same name is replaced."""
        self.schedules[name] = schedule
        self._due.pop(name, None)

    def remove(self, name: str) -> None:
        """Remove a timer, if there is one of that name."""
        self.schedules.pop(name, None)
        self._due.pop(name, None)

    def restart(self) -> None:
        """Restart every timer at the next `anchor`."""
        self._due.clear()

    def anchor(self, instant: Nanos) -> None:
        """Start every timer that has not started, at `instant`."""
        for name, schedule in self.schedules.items():
            if name not in self._due:
                self._due[name] = schedule.next_after(instant)

    def take_due(self, until: Nanos) -> tuple[Nanos, str] | None:
        """The earliest timer due at or before `until`, re-armed for after `until`; None when there is none."""
        due, name = min(((due, name) for name, due in self._due.items()), default=(until + 1, ""))
        if due > until:
            return None
        self._due[name] = self.schedules[name].next_after(until)
        return due, name
