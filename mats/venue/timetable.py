"""The sessions of each kind of instrument, and the instants at which they begin, open, close and end."""

from collections.abc import Callable

from mats.model.instrument import SecType
from mats.model.timestamp import Nanos
from mats.venue.agenda import Agenda, Rank
from mats.venue.hours import Hours, Phase, Session


class Timetable:
    """Calls `on_turn(sec_type, closes, ends)` whenever the phase of a kind of instrument changes.

    `closes` says that the regular session is over at this instant, `ends` that the trading day is.
    """

    def __init__(self, hours: Hours, agenda: Agenda, on_turn: Callable[[SecType, bool, bool], None]) -> None:
        self._hours, self._agenda, self._on_turn = hours, agenda, on_turn
        self._sessions: dict[SecType, Session] = {}

    @property
    def begun(self) -> bool:
        return bool(self._sessions)

    def begin(self, now: Nanos) -> None:
        """Finds the present sessions, or the next ones."""
        for sec_type in SecType:
            self._plan(sec_type, now)
            self._on_turn(sec_type, False, False)

    def phase(self, sec_type: SecType, instant: Nanos) -> Phase:
        """The phase at an instant of the present session; regular as long as the time is not known."""
        session = self._sessions.get(sec_type)
        return session.phase(instant) if session else Phase.REGULAR

    def session(self, sec_type: SecType, instant: Nanos) -> Session:
        """The session of an instant, or else the next one."""
        return self._hours.session(sec_type, instant)

    def _plan(self, sec_type: SecType, now: Nanos) -> None:
        session = self._sessions[sec_type] = self._hours.session(sec_type, now)
        for instant in sorted({instant for instant in session if instant > now}):
            self._agenda.enter(instant, Rank.SESSION, lambda at: self._turn(sec_type, at))

    def _turn(self, sec_type: SecType, instant: Nanos) -> None:
        session = self._sessions[sec_type]
        if instant == session.late:
            self._plan(sec_type, instant)
        self._on_turn(sec_type, instant == session.closes, instant == session.late)
