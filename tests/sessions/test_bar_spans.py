"""The spans of bars in sessions: whole, side by side, ended by the close."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.instruments import parse_instrument
from mats.model.timestamp import DAY, HOUR, MINUTE, SECOND, Nanos, from_datetime, iso
from mats.sessions import BarSpans, calendar_of, unknown_calendar
from mats.sessions.bar_spans import OUTSIDE

NAMES = ("SPY", "EURUSD", "ES:20261218@CME", "ES:20261218", "SAP.EUR", "7203.JPY", "700.HKD")
HALF_DAY = "2026-11-27T"


def moment(text: str) -> Nanos:
    return from_datetime(datetime.fromisoformat(text + "+00:00"))


def spans(name: str, seconds: int, hours="regular") -> BarSpans:
    return BarSpans(calendar_of(parse_instrument(name)), seconds, hours)


def shown(span: tuple[Nanos, Nanos] | None) -> tuple[str, str] | None:
    return span and (iso(span[0])[5:16], iso(span[1])[5:16])


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    seconds=st.sampled_from((5, 45, 60, 420, 3_600, 5_400, 86_400, 604_800)),
    hours=st.sampled_from(("regular", "extended")),
    instant=st.integers(moment("2010-01-05T00:00"), moment("2026-12-01T00:00")),
)
def test_an_instant_lies_in_one_bar_of_its_session(name, seconds, hours, instant) -> None:
    found = spans(name, seconds, hours)
    span, session = found.at(instant), found.calendar.session_at(instant, hours)
    traded = found.calendar.is_open(instant, hours) if seconds < 86_400 else session is not None
    assert (span is not None) == traded
    if span is None or session is None:
        return
    begin, end = span
    assert begin <= instant < end
    assert found.at(begin) == found.at(end - 1 if seconds < 86_400 else instant) == span
    if seconds < 86_400:
        (stretch,) = [stretch for stretch in session.stretches(hours) if stretch[0] <= instant < stretch[1]]
        assert stretch[0] <= begin < end <= stretch[1]
        assert (begin - stretch[0]) % (seconds * SECOND) == 0
        assert end - begin == seconds * SECOND or end == stretch[1]
    elif seconds == 86_400:
        assert span == (session.begin(hours), session.end(hours))
    elif found.calendar.known:
        assert end - begin < 7 * DAY
    else:
        assert end - begin == 7 * DAY


def test_hours_begin_at_the_open_and_the_last_one_ends_at_the_close() -> None:
    hours = spans("SPY", 3_600)
    assert shown(hours.at(moment("2026-11-24T14:30"))) == ("11-24T14:30", "11-24T15:30")
    assert shown(hours.at(moment("2026-11-24T20:59"))) == ("11-24T20:30", "11-24T21:00")
    assert shown(hours.at(moment(HALF_DAY + "17:45"))) == ("11-27T17:30", "11-27T18:00")
    assert hours.at(moment(HALF_DAY + "18:00")) is None
    assert shown(spans("SPY", 3_600, "extended").at(moment(HALF_DAY + "18:00"))) == ("11-27T18:00", "11-27T19:00")


def test_a_break_cuts_hours_and_a_day_spans_it() -> None:
    hours, days = spans("7203.JPY", 3_600), spans("7203.JPY", 86_400)
    assert shown(hours.at(moment("2026-11-24T02:15"))) == ("11-24T02:00", "11-24T02:30")
    assert hours.at(moment("2026-11-24T02:30")) is hours.at(moment("2026-11-24T03:29")) is None
    assert shown(hours.at(moment("2026-11-24T03:30"))) == ("11-24T03:30", "11-24T04:30")
    assert shown(days.at(moment("2026-11-24T03:00"))) == ("11-24T00:00", "11-24T06:30")
    hour = np.array([moment("2026-11-24T03:00")])  # what lasts until after the break belongs to the trading after it
    assert shown(tuple(int(edge[0]) for edge in hours.stretches(hour, HOUR))) == ("11-24T03:30", "11-24T06:30")


def test_a_week_is_its_sessions() -> None:
    week = spans("SPY", 604_800)
    thanksgiving = ("11-23T14:30", "11-27T18:00")
    assert shown(week.at(moment("2026-11-23T15:00"))) == shown(week.at(moment(HALF_DAY + "17:00"))) == thanksgiving


@pytest.mark.parametrize("start", ["2026-11-27T00:00", "2026-11-27T05:00", "2026-11-27T14:30"])
def test_a_daily_bar_is_the_session_that_closes_in_its_day_whatever_instant_names_it(start: str) -> None:
    begins, ends = spans("SPY", 86_400).of_days(np.array([moment(start)]))
    assert shown((int(begins[0]), int(ends[0]))) == ("11-27T14:30", "11-27T18:00")


@pytest.mark.parametrize("start", ["2026-11-23T15:00", "2026-11-24T00:00"])
def test_a_day_in_tokyo_is_found_by_midnight_there_and_of_utc(start: str) -> None:
    begins, ends = spans("7203.JPY", 86_400).of_days(np.array([moment(start)]))
    assert shown((int(begins[0]), int(ends[0]))) == ("11-24T00:00", "11-24T06:30")


def test_a_day_without_a_session_has_none() -> None:
    assert spans("SPY", 86_400).of_days(np.array([moment("2026-11-26T00:00")]))[0][0] == OUTSIDE


def test_what_lasts_until_after_the_open_belongs_to_the_session_that_opens() -> None:
    start = np.array([moment("2026-11-24T14:00")])
    assert spans("SPY", 3_600).of(start)[0][0] == OUTSIDE
    begins, ends = spans("SPY", 86_400).of(start, part=HOUR)
    assert shown((int(begins[0]), int(ends[0]))) == ("11-24T14:30", "11-24T21:00")
    assert spans("SPY", 86_400).of(start, part=30 * MINUTE)[0][0] == OUTSIDE


def test_days_of_utc_are_cut_as_before() -> None:
    instant = moment("2026-11-28T23:59")
    assert BarSpans(unknown_calendar(), 300).at(instant) == (instant - 4 * MINUTE, instant + MINUTE)


@pytest.mark.parametrize("seconds", [0, 2 * 86_400, 86_401])
def test_sizes_that_no_session_can_be_cut_into_are_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="do not exist; give less than a day, 86400"):
        spans("SPY", seconds)
