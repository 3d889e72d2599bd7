"""The index of every table is UTC, nanoseconds, sorted and unique, whatever comes in."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.model.timestamp import SECOND
from mats.store.tables.time_index import check_time, free_slot, next_slot, normalize_index, second_of, time_index

TIMES = st.lists(st.integers(0, 5 * SECOND) | st.sampled_from([0, SECOND - 1, SECOND]), max_size=30)


def frame(times, zone="UTC"):
    index = pd.DatetimeIndex(pd.to_datetime(times, unit="ns", utc=True)).tz_convert(zone)
    return pd.DataFrame({"number": range(len(times)), "true_time": times}, index=index)


@settings(max_examples=200)
@given(TIMES, st.sampled_from(["UTC", "America/New_York", "Asia/Tokyo"]))
def test_a_normalized_index_is_unique_utc_and_keeps_every_row_in_time_order(times, zone):
    result = normalize_index(frame(times, zone))
    placed = result.index.asi8.tolist()
    assert str(result.index.dtype) == "datetime64[ns, UTC]"
    assert result.index.name == "timestamp"
    assert placed == sorted(set(placed))
    assert result["number"].tolist() == sorted(range(len(times)), key=lambda n: times[n]), "ties keep their order"
    assert all(0 <= at - true < len(times) for at, true in zip(placed, result["true_time"], strict=True))
    pd.testing.assert_frame_equal(normalize_index(result), result)


def test_microsecond_indices_become_nanoseconds():
    index = pd.DatetimeIndex(["2024-01-02T00:00:00"], tz="UTC").as_unit("us")
    assert str(normalize_index(pd.DataFrame({"a": [1]}, index=index)).index.dtype) == "datetime64[ns, UTC]"


@pytest.mark.parametrize("index", [pd.RangeIndex(1), pd.DatetimeIndex(["2024-01-02"])])
def test_an_index_without_a_zone_is_refused(index):
    with pytest.raises(ValueError, match="has no time zone"):
        normalize_index(pd.DataFrame({"a": [1]}, index=index))


def test_a_missing_time_is_refused():
    with pytest.raises(ValueError, match="missing time"):
        normalize_index(pd.DataFrame({"a": [1]}, index=pd.DatetimeIndex([pd.NaT], tz="UTC")))


def test_a_tie_goes_just_behind_the_last_row_of_its_second():
    assert next_slot(7 * SECOND, None) == 7 * SECOND
    assert next_slot(7 * SECOND, 6 * SECOND) == 7 * SECOND
    assert next_slot(7 * SECOND, 7 * SECOND + 4) == 7 * SECOND + 5
    assert next_slot(7 * SECOND, 8 * SECOND) is None, "a late row belongs before the last"
    assert next_slot(7 * SECOND, 8 * SECOND - 1) is None, "the second is full to its end"


@settings(max_examples=200)
@given(st.integers(0, 20), st.sets(st.integers(0, 25)))
def test_a_late_row_finds_a_free_place_in_its_own_second(offset, taken):
    slot = free_slot(SECOND + offset, {SECOND + t for t in taken})
    assert second_of(slot) == SECOND
    assert slot - SECOND not in taken
    assert slot >= SECOND + offset


def test_a_row_of_the_last_nanosecond_moves_back_when_it_must():
    last = 2 * SECOND - 1
    assert free_slot(last, {last, last - 1}) == last - 2


@pytest.mark.parametrize("time", [-1, 2**63])
def test_a_time_that_the_index_cannot_hold_is_refused(time):
    with pytest.raises(ValueError, match="outside 1970 to 2262"):
        check_time(time)


def test_the_stored_index_is_aware():
    assert str(time_index([]).dtype) == str(time_index([5]).dtype) == "datetime64[ns, UTC]"
