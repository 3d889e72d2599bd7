"""Instants are integers: they round-trip, and a zone is never guessed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mats.model.timestamp import DAY, HOUR, MINUTE, SECOND, from_datetime, iso, to_datetime


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_datetime_comes_back_to_the_microsecond(moment):
    assert to_datetime(from_datetime(moment)) == moment


@given(st.integers(-(10**18), 4 * 10**18))
def test_an_instant_is_cut_to_microseconds_downwards_also_before_the_epoch(instant):
    assert 0 <= instant - from_datetime(to_datetime(instant)) < 1_000


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_the_same_moment_in_any_zone_is_the_same_instant(naive, minutes):
    here = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert from_datetime(here) == from_datetime(here.astimezone(UTC))


def test_a_naive_datetime_is_refused_with_the_fix():
    with pytest.raises(ValueError, match="2024-01-02T03:04:00 has no time zone; give one, for example tzinfo=UTC"):
        from_datetime(datetime(2024, 1, 2, 3, 4))  # noqa: DTZ001


def test_people_read_milliseconds_and_a_z():
    assert iso(DAY + HOUR + 2 * MINUTE + 3 * SECOND + 4_567_890) == "1970-01-02T01:02:03.004Z"
