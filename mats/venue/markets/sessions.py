"""Trading sessions, with extended hours before and after the regular ones.

Source of the sessions: the package exchange_calendars, which follows the published holidays and early closes of each
exchange. Source of the extended hours: the New York exchanges and IB trade US stocks from 04:00 to 20:00, and until
four hours after an early close.
"""

from bisect import bisect_right
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

from mats.model import DAY, HOUR, MINUTE, Nanos, SecType
from mats.venue.event_queue import EventQueue, Rank

ALWAYS = "always"

EXTENDED: dict[str, tuple[Nanos, Nanos]] = dict.fromkeys(("XNYS", "XNAS"), (5 * HOUR + 30 * MINUTE, 4 * HOUR))
"""Extended trading of a calendar's market before its open and after its close."""

FIRST_SESSION = "1990-01-01"


class SessionPhase(StrEnum):
    CLOSED = "closed"
    EXTENDED = "extended"
    REGULAR = "regular"


class TradingSession(NamedTuple):
    """One trading day: extended trading from `early` to `late`, regular trading from `opens` to `closes`."""

    early: Nanos
    opens: Nanos
    closes: Nanos
    late: Nanos

    @property
    def extended(self) -> bool:
        """Whether it has hours outside the regular ones."""
        return self.early < self.opens or self.closes < self.late

    def phase(self, instant: Nanos) -> SessionPhase:
        if self.opens <= instant < self.closes:
            return SessionPhase.REGULAR
        return SessionPhase.EXTENDED if self.early <= instant < self.late else SessionPhase.CLOSED


class Hours(Protocol):
    def session(self, sec_type: SecType, instant: Nanos) -> TradingSession:
        """The session in progress at the instant, else the next one. Raises ValueError outside the calendar."""


class AlwaysOpen:
    """Around the clock; a session is a UTC day. The default, so that demonstrations trade at any hour."""

    def session(self, sec_type: SecType, instant: Nanos) -> TradingSession:
        start = instant // DAY * DAY
        return TradingSession(start, start, start + DAY, start + DAY)


class ExchangeHours:
    """The sessions of a stock exchange, by its name in exchange_calendars (an ISO 10383 code such as `XNYS`).

    They apply to stocks, options and indices; pairs and futures trade around the clock. Raises ValueError.
    """

    def __init__(self, calendar: str) -> None:
        import exchange_calendars  # takes a second to load, and most gateways do not need it
        import pandas as pd

        try:
            first = FIRST_SESSION if calendar in EXTENDED else None  # others start twenty years ago
            schedule = exchange_calendars.get_calendar(calendar, start=first).schedule
        except exchange_calendars.errors.InvalidCalendarName as error:
            raise ValueError(f"calendar {calendar!r} is unknown; use {ALWAYS}, XNYS or XLON") from error
        before, after = EXTENDED.get(calendar, (0, 0))
        opens, closes = (pd.DatetimeIndex(schedule[name]).as_unit("ns").asi8.tolist() for name in ("open", "close"))
        self._name = calendar
        self._always = AlwaysOpen()
        self._sessions = [TradingSession(o - before, o, c, c + after) for o, c in zip(opens, closes, strict=True)]
        self._ends = [session.late for session in self._sessions]

    def session(self, sec_type: SecType, instant: Nanos) -> TradingSession:
        if sec_type in (SecType.CASH, SecType.FUTURE):
            return self._always.session(sec_type, instant)
        at = bisect_right(self._ends, instant)
        if at == len(self._sessions):
            raise ValueError(f"calendar {self._name} ends before the instant {instant}; use {ALWAYS}")
        return self._sessions[at]


def load_hours(calendar: str) -> Hours:
    """The hours for a name: `always`, or a calendar of exchange_calendars. Raises ValueError."""
    return AlwaysOpen() if calendar == ALWAYS else ExchangeHours(calendar)


class SessionSchedule:
    """Calls `on_phase_change(sec_type, closes, ends)` whenever the phase of a security type changes.

    `closes` says that the regular session ends at this instant, `ends` that the trading day does.
    """

    def __init__(self, hours: Hours, queue: EventQueue, on_phase_change: Callable[[SecType, bool, bool], None]) -> None:
        self._hours, self._queue, self._on_phase_change = hours, queue, on_phase_change
        self._sessions: dict[SecType, TradingSession] = {}

    @property
    def started(self) -> bool:
        return bool(self._sessions)

    def start(self, now: Nanos) -> None:
        """Finds the current or next session of every security type and schedules its phases."""
        for sec_type in SecType:
            self._plan(sec_type, now)
            self._on_phase_change(sec_type, False, False)

    def phase(self, sec_type: SecType, instant: Nanos) -> SessionPhase:
        """The phase at an instant of the current session; regular before `start`."""
        session = self._sessions.get(sec_type)
        return session.phase(instant) if session else SessionPhase.REGULAR

    def session(self, sec_type: SecType, instant: Nanos) -> TradingSession:
        """The session in progress at an instant, else the next one."""
        return self._hours.session(sec_type, instant)

    def _plan(self, sec_type: SecType, now: Nanos) -> None:
        session = self._sessions[sec_type] = self._hours.session(sec_type, now)
        for instant in sorted({instant for instant in session if instant > now}):
            self._queue.schedule(instant, Rank.SESSION, lambda at: self._change_phase(sec_type, at))

    def _change_phase(self, sec_type: SecType, instant: Nanos) -> None:
        session = self._sessions[sec_type]
        if instant == session.late:
            self._plan(sec_type, instant)
        self._on_phase_change(sec_type, instant == session.closes, instant == session.late)
