"""The same bars, history and calls, whether parts arrive one by one or a backtest has them as columns."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.backtest.engine import Engine
from mats.data import in_sessions
from mats.model.bar_columns import BarColumns
from mats.model.market_data import Bar
from mats.model.timestamp import DAY, MINUTE, Nanos, from_datetime
from mats.sessions import calendar_of
from mats.strategy.hosting import LocalHost, make_runner
from tests.backtest.engine.made import STRATEGIES, market, record, spec_of

BEGIN = from_datetime(datetime(2026, 11, 25, 14, 30, tzinfo=UTC))
"""An open before a holiday, a half day and a weekend."""
NAMES = ("EURUSD", "QQQ", "SPY")
DAYS = 6


@st.composite
def minutes(draw, name: str) -> list[Bar]:
    """Stretches of minutes in and out of sessions, some of them missing; the first is the begin."""
    starts = {0}
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.sampled_from((0, 380, 1_440, 2 * 1_440, 2 * 1_440 + 195, 5 * 1_440))) + draw(st.integers(-9, 9))
        starts |= {first + at for at in range(draw(st.integers(0, 30))) if draw(st.integers(0, 9))}
    kept = sorted(start for start in starts if 0 <= start < DAYS * 1_440)
    return [Bar(name, BEGIN + at * MINUTE, 60, *(100.0 + at % 7 + k for k in (1, 3, 0, 2)), at % 5) for at in kept]


def columns(bars: list[Bar]) -> BarColumns:
    values = ([getattr(bar, field) for bar in bars] for field in ("open", "high", "low", "close", "volume"))
    starts = np.array([bar.start for bar in bars], dtype=np.int64)
    return BarColumns(bars[0].instrument, 60, starts, *(np.array(value, dtype=float) for value in values))


def live(strategy, parts: list[Bar]) -> list[object]:
    """What a runner calls when the parts arrive, each at its end."""
    now: Nanos = BEGIN
    host = LocalHost(lambda command: None, str, lambda: now, lambda level, text: None)
    runner = make_runner(strategy, STRATEGIES, host)
    pages = runner.strategy.pages
    runner.start({})
    for part in parts:
        now = max(now, part.end)
        runner.bar(part)
    now += DAY
    runner.clock(now)
    return list(pages)


@settings(max_examples=40, deadline=None)
@given(
    bars=st.tuples(*map(minutes, NAMES)),
    seconds=st.sampled_from((60, 300, 420, 3_600, 86_400)),
    session=st.sampled_from(("regular", "extended")),
    random=st.randoms(use_true_random=False),
)
def test_parts_one_by_one_and_columns_give_the_same_calls(bars, seconds, session, random) -> None:
    larger = 86_400 if seconds < 86_400 else 604_800
    strategy = record(
        "diary",
        "bar_diary.py",
        "BarDiary",
        instruments=list(NAMES),
        bar_seconds=seconds,
        larger=larger,
        session=session,
    )
    parts = [part for own in bars for part in own]
    random.shuffle(parts)
    parts.sort(key=lambda part: part.start)
    plain = market(*map(columns, bars))
    kept = {name: in_sessions(plain.bars[name], calendar_of(plain.instruments[name]), session) for name in NAMES}
    data = replace(plain, bars=kept, hours=session)
    engine = Engine(spec_of(data, strategy), data)
    run = engine.run(None)
    assert run.state == "complete", run.failure
    until = max(int(own.end[-1]) for own in kept.values())
    called = engine.parts.drivers["diary"].runner.strategy.pages
    assert [page for page in live(strategy, parts) if page[1] is None or page[1] <= until] == called
    if seconds == 60:
        assert sum(page[0] == "bar" for page in called) == sum(map(len, kept.values()))
