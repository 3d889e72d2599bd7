"""The sessions of one instrument, in the order of time."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import takewhile
from typing import NamedTuple

from mats.model import DAY, Nanos, to_datetime
from mats.sessions.session import Hours, Session

Source = Callable[[date, date], Sequence[Session]]
"""The sessions whose dates are in a range, both ends included, in the order of time."""

LONGEST_BREAK: Nanos = 60 * DAY
"""No exchange is closed for longer: Athens was for five weeks in 2015."""

MARGIN, ROOM = 2 * DAY, 40 * DAY
"""How far a session's date may be from its instants; how much further than what is asked for is loaded at once."""

NEAR = 366 * DAY
"""What is asked for further away than this from what is loaded replaces it: a replay of old bars beside today."""

NOTHING = (2**62, -(2**62))


class Window(NamedTuple):
    """The sessions that were loaded for the instants from `first` to `last`, and when each of them ends."""

    first: Nanos
    last: Nanos
    sessions: Sequence[Session]
    ends: Mapping[Hours, Sequence[Nanos]]


class SessionCalendar:
    """The sessions of one instrument, loaded as far as they are asked for.

    `name` says in a few words where they come from. `known` is False where the exchange's hours are not known: then
    each day of UTC counts as a session, which bars and schedules can live with, but which is not when it trades.
    Two sessions do not overlap, but one may begin where the one before ends.
    """

    def __init__(self, name: str, source: Source, *, known: bool = True) -> None:
        self.name, self.known = name, known
        self._source = source
        self._window = Window(*NOTHING, (), {"regular": (), "extended": ()})

    def session_at(self, time: Nanos, hours: Hours = "regular") -> Session | None:
        """The session that is under way at an instant, also in its breaks; None outside of these hours."""
        session = self._from(time, hours)
        return session if session.begin(hours) <= time else None

    def next_session(self, time: Nanos, hours: Hours = "regular") -> Session:
        """The first session that opens after an instant."""
        session = self._from(time, hours)
        return session if session.begin(hours) > time else self._from(session.end(hours), hours)

    def previous(self, time: Nanos, hours: Hours = "regular") -> Session:
        """The last session that is over at an instant."""
        window = self._load(time - LONGEST_BREAK, time)
        return window.sessions[bisect_right(window.ends[hours], time) - 1]

    def sessions(self, start: Nanos, end: Nanos, hours: Hours = "regular") -> list[Session]:
        """The sessions that are open at any time in `[start, end)`."""
        if start >= end:
            return []
        window = self._load(start, end)
        open_since = window.sessions[bisect_right(window.ends[hours], start) :]
        return list(takewhile(lambda session: session.begin(hours) < end, open_since))

    def is_open(self, time: Nanos, hours: Hours = "regular") -> bool:
        """Whether it trades at an instant."""
        session = self.session_at(time, hours)
        return session is not None and not any(begin <= time < over for begin, over in session.breaks)

    def on(self, day: date) -> Session | None:
        """The session of a date."""
        noon = _instant(day) + DAY // 2
        window = self._load(noon - 2 * DAY, noon + 2 * DAY)
        return next((session for session in window.sessions if session.date == day), None)

    def around(self, start: Nanos, end: Nanos) -> Sequence[Session]:
        """The sessions from before `start` to after `end`: one more at each side at least."""
        return self._load(start - LONGEST_BREAK, end + LONGEST_BREAK).sessions

    def _from(self, time: Nanos, hours: Hours) -> Session:
        """The session under way at an instant, else the next one."""
        window = self._load(time, time + LONGEST_BREAK)
        return window.sessions[bisect_right(window.ends[hours], time)]

    def _load(self, start: Nanos, end: Nanos) -> Window:
        """The sessions from before `start` to after `end`. Threads may share a calendar: the window is replaced whole,
        and at worst loaded twice."""
        window = self._window
        if window.first <= start and end <= window.last:
            return window
        first, last = start - ROOM, end + ROOM
        if first <= window.last + NEAR and window.first - NEAR <= last:
            first, last = min(first, window.first), max(last, window.last)
        sessions = tuple(self._source(_date(first - MARGIN), _date(last + MARGIN)))
        ends: dict[Hours, Sequence[Nanos]] = {
            "regular": tuple(session.end("regular") for session in sessions),
            "extended": tuple(session.end("extended") for session in sessions),
        }
        self._window = window = Window(first, last, sessions, ends)
        return window


def _date(instant: Nanos) -> date:
    return to_datetime(instant).date()


def _instant(day: date) -> Nanos:
    return (day - date(1970, 1, 1)).days * DAY
