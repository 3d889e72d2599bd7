"""Bars that were missed: what is loaded for them makes bars as if there had been no hole."""

from datetime import UTC, datetime
from functools import cache

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.base import MissedBars
from actors.messages.broker import HistoryLoaded
from actors.messages.market_data import BarArrived, BarsInterrupted
from mats.data import aggregate
from mats.instruments import parse_instrument
from mats.model.market_data import Bar
from mats.model.timestamp import MINUTE, SECOND, Nanos, from_datetime
from mats.sessions import DAILY, calendar_of
from mats.strategy import Strategy
from mats.strategy.hosting.bar_holes import LATEST, BarHole
from mats.strategy.hosting.runner import StrategyRunner
from tests.strategy.conftest import RecordingHost

OPEN = from_datetime(datetime(2026, 11, 27, 14, 30, tzinfo=UTC))
BREAK, CLOSE = (OPEN + 40 * MINUTE, OPEN + 45 * MINUTE), OPEN + 80 * MINUTE
HOURS = "20261127:0930-1010,1015-1050"
SHARE = replace(parse_instrument("SPY"), liquid_hours=HOURS, trading_hours=HOURS, time_zone="US/Eastern")
"""A share with a short session and a break in it."""
BEGIN, END = OPEN - 2 * MINUTE, CLOSE + 3 * MINUTE
PART = 5 * SECOND
PRICES = [100.0 + number * 37 % 91 / 8 for number in range((END - BEGIN) // PART)]
PARTS = [
    Bar("SPY", start, 5, price, price + 1, price - 1, price, start // PART % 5)
    for start, price in zip(range(BEGIN, END, PART), PRICES, strict=True)
    if not BREAK[0] <= start < BREAK[1]
]
CALENDAR = calendar_of(SHARE)


class Diary(Strategy):
    """Writes down its bars."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 60
        history_length: int = 3_000

    def larger_bars(self) -> dict[int, int]:
        return {size: 0 for size in (1_800, DAILY) if size > self.bar_seconds}

    def on_start(self) -> None:
        self.told: list[Bar] = []

    def on_bar(self, bar: Bar) -> None:
        self.told.append(bar)


class Live:
    """A strategy on five-second bars, some of which do not come; history is there for all of them."""

    def __init__(self, seconds: int) -> None:
        self.host = RecordingHost()
        self.host.time = BEGIN
        self.runner = StrategyRunner(Diary, "diary", {"bar_seconds": seconds}, self.host)
        self.runner.know("SPY", SHARE)
        self.runner.start({})
        self.missed = MissedBars(self.runner, self.request, self.remind, structlog.get_logger())
        self.requested: dict[int, int] = {}
        self.ready: Nanos = 0
        self.holes: list[BarHole] = []

    def request(self, _: str, size: int, count: int) -> None:
        self.requested[size] = count

    def remind(self, hole: BarHole) -> None:
        self.holes.append(hole)

    @property
    def told(self) -> list[Bar]:
        strategy = self.runner.strategy
        assert isinstance(strategy, Diary)
        return strategy.told

    def windows(self) -> dict[int, list[Bar]]:
        strategy = self.runner.strategy
        larger = {size: strategy.history("SPY", seconds=size) for size in self.runner.larger}
        return {self.runner.bar_seconds: strategy.history("SPY"), **larger}

    def load(self, size: int, count: int, now: Nanos) -> list[Bar]:
        """The newest bars that are over, as a broker has them."""
        known = [part for part in PARTS if part.end <= now]
        return [bar for bar in aggregate(known, size, CALENDAR) if bar.end <= now][-count:]

    def part(self, part: Bar) -> None:
        self.host.time = part.end
        self.missed.receive("SPY", BarArrived(part))
        if part.end >= self.ready:
            self.fill()

    def fill(self) -> None:
        """All that is missing was loaded; what waited may lack something again."""
        while self.requested:
            requested, self.requested = self.requested, {}
            for size, count in requested.items():
                bars = tuple(self.load(size, count, self.host.time))
                self.missed.take(HistoryLoaded("SPY", bars, complete=True, bar_seconds=size, count=count))
        assert "SPY" not in self.missed

    def play(self, gaps: list[tuple[int, int]], wait: Nanos) -> None:
        """`gaps`: the first part that does not come, and how many; the load takes as long as `wait`."""
        missing = {number for first, length in gaps for number in range(first, first + length)}
        for number, part in enumerate(PARTS):
            if number not in missing:
                self.part(part)
                continue
            self.host.time = part.end
            if number - 1 not in missing:
                self.missed.receive("SPY", BarsInterrupted("SPY"))
            self.ready = part.end + wait
            self.runner.clock(part.end)
        self.fill()


gaps = st.lists(
    st.tuples(st.integers(1, len(PARTS) - 1), st.one_of(st.integers(3, 40), st.integers(41, 900))), max_size=3
)


@cache
def without_a_hole(seconds: int) -> Live:
    undisturbed = Live(seconds)
    undisturbed.play([], 0)
    return undisturbed


@settings(max_examples=40, deadline=None)
@given(gaps=gaps, wait=st.integers(0, 50), seconds=st.sampled_from([5, 15, 60, 300, 1_800, DAILY]))
def test_bars_after_holes_are_those_without_a_hole(gaps: list[tuple[int, int]], wait: int, seconds: int) -> None:
    undisturbed, live = without_a_hole(seconds), Live(seconds)
    live.play(gaps, wait * SECOND)
    last = max((first + length for first, length in gaps), default=0)
    if last >= len(PARTS):  # nothing came after it: what ended before is whole
        for size, bars in live.windows().items():
            assert bars == undisturbed.windows()[size][: len(bars)]
        return
    assert live.windows() == undisturbed.windows()
    told = set(map(repr, live.told))
    for bar in undisturbed.told:
        in_the_past = any(hole.begin < bar.end <= hole.until - LATEST for hole in live.holes)
        assert in_the_past or repr(bar) in told


def test_a_short_hole_delays_a_bar_and_a_long_one_makes_it_history() -> None:
    short, long = Live(60), Live(60)
    first = (OPEN + 10 * MINUTE - BEGIN) // PART - 3
    short.play([(first, 8)], 0)  # 15 s before the end of a minute to 25 s after it
    long.play([(first, 8 + 12 * 20)], 0)
    tenth = OPEN + 10 * MINUTE
    assert tenth in [bar.end for bar in short.told]
    ends = [bar.end for bar in long.told if tenth - MINUTE <= bar.end <= tenth + 22 * MINUTE]
    assert ends == [tenth - MINUTE, tenth + 20 * MINUTE, tenth + 21 * MINUTE, tenth + 22 * MINUTE]


def test_nothing_is_missing_outside_of_the_session_or_where_parts_go_on() -> None:
    live = Live(60)
    for part in PARTS[:12]:  # a minute before the open
        live.part(part)
    live.runner.interrupt("SPY")
    assert live.runner.hole("SPY", PARTS[12].start) is None
    assert live.runner.hole("SPY", OPEN) is None
    found = live.runner.hole("SPY", OPEN + MINUTE)
    assert found is not None
    assert found.needed == {5: 12 + 12 + 2}


def test_without_what_is_missing_bars_are_made_of_what_came() -> None:
    live = Live(60)
    for part in PARTS[: 2 * 12 + 6]:  # until half a minute after the open
        live.part(part)
    live.runner.interrupt("SPY")
    live.host.time = OPEN + 5 * MINUTE
    live.runner.clock(live.host.time)
    assert live.told == []
    live.runner.resume("SPY")
    live.runner.clock(live.host.time)
    assert [(bar.start, bar.end) for bar in live.told] == [(OPEN, OPEN + MINUTE)]


@pytest.mark.parametrize(
    ("since", "until", "needed"),
    [
        (OPEN + 30 * SECOND, OPEN + 45 * SECOND, {5: 9 + 12 + 2}),
        (OPEN + 30 * SECOND, OPEN + 70 * MINUTE, {60: 65 + 1 + 2, 5: 24}),
    ],
)
def test_a_long_hole_is_filled_by_minutes(since: Nanos, until: Nanos, needed: dict[int, int]) -> None:
    live = Live(60)
    for part in PARTS:
        if part.end <= since:
            live.part(part)
    live.runner.interrupt("SPY")
    hole = live.runner.hole("SPY", until)
    assert hole is not None
    assert hole.needed == needed
    assert (hole.begin, hole.until) == (OPEN, until)
