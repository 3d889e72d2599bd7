"""What a strategy asks about the sessions of an instrument, as of now."""

from typing import NamedTuple

from mats.model import MINUTE, Nanos
from mats.sessions import Hours, Session, SessionCalendar


class MarketHours(NamedTuple):
    """The sessions of one instrument, seen at the instant `now`, in the strategy's hours."""

    calendar: SessionCalendar
    now: Nanos
    hours: Hours

    @property
    def session(self) -> Session | None:
        """The session that is under way now, also in its breaks."""
        return self.calendar.session_at(self.now, self.hours)

    @property
    def next_session(self) -> Session:
        """The first session that opens after now."""
        return self.calendar.next_session(self.now, self.hours)

    @property
    def previous_session(self) -> Session:
        """The last session that is over."""
        return self.calendar.previous(self.now, self.hours)

    @property
    def is_open(self) -> bool:
        """Whether it trades now."""
        return self.calendar.is_open(self.now, self.hours)

    @property
    def minutes_to_close(self) -> float | None:
        """How long the session that is open goes on; None where none is."""
        session = self.session
        return None if session is None else (session.end(self.hours) - self.now) / MINUTE

    @property
    def minutes_since_open(self) -> float | None:
        """How long ago the session that is open began; None where none is."""
        session = self.session
        return None if session is None else (self.now - session.begin(self.hours)) / MINUTE

    @property
    def early_close(self) -> bool:
        """Whether the session that is open, else the next one, ends earlier than usual."""
        return (self.session or self.next_session).early_close
