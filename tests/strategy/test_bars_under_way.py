"""What a strategy asks for so that a bar under way at its start is whole, and what it makes of that."""

from datetime import UTC, datetime

import pytest

from mats.model.market_data import Bar
from mats.model.timestamp import DAY, HOUR, MINUTE, SECOND, Nanos, from_datetime
from mats.sessions import Hours
from mats.strategy.hosting.strategy_bars import StrategyBars

DAILY, WEEKLY = 86_400, 604_800
OPEN = from_datetime(datetime(2026, 11, 24, 14, 30, tzinfo=UTC))
"""New York on a Tuesday; its sessions have six hours and a half, and sixteen with the extended ones."""
SESSION, CLOSE = 390 * MINUTE, OPEN + 390 * MINUTE
FINE = {5: 24}


def bars(seconds: int, larger: tuple[int, ...] = (), hours: Hours = "regular") -> StrategyBars:
    return StrategyBars(("SPY",), seconds, larger, hours, 100)


@pytest.mark.parametrize(
    ("seconds", "now", "parts"),
    [
        (300, OPEN + 7 * MINUTE + SECOND, {5: 26}),
        (300, CLOSE + HOUR, {}),
        (3_600, OPEN + 90 * MINUTE, {5: 362}),
        (7_200, OPEN + 90 * MINUTE, {60: 92, **FINE}),
        (DAILY, OPEN - MINUTE, {60: 392, **FINE}),
        (DAILY, OPEN, {}),
        (DAILY, CLOSE + 3 * HOUR, {60: 392, **FINE}),
        (DAILY, CLOSE + 4 * DAY, {}),
        (WEEKLY, OPEN - MINUTE, {60: 392, **FINE}),
        (WEEKLY, OPEN + 90 * MINUTE, {60: 482, **FINE}),
        (WEEKLY, CLOSE + 3 * HOUR, {60: 782, **FINE}),
    ],
)
def test_parts_are_asked_for_as_long_as_was_traded_since_the_begin(
    seconds: int, now: Nanos, parts: dict[int, int]
) -> None:
    assert bars(seconds).needs("SPY", {seconds: 3}, now) == {seconds: 3, **parts}


def test_extended_hours_are_part_of_a_day_that_has_them() -> None:
    assert bars(DAILY, hours="extended").needs("SPY", {DAILY: 3}, CLOSE + HOUR)[60] == 330 + 390 + 60 + 2


def test_the_longest_of_several_sizes_decides() -> None:
    assert bars(300, (DAILY,)).needs("SPY", {300: 3, DAILY: 2}, CLOSE + HOUR) == {300: 3, DAILY: 2, 60: 392, **FINE}


def test_minutes_of_the_strategy_make_up_its_day_and_no_hours_of_short_bars_are_asked_for() -> None:
    now = OPEN + 90 * MINUTE
    assert bars(60, (DAILY,)).needs("SPY", {60: 30, DAILY: 2}, now) == {60: 92, DAILY: 2, **FINE}
    assert bars(60, (DAILY,)).needs("SPY", {60: 500, DAILY: 2}, now) == {60: 500, DAILY: 2, **FINE}


def test_a_day_under_way_is_made_of_the_minutes_of_the_strategy() -> None:
    both = bars(60, (DAILY,))
    now = OPEN + 90 * MINUTE
    both.load("s", {"SPY": minutes(OPEN - 18 * HOUR, OPEN - 17 * HOUR) + minutes(OPEN, now)}, now)
    for minute in minutes(now, CLOSE):
        both.take(minute)
        for close in both.closes(minute.end):
            both.show(close.bars[0])
    assert [(bar.start, bar.end, bar.volume) for bar in both.larger[DAILY]["SPY"].newest(None)] == [(OPEN, CLOSE, 390)]


def minutes(since: Nanos, until: Nanos) -> list[Bar]:
    return [Bar("SPY", start, 60, 2.0, 3.0, 1.0, 2.0, 1.0) for start in range(since, until, MINUTE)]


@pytest.mark.parametrize("known", [False, True])
def test_a_day_that_has_just_closed_is_built_unless_the_source_has_its_bar(known: bool) -> None:
    midnight, days = OPEN // DAY * DAY, (1, 0) if known else (1,)
    whole = [Bar("SPY", midnight - ago * DAY, DAILY, 5.0, 5.0, 5.0, 5.0, 9.0) for ago in days]
    daily = bars(DAILY)
    daily.load(
        "s", {"SPY": [*whole, *minutes(OPEN - 18 * HOUR, OPEN - 17 * HOUR), *minutes(OPEN, CLOSE)]}, CLOSE + HOUR
    )
    assert [(bar.start, bar.end, bar.volume) for bar in daily.windows["SPY"].newest(None)] == [
        (OPEN - DAY, CLOSE - DAY, 9.0),
        (OPEN, CLOSE, 9.0 if known else 390.0),
    ]
