"""Which pages of history are asked for: what is unknown, cut into the spans that one request covers."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec
import numpy as np

from mats.data.download.coverage import Coverage, Span
from mats.model import DAY, SECOND, Nanos, ceil_time, floor_time
from mats.model.bar_columns import Instants
from mats.sessions import Hours, Session
from mats.store.tables import Covered, Known


class Sessions(Protocol):
    """When an exchange is open."""

    def sessions(self, start: Nanos, end: Nanos, hours: Hours = "regular") -> list[Session]:
        """The sessions that are open at any time in `[start, end)`, in order."""


class Page(msgspec.Struct, frozen=True):
    """One request: the bars that start in `[start, end)`. Before it is `closed`, of which nothing needs to be asked."""

    start: Nanos
    end: Nanos
    closed: tuple[Covered, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """The pages in the order of time, and the closed time after the last of them."""

    pages: tuple[Page, ...]
    closed: tuple[Covered, ...]


def plan_pages(missing: Iterable[Span], span: Nanos, seconds: int, sessions: Sessions) -> Plan:
    """Pages of at most `span` over all missing time in which the exchange is open, extended hours included.

    Daily bars and longer ones are asked for over all time: they begin at midnight, not at an open.
    """
    pages, closed = list[Page](), list[Covered]()
    daily = seconds * SECOND >= DAY
    for start, end in missing:
        at = start
        for begin, closes in [(start, end)] if daily else open_spans(sessions, start, end, span):
            opens = max(start, floor_time(begin, seconds))
            if at < opens:
                closed.append(Covered(at, opens, Known.CLOSED))
            at = max(at, opens)
            while at < closes:
                page = Page(at, min(at + span, end), tuple(closed))
                pages.append(page)
                closed.clear()
                at = page.end
        if at < end:
            closed.append(Covered(at, end, Known.CLOSED))
    return Plan(tuple(pages), tuple(closed))


def open_spans(sessions: Sessions, start: Nanos, end: Nanos, span: Nanos) -> Iterator[Span]:
    """When the exchange is open within `[start, end)`. Pauses of less than half a `span` are left out."""
    last: Span | None = None
    for session in sessions.sessions(start, end, "extended"):
        begin, over = max(session.extended_open, start), min(session.extended_close, end)
        if last is not None and begin - last[1] < span // 2:
            last = (last[0], max(last[1], over))
            continue
        if last is not None:
            yield last
        last = (begin, over)
    if last is not None:
        yield last


def gaps(starts: Instants, seconds: int, sessions: Sessions, known: Coverage) -> list[Span]:
    """Where bars are missing between the first and the last one, in regular hours, and nothing is known of why."""
    if not len(starts):
        return []
    first, last, step = int(starts[0]), int(starts[-1]), seconds * SECOND
    found = list[Span]()
    for begins, ends in (span for session in sessions.sessions(first, last) for span in session.stretches("regular")):
        opens, closes = max(begins, first), min(ends, last)
        inside = starts[np.searchsorted(starts, opens - step + 1) : np.searchsorted(starts, closes)]
        edges = np.concatenate(([opens - step], inside, [closes]))
        for hole in np.flatnonzero(np.diff(edges) >= 2 * step).tolist():
            begin, over = floor_time(int(edges[hole]) + step, seconds), ceil_time(int(edges[hole + 1]), seconds)
            found += known.missing(begin, over)
    return [(begin, over) for begin, over in found if begin < over]
