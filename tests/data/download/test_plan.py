"""What is known of the past, and which pages are asked for: nothing twice, nothing left out."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.data.download import Coverage, gaps, plan_pages
from mats.model import DAY, HOUR, MINUTE, SECOND, from_datetime
from mats.sessions import exchange_calendar, unknown_calendar
from mats.store.tables import Covered, Known

NYSE = exchange_calendar("XNYS")
MONDAY = from_datetime(datetime(2026, 11, 23, tzinfo=UTC))
"""Thursday is a holiday, Friday a half day."""

ranges = st.builds(
    lambda start, length, known: Covered(start, start + length, known),
    st.integers(0, 60),
    st.integers(1, 20),
    st.sampled_from(Known),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(ranges, max_size=4), max_size=6), st.integers(0, 40), st.integers(1, 60))
def test_what_is_known_is_what_was_said_last_and_all_else_is_missing(
    said: list[list[Covered]], start: int, length: int
) -> None:
    coverage, oracle = Coverage(), dict[int, Known]()
    for part in said:
        coverage = coverage.with_all(part)
        overwritten = {at for item in part for at in range(item.start, item.end)}
        oracle = {at: known for at, known in oracle.items() if at not in overwritten}
        for item in sorted(part, reverse=True):
            oracle |= dict.fromkeys(range(item.start, item.end), item.known)
    known = {at: item.known for item in coverage.ranges for at in range(item.start, item.end)}
    assert known.keys() == oracle.keys()
    edges = [(item.start, item.end) for item in coverage.ranges]
    assert all(before[1] <= after[0] for before, after in pairwise(edges))
    for before, after in pairwise(coverage.ranges):
        assert before.end < after.start or before.known is not after.known, "neighbors of one kind are one"
    missing = {at for begin, end in coverage.missing(start, start + length) for at in range(begin, end)}
    assert missing == set(range(start, start + length)) - oracle.keys()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20 * 24 * 60), st.integers(1, 5 * 24 * 60)), max_size=4),
    st.sampled_from([(60, DAY), (30, 8 * HOUR), (5, HOUR), (3600, 30 * DAY), (86_400, 365 * DAY)]),
)
def test_pages_and_closed_hours_are_all_that_is_missing_and_every_session_is_in_a_page(
    holes: list[tuple[int, int]], size: tuple[int, int]
) -> None:
    seconds, span = size
    step = max(seconds * SECOND, MINUTE)
    spans = [((MONDAY + begin * MINUTE) // step * step, length * step) for begin, length in holes]
    unknown = Coverage().with_all(Covered(begin, begin + length, Known.BARS) for begin, length in spans)
    missing = [(item.start, item.end) for item in unknown.ranges]
    plan = plan_pages(missing, span, seconds, NYSE)
    parts = [(page.start, page.end) for page in plan.pages]
    parts += [(item.start, item.end) for page in plan.pages for item in page.closed]
    parts += [(item.start, item.end) for item in plan.closed]
    covered = Coverage().with_all(Covered(begin, end, Known.BARS) for begin, end in parts)
    assert covered == unknown
    assert sum(end - begin for begin, end in parts) == sum(end - begin for begin, end in missing), "nothing twice"
    assert all(0 < page.end - page.start <= span for page in plan.pages)
    for closed in (item for page in plan.pages for item in page.closed):
        assert NYSE.sessions(closed.start, closed.end, "extended") == []


def test_a_page_a_session_for_minutes() -> None:
    week = [(MONDAY, MONDAY + 7 * DAY)]
    assert len(plan_pages(week, DAY, 60, NYSE).pages) == 4
    assert len(plan_pages(week, DAY, 60, unknown_calendar()).pages) == 7
    assert len(plan_pages(week, 365 * DAY, 86_400, NYSE).pages) == 1


def test_gaps_are_missing_bars_of_regular_hours_of_which_nothing_is_known() -> None:
    session = NYSE.sessions(MONDAY, MONDAY + DAY)[0]
    whole = np.arange(session.open, session.close, MINUTE)
    assert gaps(whole, 60, NYSE, Coverage()) == []
    torn = np.delete(whole, slice(10, 20))
    hole = (session.open + 10 * MINUTE, session.open + 20 * MINUTE)
    assert gaps(torn, 60, NYSE, Coverage()) == [hole]
    assert gaps(torn, 60, NYSE, Coverage((Covered(*hole, Known.EMPTY),))) == []
    later = NYSE.sessions(MONDAY + 2 * DAY, MONDAY + 3 * DAY)[0]
    two = np.concatenate([whole, np.arange(later.open, later.close, MINUTE)])
    between = NYSE.sessions(MONDAY + DAY, MONDAY + 2 * DAY)[0]
    assert gaps(two, 60, NYSE, Coverage()) == [(between.open, between.close)]
    assert gaps(np.zeros(0, dtype=np.int64), 60, NYSE, Coverage()) == []
