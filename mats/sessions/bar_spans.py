"""Which bar of a size an instant belongs to.

Bars begin at a session's open, or after a break, and end at the break or at the close at the latest.
"""

import numpy as np
import numpy.typing as npt

from mats.model import DAY, SECOND, Nanos
from mats.model.bar_columns import Instants
from mats.sessions.calendar import SessionCalendar
from mats.sessions.session import Hours, Session

DAILY, WEEKLY = DAY // SECOND, 7 * DAY // SECOND
OUTSIDE = -1

Mask = npt.NDArray[np.bool_]


def check_size(seconds: int) -> None:
    """Refuse a size of bars that no session can be cut into. Raises ValueError."""
    if seconds < 1 or (seconds > DAILY and seconds != WEEKLY):
        raise ValueError(
            f"bars of {seconds} seconds do not exist; give less than a day, {DAILY} (a session) or {WEEKLY} (a week)"
        )


class BarSpans:
    """The spans of bars of `seconds` of one instrument.

    Shorter than a day: from a session's open on, one after the other; the last one ends at the close, however short. A
    break cuts them in the same way, and they begin anew after it. A day: a session with its breaks. A week: its
    sessions from the first open to the last close.
    """

    def __init__(self, calendar: SessionCalendar, seconds: int, hours: Hours = "regular") -> None:
        check_size(seconds)
        self.calendar, self.seconds, self.hours = calendar, seconds, hours
        self._known = (0, 0)

    def of(self, starts: Instants, part: Nanos = 0) -> tuple[Instants, Instants]:
        """Begin and end of the bar that each instant lies in; `OUTSIDE` where it lies in no session.

        `part` is the length of what starts there: what lasts until after an open belongs to the session that opens.
        """
        if not len(starts):
            return starts, starts
        at, inside = self._find(starts, part)
        anchor, until = self._anchors[at], self._limits[at]
        begins = anchor + np.maximum(starts - anchor, 0) // self._step * self._step
        ends = np.minimum(begins + self._step, until)
        return np.where(inside, begins, OUTSIDE), np.where(inside, ends, OUTSIDE)

    def stretches(self, starts: Instants, part: Nanos) -> tuple[Instants, Instants]:
        """Begin and end of the trading without a break, for a day's bars the session, that each instant lies in."""
        if not len(starts):
            return starts, starts
        at, inside = self._find(starts, part)
        return np.where(inside, self._begins[at], OUTSIDE), np.where(inside, self._ends[at], OUTSIDE)

    def at(self, instant: Nanos) -> tuple[Nanos, Nanos] | None:
        """Begin and end of the bar that an instant lies in; None outside of the sessions."""
        begins, ends = self.of(np.array([instant], dtype=np.int64))
        return None if begins[0] == OUTSIDE else (int(begins[0]), int(ends[0]))

    def of_days(self, starts: Instants) -> tuple[Instants, Instants]:
        """Of daily bars, open and close of the session that closes within the day after each instant, else `OUTSIDE`.

        So a daily bar finds its session, whether its source names it by midnight of UTC, by midnight at the exchange
        or by its open.
        """
        if not len(starts):
            return starts, starts
        self._know(int(starts.min()), int(starts.max()) + DAY)
        at = np.searchsorted(self._ends, starts, side="right")
        opens, closes = self._begins[at], self._ends[at]
        inside = closes <= starts + DAY
        return np.where(inside, opens, OUTSIDE), np.where(inside, closes, OUTSIDE)

    def _find(self, starts: Instants, part: Nanos) -> tuple[Instants, Mask]:
        """The stretch of trading that is under way at each instant, else the next one; and whether it is under way."""
        self._know(int(starts.min()), int(starts.max()) + part)
        at = np.searchsorted(self._ends, starts, side="right")
        opens = self._begins[at]
        return at, starts + part > opens if part else starts >= opens

    def _know(self, start: Nanos, end: Nanos) -> None:
        """Have the sessions around a range as columns; shorter bars lie in what is traded without a break."""
        if self._known[0] <= start and end < self._known[1]:
            return
        sessions = self.calendar.around(start, end)
        whole = self.seconds >= DAILY
        spans = [
            span
            for session in sessions
            for span in (
                [(session.begin(self.hours), session.end(self.hours))] if whole else session.stretches(self.hours)
            )
        ]
        self._begins, self._ends = np.array(spans, dtype=np.int64).T
        self._step = self.seconds * SECOND if self.seconds < DAILY else np.iinfo(np.int64).max // 2
        self._anchors, self._limits = self._begins, self._ends
        if self.seconds == WEEKLY:
            weeks = np.array([_week(session) for session in sessions], dtype=np.int64)
            first = np.searchsorted(weeks, weeks, side="left")
            last = np.searchsorted(weeks, weeks, side="right") - 1
            self._anchors, self._limits = self._begins[first], self._ends[last]
        self._known = start - DAY, end + DAY


def _week(session: Session) -> int:
    """The number of the week of a session's date; weeks begin on Monday."""
    return (session.date.toordinal() - 1) // 7
