"""Trading sessions: when an instrument's exchange is open, and which bars lie in a session."""

from mats.sessions.bar_spans import DAILY, OUTSIDE, WEEKLY, BarSpans, check_size
from mats.sessions.calendar import SessionCalendar
from mats.sessions.exchanges import check_exchange, exchange_calendar, load_usual
from mats.sessions.selection import calendar_of, unknown_calendar
from mats.sessions.session import Hours, Session
from mats.sessions.stated_hours import StatedHours

__all__ = [
    "DAILY",
    "OUTSIDE",
    "WEEKLY",
    "BarSpans",
    "Hours",
    "Session",
    "SessionCalendar",
    "StatedHours",
    "calendar_of",
    "check_exchange",
    "check_size",
    "exchange_calendar",
    "load_usual",
    "unknown_calendar",
]
