"""Daily bars that are built from minutes are the regular sessions, as pandas sums them and a source of days has them.

Real bars are read where there are any; made-up ones are there always.
"""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mats.data import aggregate, whole_bars
from mats.instruments import parse_instrument
from mats.model.bar_columns import BarColumns
from mats.model.market_data import Bar
from mats.model.timestamp import DAY, MINUTE, from_datetime
from mats.sessions import DAILY, BarSpans, calendar_of

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MATS_DATA", ROOT.parent / "shared" / "data"))
real = pytest.mark.skipif(not DATA.is_dir(), reason="no real bars here; MATS_DATA names their folder")

VALUES = ["open", "high", "low", "close", "volume"]
NEW_YORK = "America/New_York"


def read(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, parse_dates=["timestamp"]).set_index("timestamp")
    return frame[VALUES].astype(float)


def times(frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(frame.index)


def days_of_minutes(name: str, minutes: pd.DataFrame) -> pd.DataFrame:
    """The daily bars that both ways of building give, by the date of the session; they must agree."""
    starts = times(minutes).as_unit("ns").asi8
    calendar = calendar_of(parse_instrument(name))
    columns = BarColumns(name, 60, starts, *(minutes[value].to_numpy() for value in VALUES))
    built = whole_bars(columns, BarSpans(calendar, DAILY))
    parts = [
        Bar(name, start, 60, *row) for start, row in zip(starts.tolist(), minutes.to_numpy().tolist(), strict=True)
    ]
    one_by_one = [bar for bar in aggregate(parts, DAILY, calendar) if bar.start >= parts[0].start]
    frame = pd.DataFrame({value: getattr(built, value) for value in VALUES})
    assert [[getattr(bar, value) for value in VALUES] for bar in one_by_one] == frame.to_numpy().tolist()
    assert [(bar.start, bar.end) for bar in one_by_one] == list(
        zip(built.start.tolist(), built.end.tolist(), strict=True)
    )
    return frame.set_index(pd.to_datetime(built.start, utc=True).tz_convert(NEW_YORK).date)


def summed(minutes: pd.DataFrame, closes: dict[str, str]) -> pd.DataFrame:
    """The regular sessions of New York by the clock on the wall; `closes` names the half days."""
    local = minutes.tz_convert(NEW_YORK)
    clock = times(local).strftime("%H:%M")
    limits = [closes.get(day, "16:00") for day in times(local).strftime("%Y-%m-%d")]
    regular = local[(clock >= "09:30") & (clock < limits)]
    days = regular.groupby(times(regular).date)
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return pd.DataFrame({value: days[value].agg(rule) for value, rule in rules.items()})


@real
@pytest.mark.parametrize(
    ("folder", "name"),
    [*(("us_2013-10", name) for name in ("SPY", "IBM", "BAC", "AIG")), ("aapl_2014-06", "AAPL")],
)
def test_real_minutes_give_the_days_of_the_regular_sessions(folder: str, name: str) -> None:
    minutes = read(DATA / "bars_1min" / folder / f"{name}.csv.gz")
    days = days_of_minutes(name, minutes)
    pd.testing.assert_frame_equal(days, summed(minutes, {}), check_names=False)
    published = read(DATA / "bars_1day" / f"{name}.csv.gz")
    published = published.set_index(times(published).date).loc[days.index]
    pd.testing.assert_frame_equal(days[["open", "close"]], published[["open", "close"]], check_names=False)
    # A source of days leaves out some prints, and has the trades of the closing auction that come after the bell.
    pd.testing.assert_frame_equal(days[["high", "low"]], published[["high", "low"]], rtol=5e-4, check_names=False)
    pd.testing.assert_series_equal(days["volume"], published["volume"], rtol=0.025, check_names=False)


HALF_DAYS = {"2026-11-27": "13:00", "2026-12-24": "13:00"}


@pytest.mark.parametrize("first", ["2026-03-02", "2026-10-26", "2026-11-23", "2026-12-21"])
def test_two_weeks_with_a_change_of_the_clock_a_holiday_or_a_half_day(first: str) -> None:
    """Minutes day and night: in the winter and the summer hours what is outside of a session is in no day."""
    begin = from_datetime(datetime.fromisoformat(first).replace(tzinfo=UTC))
    starts = np.arange(begin, begin + 14 * DAY, MINUTE)
    walk = 100 + np.cumsum(np.random.default_rng(1).choice((-0.25, 0.0, 0.25), len(starts)))
    values = {"open": walk, "high": walk + 0.5, "low": walk - 0.5, "close": walk + 0.25, "volume": starts // MINUTE % 7}
    minutes = pd.DataFrame(values, index=pd.DatetimeIndex(starts, tz="UTC")).astype(float)
    expected = summed(minutes, HALF_DAYS)
    holidays = [date(2026, 11, 26), date(2026, 12, 25), date(2027, 1, 1)]
    traded = [day for day in expected.index if day.weekday() < 5 and day not in holidays]
    days = days_of_minutes("SPY", minutes)
    pd.testing.assert_frame_equal(days, expected.loc[traded], check_names=False)
    assert len(days) == 10 - sum(day in expected.index for day in holidays)


@pytest.mark.parametrize(
    ("name", "zone", "phases"),
    [
        ("7203.JPY", "Asia/Tokyo", (("09:00", "11:30"), ("12:30", "15:30"))),
        ("700.HKD", "Asia/Hong_Kong", (("09:30", "12:00"), ("13:00", "16:00"))),
    ],
)
def test_no_bar_within_a_day_lies_over_the_break_and_the_day_is_all_of_them(
    name: str, zone: str, phases: tuple[tuple[str, str], ...]
) -> None:
    """Minutes of one day, with some prints in the break that belong to no bar of an hour."""
    begin = from_datetime(datetime(2026, 11, 23, 22, tzinfo=UTC))
    parts = [Bar(name, begin + number * MINUTE, 60, 1.0, 1.0, 1.0, 1.0, 1.0) for number in range(14 * 60)]
    calendar = calendar_of(parse_instrument(name))
    edges = [
        (
            pd.Timestamp(bar.start, tz="UTC").tz_convert(zone),
            pd.Timestamp(bar.end, tz="UTC").tz_convert(zone),
            bar.volume,
        )
        for bar in aggregate(parts, 3_600, calendar)
    ]
    shown = [(f"{start:%H:%M}", f"{end:%H:%M}") for start, end, _ in edges]
    for opens, closes in phases:
        assert (opens, closes) not in shown
        assert opens in [start for start, _ in shown]
        assert closes in [end for _, end in shown]
    assert all(any(opens <= start < end <= closes for opens, closes in phases) for start, end in shown)
    assert all(volume == (end - start).total_seconds() / 60 for start, end, volume in edges)
    (day,) = aggregate([part for part in parts if calendar.is_open(part.start)], DAILY, calendar)
    assert f"{pd.Timestamp(day.start, tz='UTC').tz_convert(zone):%H:%M}" == phases[0][0]
    assert f"{pd.Timestamp(day.end, tz='UTC').tz_convert(zone):%H:%M}" == phases[-1][1]
    assert day.volume == sum(volume for _, _, volume in edges)
