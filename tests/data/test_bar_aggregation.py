"""Bar building: the whole is exactly its parts, whatever is missing, late or repeated."""

import math
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.data.bar_aggregation import BarBuilder, aggregate, ceil_time, floor_time, merge, to_frame
from mats.data.session_bars import fitting_calendar, in_sessions, whole_bars
from mats.instruments import parse_instrument
from mats.model.bar_columns import BarColumns
from mats.model.market_data import Bar
from mats.model.timestamp import DAY, MINUTE, SECOND, Nanos, from_datetime, iso
from mats.sessions import BarSpans, calendar_of, unknown_calendar

START = 1_700_000_100 * SECOND  # a multiple of 60 s


def builder_of(seconds: int, not_before: Nanos = 0) -> BarBuilder:
    """Bars of SPY around the clock."""
    return BarBuilder("SPY", BarSpans(unknown_calendar(), seconds), not_before)


prices = st.floats(1, 1000, allow_nan=False)


@st.composite
def parts_of_some_minutes(draw) -> list[Bar]:
    slots = draw(st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True).map(sorted))
    parts = []
    for slot in slots:
        opening, closing, one, other = (draw(prices) for _ in range(4))
        high, low = max(opening, closing, one, other), min(opening, closing, one, other)
        volume, start = draw(st.integers(0, 10_000)), START + slot * 5 * SECOND
        parts.append(Bar("SPY", start, 5, opening, high, low, closing, volume, (high + low) / 2, slot))
    return parts


@settings(max_examples=150)
@given(parts_of_some_minutes(), st.sampled_from([5, 15, 60, 300]))
def test_each_bar_is_exactly_its_parts(parts, seconds):
    bars = aggregate(parts, seconds)
    assert [bar.start for bar in bars] == sorted(
        {part.start // (seconds * SECOND) * seconds * SECOND for part in parts}
    )
    for bar in bars:
        own = [part for part in parts if bar.start <= part.start < bar.end]
        assert (bar.open, bar.close) == (own[0].open, own[-1].close)
        assert (bar.high, bar.low) == (max(p.high for p in own), min(p.low for p in own))
        assert (bar.volume, bar.count) == (sum(p.volume for p in own), sum(p.count for p in own))
        assert bar.seconds == seconds


@settings(max_examples=100)
@given(parts_of_some_minutes())
def test_two_steps_give_the_same_bars_as_one(parts):
    direct, stepwise = aggregate(parts, 300), aggregate(aggregate(parts, 60), 300)
    exact = [(b.start, b.open, b.high, b.low, b.close, b.volume, b.count) for b in direct]
    assert exact == [(b.start, b.open, b.high, b.low, b.close, b.volume, b.count) for b in stepwise]
    assert all(math.isclose(a.wap, b.wap, rel_tol=1e-12) for a, b in zip(direct, stepwise, strict=True))


@settings(max_examples=100)
@given(parts_of_some_minutes(), st.randoms(use_true_random=False))
def test_repeated_parts_change_nothing(parts, random):
    once, again = builder_of(60), builder_of(60)
    plain = [bar for part in parts for bar in once.add(part)]
    repeated, repeats = [], 0
    for index, part in enumerate(parts):
        repeated += again.add(part)
        for old in random.sample(parts[: index + 1], random.randint(0, min(2, index + 1))):
            assert again.add(old) == ()
            repeats += 1
    assert repeated == plain
    assert again.ignored == repeats


def part(at: int, seconds: int = 5, instrument: str = "SPY") -> Bar:
    return Bar(instrument, START + at * SECOND, seconds, 1.0, 2.0, 0.5, 1.5, 10.0)


def test_a_bar_is_complete_with_the_part_that_reaches_its_end():
    builder = builder_of(15)
    assert builder.add(part(0)) == ()
    assert builder.add(part(5)) == ()
    (bar,) = builder.add(part(10))
    assert (bar.start, bar.end, bar.volume) == (START, START + 15 * SECOND, 30.0)


def test_one_part_can_complete_two_bars():
    builder = builder_of(60)
    builder.add(part(0))
    assert [bar.start - START for bar in builder.add(part(115))] == [0, MINUTE]


def test_closing_by_time_needs_the_end_and_lets_no_late_part_in():
    builder = builder_of(60)
    builder.add(part(0))
    assert builder.close_until(START + MINUTE - 1) == ()
    assert len(builder.close_until(START + MINUTE)) == 1
    assert builder.close_until(START + MINUTE) == ()
    assert builder.add(part(55)) == ()
    assert builder.ignored == 1


def test_parts_before_the_beginning_are_ignored():
    builder = builder_of(60, not_before=START + MINUTE)
    assert builder.add(part(55)) == ()
    assert builder.ignored == 1
    assert builder.close_until(START + 10 * MINUTE) == ()


def test_a_bar_that_is_one_part_is_that_part():
    whole = Bar("SPY", START, 60, 1.0, 3.0, 0.1, 0.3, 7.0, 0.7, 3)
    assert merge([whole], START, START + MINUTE) is whole


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (part(0, 60), "bars of 15 s cannot be built from the 60-second bar at 2023-11-14T22:15:00Z"),
        (part(2), "cannot be built from the 5-second bar"),
        (part(0, instrument="IBM"), "a part of IBM was given to the bar builder of SPY"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        builder_of(15).add(wrong)


def test_a_span_of_nothing_is_refused():
    with pytest.raises(ValueError, match="bars of 0 seconds"):
        builder_of(0)


def test_times_round_down_and_up_to_the_grid():
    assert floor_time(START + 59 * SECOND, 60) == START
    assert ceil_time(START + 1, 60) == START + MINUTE
    assert ceil_time(START, 60) == START


def test_a_frame_has_the_bars_and_their_starts_in_utc():
    frame = to_frame([part(0), part(5)])
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert [stamp.value for stamp in frame.index] == [START, START + 5 * SECOND]
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame["close"].tolist() == [1.5, 1.5]
    assert str(to_frame([]).index.dtype) == "datetime64[ns, UTC]"
    assert aggregate([], 60) == []


CALENDARS = {
    name: calendar_of(parse_instrument(name)) for name in ("SPY", "7203.JPY", "700.HKD", "EURUSD", "ES:20261218@CME")
}
SPY = CALENDARS["SPY"]
SOME_DAYS = from_datetime(datetime(2026, 11, 23, 12, tzinfo=UTC))


@st.composite
def minutes_around_thanksgiving(draw) -> list[Bar]:
    """Minutes of two weeks with a holiday, a half day and extended hours; some are missing."""
    slots = draw(st.lists(st.integers(0, 12 * 1440), min_size=1, max_size=80, unique=True).map(sorted))
    run = draw(st.integers(0, 12 * 1440))
    slots = sorted({*slots, *range(run, run + draw(st.integers(0, 400)))})
    closes = draw(st.lists(prices, min_size=1, max_size=7))
    bars = []
    for number, slot in enumerate(slots):
        close = closes[number % len(closes)]
        bars.append(Bar("SPY", SOME_DAYS + slot * MINUTE, 60, close + 1, close + 3, close - 2, close, number / 8))
    return bars


def columns(bars: list[Bar]) -> BarColumns:
    values = ([getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume"))
    return BarColumns("SPY", 60, np.array([b.start for b in bars], dtype=np.int64), *map(np.array, values))


def rows(bars: BarColumns) -> list[Bar]:
    seconds = ((bars.end - bars.start) // SECOND).tolist()
    lists = (column.tolist() for column in (bars.open, bars.high, bars.low, bars.close, bars.volume))
    return list(map(Bar, ["SPY"] * len(bars), bars.start.tolist(), seconds, *lists))


@settings(max_examples=100, deadline=None)
@given(
    minutes_around_thanksgiving(),
    st.sampled_from([60, 300, 420, 3_600, 86_400, 604_800]),
    st.sampled_from(["regular", "extended"]),
    st.sampled_from(sorted(CALENDARS)),
)
def test_bars_of_columns_are_those_of_parts_but_for_a_first_one_without_its_beginning(bars, seconds, hours, name):
    calendar = CALENDARS[name]
    whole = aggregate(bars, seconds, calendar, hours)
    spans = BarSpans(calendar, seconds, hours)
    traded = calendar.is_open if seconds < 86_400 else calendar.session_at
    assert rows(whole_bars(columns(bars), spans)) == [bar for bar in whole if bar.start >= bars[0].start]
    for bar in whole:
        own = [part for part in bars if bar.start <= part.start < bar.end and traded(part.start, hours)]
        assert (bar.open, bar.close) == (own[0].open, own[-1].close)
        assert (bar.high, bar.low) == (max(p.high for p in own), min(p.low for p in own))
        assert bar.volume == sum(p.volume for p in own)
        assert spans.at(bar.start) == (bar.start, bar.end)


def test_parts_outside_of_the_session_are_left_out_and_the_last_bar_ends_at_the_close():
    open_, close = SPY.on(date(2026, 11, 27)).open, SPY.on(date(2026, 11, 27)).close
    builder = BarBuilder("SPY", BarSpans(SPY, 3_600))
    assert builder.add(Bar("SPY", open_ - MINUTE, 60, 9.0, 9.0, 9.0, 9.0, 9.0)) == ()
    found = [bar for at in range(open_, close + MINUTE, MINUTE) for bar in builder.add(Bar("SPY", at, 60, *[1.0] * 5))]
    assert [(bar.start - open_) // MINUTE for bar in found] == [0, 60, 120, 180]
    assert (found[-1].seconds, found[-1].end, found[-1].volume) == (1_800, close, 30.0)


def test_daily_bars_of_a_file_are_the_sessions_and_end_at_the_close():
    days = [SOME_DAYS // DAY * DAY + day * DAY for day in range(6)]
    daily = BarColumns("SPY", 86_400, np.array(days), *(np.full(6, 1.0) for _ in range(5)))
    found = in_sessions(daily, SPY, "regular")
    assert [iso(end)[5:16] for end in found.end.tolist()] == [
        "11-23T21:00",
        "11-24T21:00",
        "11-25T21:00",
        "11-27T18:00",
    ]
    assert [iso(start)[11:16] for start in found.start.tolist()] == ["14:30"] * 4
    assert found.fingerprint() != daily.fingerprint()


def test_bars_around_the_clock_are_not_those_of_an_exchange():
    starts = SOME_DAYS + np.arange(7 * 24, dtype=np.int64) * 3_600 * SECOND
    hours = BarColumns("SPY", 3_600, starts, *(np.full(len(starts), 1.0) for _ in range(5)))
    spy = parse_instrument("SPY")
    assert not fitting_calendar(spy, hours).known
    assert fitting_calendar(spy, in_sessions(hours, SPY, "extended")) is SPY
