"""Timers: when they are due, on the days when the clocks change too."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.model.timestamp import DAY, SECOND, from_datetime, to_datetime
from mats.strategy import StrategyError
from mats.strategy.schedule import Timers, daily, every, parse_days

EVERY_DAY = "mon-sun"


def utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def iso(instant: int) -> str:
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("at", "zone", "after", "due"),
    [
        ("15:55", "America/New_York", "2024-03-08 12:00", "2024-03-08 20:55"),  # EST, a Friday
        ("15:55", "America/New_York", "2024-03-08 20:55", "2024-03-09 20:55"),  # strictly after
        ("15:55", "America/New_York", "2024-03-09 21:00", "2024-03-10 19:55"),  # EDT from that Sunday on
        ("02:30", "America/New_York", "2024-03-10 05:00", "2024-03-10 07:30"),  # skipped: 03:30 EDT
        ("01:30", "America/New_York", "2024-11-03 04:00", "2024-11-03 05:30"),  # twice: the first time
        ("01:30", "America/New_York", "2024-11-03 05:30", "2024-11-04 06:30"),  # and not the second
        ("00:15", "Asia/Tokyo", "2024-06-01 15:00", "2024-06-01 15:15"),  # already tomorrow there
        ("23:59:59", "Pacific/Auckland", "2024-04-06 11:00", "2024-04-07 11:59"),
    ],
)
def test_a_local_time_is_due_at_the_right_instant(at, zone, after, due):
    assert iso(daily(at, zone, EVERY_DAY).next_after(utc(after))) == due


def test_days_that_are_not_named_are_passed_over():
    rule = daily("09:30", "America/New_York", "mon-fri")
    assert iso(rule.next_after(utc("2024-03-08 20:00"))) == "2024-03-11 13:30"


@pytest.mark.parametrize(
    ("text", "days"),
    [("mon-fri", {0, 1, 2, 3, 4}), ("wed", {2}), ("mon, wed,FRI", {0, 2, 4}), ("sat-mon", {5, 6, 0})],
)
def test_days_read_as_people_write_them(text, days):
    assert parse_days(text) == days


@settings(max_examples=200)
@given(
    st.integers(utc("2020-01-01"), utc("2026-01-01")),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
    st.times().map(lambda t: t.strftime("%H:%M:%S")),
)
def test_a_daily_timer_is_due_once_a_local_day(instant, zone, at):
    rule = daily(at, zone, EVERY_DAY)
    first = rule.next_after(instant)
    second = rule.next_after(first)
    assert instant < first <= instant + DAY + 7200 * SECOND
    days = [to_datetime(due).astimezone(ZoneInfo(zone)).date() for due in (first, second)]
    assert (days[1] - days[0]).days == 1


@settings(max_examples=100)
@given(st.integers(0, 2**61), st.integers(1, 100_000))
def test_a_beat_is_due_at_the_next_multiple(instant, seconds):
    due = every(seconds=seconds).next_after(instant)
    assert due % (seconds * SECOND) == 0
    assert 0 < due - instant <= seconds * SECOND


def test_the_earliest_timer_comes_first_and_a_removed_one_never():
    timers = Timers()
    for name, seconds in (("slow", 50), ("fast", 20), ("gone", 10)):
        timers.add(name, every(seconds=seconds))
    timers.remove("gone")
    timers.anchor(0)
    assert timers.take_due(19 * SECOND) is None
    assert timers.take_due(50 * SECOND) == (20 * SECOND, "fast")
    assert timers.take_due(50 * SECOND) == (50 * SECOND, "slow")
    assert timers.take_due(50 * SECOND) is None


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: daily("25:00", "UTC", "mon"), "'25:00' is not a time of day"),
        (lambda: daily("9:30", "UTC", "mon"), "write HH:MM"),
        (lambda: daily("09:30", "Mars/Olympus", "mon"), "time zone 'Mars/Olympus' is not known"),
        (lambda: daily("09:30", "UTC", "mon-foo"), "cannot be read at 'mon-foo'"),
        (lambda: every(), "invalid timer interval 0 seconds"),
        (lambda: every(minutes=-1), "invalid timer interval -60 seconds"),
    ],
)
def test_a_timer_that_cannot_be_is_refused(make, sentence):
    with pytest.raises(StrategyError, match=sentence):
        make()
