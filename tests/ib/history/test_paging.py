"""The newest bars, counted: over random calendars, whichever way the broker counts a span, and over the real line."""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.gateway import PaperGateway
from mats.gateway.pacing import STRICT
from mats.ib import HistoricalBars, IbSession
from mats.ib.conversion import longest_span, part_size
from mats.ib.history import BackwardPager, HistoricalBudget, HistoryRequest, PacedHistory
from mats.instruments import parse_instrument
from mats.model import DAY, HOUR, SECOND, Bar, Instrument, Nanos, from_datetime
from mats.sessions import BarSpans, exchange_calendar, unknown_calendar
from mats.strategy.hosting.strategy_bars import StrategyBars
from mats.venue.models import choose_models
from tests.fast_time import LoopClock, run_fast

MONDAY = from_datetime(datetime(2026, 11, 30, 14, 40, tzinfo=UTC))
"""Ten minutes after New York has opened; Thursday was a holiday, Friday a half day."""
SPY = parse_instrument("SPY")
NYSE = exchange_calendar("XNYS")


class Market:
    """Trading in given spans; `by_trading_time`: a span of a request is counted back over what was traded."""

    def __init__(self, sessions: list[tuple[Nanos, Nanos]], now: Nanos, *, by_trading_time: bool) -> None:
        self._sessions, self._now, self._by_trading_time = sessions, now, by_trading_time
        self.asked: list[HistoryRequest] = []

    def traded(self, seconds: int) -> list[Nanos]:
        """The starts of the bars that are over."""
        step = seconds * SECOND
        found: dict[Nanos, None] = {}
        for opens, closes in self._sessions:
            found |= dict.fromkeys(range(opens // step * step, closes, step))
        return sorted(start for start in found if start + step <= self._now)

    async def ask(self, request: HistoryRequest) -> HistoricalBars:
        assert request.span <= longest_span(request.seconds)
        self.asked.append(request)
        end = self._now if request.end is None else request.end
        starts, step = self.traded(request.seconds), request.seconds * SECOND
        last = bisect_left(starts, end - step + 1)
        if self._by_trading_time:
            first = max(0, last - request.span // request.seconds)
        else:
            first = bisect_left(starts, end - request.span * SECOND)
        bars = tuple(a_bar(start, request.seconds) for start in starts[first:last])
        return HistoricalBars("SPY", bars, known_empty=not bars)


def a_bar(start: Nanos, seconds: int) -> Bar:
    """Its open and its close tell which it is."""
    return Bar("SPY", start, seconds, start / SECOND, start / SECOND + seconds, start / SECOND, start / SECOND, 1.0)


@st.composite
def calendars(draw: st.DrawFn) -> list[tuple[Nanos, Nanos]]:
    """Sessions of some hours on some of the last days, with holidays between them; one may be under way."""
    opens, hours = draw(st.integers(0, 16)), draw(st.integers(1, 8))
    today = MONDAY // DAY
    days = draw(st.sets(st.integers(0, 40), min_size=1, max_size=30))
    return sorted(((today - day) * DAY + opens * HOUR, (today - day) * DAY + (opens + hours) * HOUR) for day in days)


SIZES = [60, 300, 420, 45, 90, 3600, 10_800, 30]


@settings(max_examples=25, deadline=None)
@given(calendars(), st.sampled_from(SIZES), st.integers(1, 60), st.booleans())
def test_the_count_asked_for_comes_over_any_calendar(
    sessions: list[tuple[Nanos, Nanos]], seconds: int, count: int, by_trading_time: bool
) -> None:
    market = Market(sessions, MONDAY, by_trading_time=by_trading_time)
    found = asyncio.run(BackwardPager(market.ask, SPY, seconds, count, MONDAY, unknown_calendar()).run()).bars
    parts = market.traded(part_size(seconds))
    step = seconds * SECOND

    def begin(start: Nanos) -> Nanos:
        """Bars begin with their session, here the day."""
        return start // DAY * DAY + start % DAY // step * step

    ends = {begin(start): min(begin(start) + step, start // DAY * DAY + DAY) for start in parts}
    whole = sorted(start for start, end in ends.items() if end <= MONDAY)
    assert [bar.start for bar in found] == whole[-count:]
    for bar in found:  # each has its first part
        first = min(start for start in parts if start >= bar.start)
        assert bar.open == first / SECOND
        assert bar.end == ends[bar.start]


def test_where_the_history_begins_there_are_fewer() -> None:
    opens = MONDAY // DAY * DAY
    market = Market([(opens, opens + 2 * HOUR)], MONDAY, by_trading_time=False)
    found = asyncio.run(BackwardPager(market.ask, SPY, 3600, 20, MONDAY, unknown_calendar()).run()).bars
    assert [bar.start for bar in found] == [opens, opens + HOUR]


def test_small_bars_are_looked_for_only_as_long_as_they_are_kept() -> None:
    opens = MONDAY - 200 * DAY
    market = Market([(opens, opens + HOUR), (MONDAY - 600 * SECOND, MONDAY)], MONDAY, by_trading_time=False)
    found = asyncio.run(BackwardPager(market.ask, SPY, 5, 400, MONDAY, unknown_calendar()).run()).bars
    assert len(found) == 120
    assert len(market.asked) < 10


# On the line, with IB's limits

TABLE = [(60, 100), (300, 50), (420, 20), (45, 50), (5, 400), (3_600, 20), (86_400, 200)]


def on_the_line(
    scenario: Callable[[PacedHistory, Instrument, LoopClock], Awaitable[None]], start: Nanos = MONDAY
) -> None:
    """A session of a gateway with strict limits, New York's calendar, and time that does not wait."""

    async def run(clock: LoopClock) -> None:
        models = choose_models(calendar="XNYS")
        async with PaperGateway(port=0, seed=1, clock=clock, limits=STRICT, models=models) as gateway:
            session = IbSession(99, lambda event: None, clock=clock.now, monotonic=clock.monotonic)
            await session.connect("127.0.0.1", gateway.port, 10)
            history = PacedHistory(session, HistoricalBudget(clock.monotonic))
            await scenario(history, await session.resolve(SPY), clock)
            history.close()
            session.close()

    run_fast(run, start)


@pytest.mark.parametrize(("seconds", "count"), TABLE)
def test_a_warm_up_on_the_first_morning_after_a_holiday_and_a_weekend(seconds: int, count: int) -> None:
    async def scenario(history: PacedHistory, spy: Instrument, clock: LoopClock) -> None:
        now = clock.now()
        told: list[int] = []
        pager = BackwardPager(history.bars, spy, seconds, count, now, NYSE, progress=told.append)
        bars = (await pager.run()).bars
        assert len(bars) == count
        assert told == sorted(told)
        assert told[-1] == count
        spans = BarSpans(NYSE, seconds)
        for bar in bars if seconds < 86_400 else ():
            assert spans.at(bar.start) == (bar.start, bar.end), "bars lie in the session, the last one may be short"
        starts = [bar.start for bar in bars]
        assert starts == sorted(set(starts))
        assert now - 5 * DAY <= bars[-1].end <= now
        assert history.use().violations == 0

    on_the_line(scenario)


def test_twenty_strategies_that_want_small_bars_at_once_all_get_them_without_a_violation() -> None:
    """Each of another size, so that nothing is shared: more than the sixty requests of ten minutes."""

    async def scenario(history: PacedHistory, spy: Instrument, clock: LoopClock) -> None:
        pagers = [BackwardPager(history.bars, spy, 5 * size, 100, clock.now(), NYSE) for size in range(1, 21)]
        found = await asyncio.gather(*(pager.run() for pager in pagers))
        assert {len(recent.bars) for recent in found} == {100}
        assert history.use().violations == 0
        assert clock.monotonic() < 3_600

    on_the_line(scenario)


def test_identical_requests_are_asked_once() -> None:
    """Ten strategies cause the requests of one: this morning, the night before, where trading was, Friday."""
    answers: list[tuple[Bar, ...]] = []

    @on_the_line
    async def alone(history: PacedHistory, spy: Instrument, clock: LoopClock) -> None:
        answers.append((await BackwardPager(history.bars, spy, 60, 100, clock.now(), NYSE).run()).bars)
        assert history.use().larger == 4

    @on_the_line
    async def ten(history: PacedHistory, spy: Instrument, clock: LoopClock) -> None:
        pagers = [BackwardPager(history.bars, spy, 60, 100, clock.now(), NYSE) for _ in range(10)]
        answers.extend([recent.bars for recent in await asyncio.gather(*(pager.run() for pager in pagers))])
        assert history.use().larger == 4

    assert len(set(answers)) == 1


# The bar under way


async def parts_of(history: PacedHistory, spy: Instrument, seconds: int, now: Nanos) -> list[Bar]:
    """What a strategy's bars of a size ask for besides those bars, as the broker answers it, each instant once."""
    bars = StrategyBars(("SPY",), seconds, (), "regular", 100)
    bars.know("SPY", spy)
    needed = bars.needs("SPY", {seconds: 1}, now)
    del needed[seconds]
    pagers = [BackwardPager(history.bars, spy, size, count, now, NYSE) for size, count in sorted(needed.items())[::-1]]
    found: list[Bar] = []
    for recent in [await pager.run() for pager in pagers]:
        found += (bar for bar in recent.bars if not found or bar.start >= found[-1].end)
    assert history.use().violations == 0
    return found


@pytest.mark.parametrize(
    ("seconds", "gone"),
    [
        (60, 153 * SECOND),
        (300, 153 * SECOND),
        (3_600, HOUR - SECOND),
        (86_400, 153 * SECOND),
        (86_400, 4 * HOUR + 7 * SECOND),
        (7_200, 90 * 60 * SECOND),
    ],
)
def test_what_a_strategy_asks_for_reaches_from_the_begin_of_the_bar_under_way_until_now(
    seconds: int, gone: Nanos
) -> None:
    async def scenario(history: PacedHistory, spy: Instrument, clock: LoopClock) -> None:
        now = clock.now()
        span = BarSpans(NYSE, seconds).at(now)
        assert span is not None
        parts = [bar for bar in await parts_of(history, spy, seconds, now) if bar.start >= span[0]]
        assert parts[0].start == span[0]
        assert parts[-1].end == now // (5 * SECOND) * 5 * SECOND
        assert all(before.end == after.start for before, after in pairwise(parts))

    on_the_line(scenario, MONDAY - 600 * SECOND + gone)


def test_a_day_that_has_just_closed_has_all_its_minutes() -> None:
    async def scenario(history: PacedHistory, spy: Instrument, clock: LoopClock) -> None:
        session = NYSE.sessions(MONDAY, MONDAY + 1)[0]
        parts = [bar for bar in await parts_of(history, spy, 86_400, clock.now()) if bar.start >= session.open]
        assert (parts[0].start, parts[-1].end) == (session.open, session.close)
        assert all(before.end == after.start for before, after in pairwise(parts))

    on_the_line(scenario, MONDAY + 8 * HOUR)
