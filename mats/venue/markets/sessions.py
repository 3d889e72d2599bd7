"""The sessions that the simulated exchange keeps: phases with extended hours before and after the regular ones."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

from mats.model import DAY, Nanos, SecType
from mats.sessions import check_exchange, exchange_calendar
from mats.venue.event_queue import EventQueue, Rank

ALWAYS = "always"


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
        """The session in progress at the instant, else the next one."""


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
        self._always = AlwaysOpen()
        check_exchange(calendar)
        self._calendar = exchange_calendar(calendar)

    def session(self, sec_type: SecType, instant: Nanos) -> TradingSession:
        if sec_type in (SecType.CASH, SecType.FUTURE):
            return self._always.session(sec_type, instant)
        calendar = self._calendar
        found = calendar.session_at(instant, "extended") or calendar.next_session(instant, "extended")
        return TradingSession(found.extended_open, found.open, found.close, found.extended_close)


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
