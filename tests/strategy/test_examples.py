"""The default strategies on real market minutes, played as twelve five-second bars each, and on a made-up market."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mats.data.bar_files import find_bar_files, read_table
from mats.data.quality import checked_bars
from mats.model.market_data import Bar, Quote
from mats.model.orders import OrderState
from mats.model.strategy_table import StrategyRecord, read_records
from mats.model.timestamp import DAY, HOUR, MINUTE, SECOND
from mats.strategy.hosting.loader import make_runner

START = 1_700_060_100 * SECOND
MINUTES = 1000


def split(bar: Bar) -> Iterator[Bar]:
    """Twelve parts along open, low, high, close whose whole is the bar again."""
    corners = [bar.open, bar.low, bar.high, bar.close]
    path = [corners[i // 4] + (corners[i // 4 + 1] - corners[i // 4]) * (i % 4) / 4 for i in range(12)] + [bar.close]
    for i in range(12):
        first, last = path[i], path[i + 1]
        start = bar.start + i * 5 * SECOND
        yield Bar(bar.instrument, start, 5, first, max(first, last), min(first, last), last, bar.volume / 12)


def real_bars(path: Path) -> Iterator[Bar]:
    c = checked_bars(read_table(path, seconds=60))
    rows = zip(*(column.tolist() for column in (c.start, c.open, c.high, c.low, c.close, c.volume)), strict=True)
    return (Bar(c.instrument, start, 60, *numbers) for start, *numbers in rows)


def real_parts(folder: Path) -> list[Bar]:
    bars = sorted(
        (bar for path in find_bar_files(folder).values() for bar in real_bars(path)),
        key=lambda bar: (bar.start, bar.instrument),
    )
    opened = min(bar.start for bar in bars) // DAY * DAY + 13 * HOUR + 30 * MINUTE
    minutes = sorted({bar.start for bar in bars if bar.start >= opened})[:MINUTES]
    parts = [part for bar in bars if opened <= bar.start <= minutes[-1] for part in split(bar)]
    return sorted(parts, key=lambda part: (part.start, part.instrument))


def made_up_parts(instrument: str, seconds: int, seed: int = 5) -> list[Bar]:
    rng, price, parts = random.Random(seed), 100.0, []
    for at in range(0, seconds, 5):
        last = round(price + rng.gauss(0, 0.05), 2)
        parts.append(Bar(instrument, START + at * SECOND, 5, price, max(price, last), min(price, last), last, 1.0))
        price = last
    return parts


def play(record: StrategyRecord, root: Path, parts: list[Bar], host):
    """Run one strategy over parts of all instruments; it is fed its own."""
    host.runner = make_runner(record, root / "config" / "strategies", host)
    host.runner.start({})
    for part in parts:
        if part.instrument in host.runner.instruments:
            host.feed(part)
    return host


@pytest.fixture
def records(root):
    return read_records(root / "config" / "strategies.toml")


def test_the_default_strategies_trade_lively_and_every_instrument_on_real_minutes(
    records, root, minute_data, filling_host
):
    parts = real_parts(minute_data)
    hosts = [play(record, root, parts, filling_host()) for record in records]
    counts = {record.name: len(host.fills) for record, host in zip(records, hosts, strict=True)}
    assert all(count >= 5 for count in counts.values()), counts
    assert 200 <= sum(counts.values()) <= 5000, counts
    assert {fill.execution.instrument for host in hosts for fill in host.fills} == {"SPY", "IBM", "BAC", "AIG"}
    assert all(len(host.working) <= 4 for host in hosts)


def test_the_same_data_gives_the_same_orders(records, root, minute_data, filling_host):
    parts = real_parts(minute_data)[:12_000]
    for record in records:
        first, second = (play(record, root, parts, filling_host()) for _ in range(2))
        assert first.asked == second.asked
        assert first.fills == second.fills
        assert first.asked


def made_up(class_name: str, file: str, **params) -> StrategyRecord:
    return StrategyRecord(name="x", file=f"examples/{file}.py", class_name=class_name, params=params)


def test_the_trend_follower_holds_what_it_says_and_asks_again_after_a_rejection(root, filling_host, view):
    record = made_up("EmaCross", "ema_cross", fast=2, slow=5, strength=0.5, short=0.25, bar_seconds=5)
    host = play(record, root, made_up_parts("SPY", 600), filling_host())
    strengths = [signal.strength for signal in host.asked]
    assert set(strengths) == {0.5, -0.25}
    assert all(one != other for one, other in itertools.pairwise(strengths))
    host.runner.order_status(view(host.asked[-1].intent_id, OrderState.REJECTED))
    host.feed(made_up_parts("SPY", 605)[-1])
    assert len(host.asked) == len(strengths) + 1


def test_a_restart_continues_from_history_with_the_same_view_of_the_market(root, host):
    parts = made_up_parts("SPY", 600)
    record = made_up("EmaCross", "ema_cross", fast=2, slow=5, bar_seconds=5)
    host.time = parts[-1].start
    host.runner = make_runner(record, root, host)
    host.runner.start({"SPY": parts[:-1]})
    host.runner.bar(parts[-1])
    assert len(host.asked) == 1


def test_mean_reversion_has_one_order_at_a_time_and_ends_flat_or_on_its_way(root, filling_host):
    record = made_up("MeanReversion", "mean_reversion", lookback=10, entry=1.0, bar_seconds=5)
    host = play(record, root, made_up_parts("SPY", 6000), filling_host())
    book = 0
    for fill in host.fills:
        change = fill.execution.signed_quantity
        assert book == 0 or book + change == 0
        book += change
    assert len(host.fills) > 20
    assert len(host.working) <= 1


def test_mean_reversion_rests_at_the_touch_and_cancels_what_grows_stale(root, host):
    record = made_up("MeanReversion", "mean_reversion", lookback=5, entry=1.0, patience=2, bar_seconds=5)
    parts = made_up_parts("SPY", 25)
    host.time = parts[-1].end
    host.runner = make_runner(record, root, host)
    host.runner.start({"SPY": parts})
    host.runner.quote(Quote("SPY", START, 89.98, 90.02, 1, 1))
    drop = [Bar("SPY", START + at * SECOND, 5, 90.0, 90.0, 90.0, 90.0, 1.0) for at in (25, 30, 35)]
    host.runner.bar(drop[0])
    assert [str(request.ticket.limit_price) for request in host.asked] == ["89.98"]
    host.runner.bar(drop[1])
    assert len(host.asked) == 1
    host.runner.bar(drop[2])
    assert host.asked[-1].intent_id == host.asked[0].intent_id
    assert len(host.asked) == 2


def test_the_rebalancer_trades_on_its_beat_and_leaves_small_drift_alone(root, filling_host):
    record = made_up("Rebalancer", "rebalancer", weights={"SPY": 0.5}, minutes=1, band=0.1, bar_seconds=5)
    host = play(record, root, made_up_parts("SPY", 600), filling_host())
    assert [signal.strength for signal in host.asked] == [0.5]
    assert host.asked[0].time == START + 60 * SECOND
    assert len(host.fills) == 1


def test_a_rebalancer_waits_until_it_knows_its_equity(root, host):
    record = made_up("Rebalancer", "rebalancer", weights={"SPY": 0.5}, minutes=1, bar_seconds=5)
    host.cash = None
    host.runner = make_runner(record, root, host)
    host.runner.start({})
    for part in made_up_parts("SPY", 200):
        host.runner.bar(part)
    assert host.asked == []
