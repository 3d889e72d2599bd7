"""Prices: the random market joins itself without a seam, and a replay is the stored bars again."""

import gzip
import math
import os
import statistics
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.model.instrument import SecType
from mats.model.timestamp import DAY, HOUR, MINUTE, SECOND
from mats.venue.markets import default_universe
from mats.venue.markets.bar_history import join_bars, merge_bars
from mats.venue.markets.bar_replay import BarReplay, Minute, five_second_bars, read_minutes
from mats.venue.markets.random_market import QUOTE_STEP, RandomMarket

UNIVERSE = default_universe()
NOW = 1_700_000_000 * SECOND // DAY * DAY + 15 * HOUR
DATA = Path(os.environ.get("MATS_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
US_2013 = DATA / "bars_1min" / "us_2013-10"


def figures(bar):
    return (bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume)


def test_the_random_market_is_a_function_of_its_seed():
    one, same, other = RandomMarket(UNIVERSE, 1), RandomMarket(UNIVERSE, 1), RandomMarket(UNIVERSE, 2)
    for _ in range(3):
        one.quotes(NOW + 999 * SECOND)
    assert one.quotes(NOW) == same.quotes(NOW)
    assert one.quotes(NOW) != other.quotes(NOW)


def test_five_second_bars_are_made_of_the_quotes_that_were_shown():
    market = RandomMarket(UNIVERSE, 3)
    shown = [next(q for q in market.quotes(NOW + i * QUOTE_STEP) if q.instrument == "SPY").last for i in range(20)]
    (bar,) = market.bars("SPY", NOW, NOW + 5 * SECOND, 5, "TRADES")
    assert (bar.open, bar.high, bar.low, bar.close) == (shown[0], max(shown), min(shown), shown[-1])


def test_history_joins_finer_bars_without_a_seam_whatever_is_asked():
    market = RandomMarket(UNIVERSE, 3)
    fine = market.bars("QQQ", NOW - HOUR, NOW, 5, "TRADES")
    assert len(fine) == 720
    assert [figures(b) for b in market.bars("QQQ", NOW - HOUR, NOW, 60, "TRADES")] == [
        figures(b) for b in merge_bars(fine, 60)
    ]
    assert market.bars("QQQ", NOW - 7, NOW + MINUTE - 1, 60, "TRADES") == []


def test_the_random_market_looks_like_one():
    market = RandomMarket(UNIVERSE, 1)
    closes = [bar.close for bar in market.bars("SPY", NOW - 900 * DAY, NOW, 86400, "TRADES")]
    returns = [math.log(b / a) for a, b in pairwise(closes)]
    assert 0.10 < statistics.stdev(returns) * math.sqrt(365) < 0.24
    for quote in market.quotes(NOW):
        tick = float(UNIVERSE.instrument(quote.instrument).tick_size)
        if UNIVERSE.instrument(quote.instrument).sec_type is SecType.INDEX:
            assert (quote.bid, quote.ask) == (0, 0) and quote.last > 0
            continue
        assert tick * 0.99 < quote.ask - quote.bid < tick * 4.01
        assert abs(quote.bid / tick - round(quote.bid / tick)) < 1e-6
        assert min(quote.bid_size, quote.ask_size) > 0


prices = st.integers(1_000_000, 1_100_000).map(lambda n: n / 1e6)


@settings(max_examples=300)
@given(prices, prices, prices, prices, st.integers(0, 10**9))
def test_the_pieces_of_a_minute_add_up_to_the_minute(a, b, c, d, volume):
    low, opened, closed, high = min(a, b, c, d), a, b, max(a, b, c, d)
    minute = Minute(60 * SECOND, opened, high, low, closed, float(volume))
    pieces = five_second_bars("EURUSD", minute, 0.00005)
    assert len(pieces) == 12
    whole = join_bars(pieces, 60)
    assert figures(whole) == (minute.start, opened, high, low, closed, volume)
    assert all(piece.volume == int(piece.volume) for piece in pieces)
    assert all(piece.open == before.close for before, piece in pairwise(pieces))


HEADER = "timestamp,open,high,low,close,volume\n"


def write(folder: Path, name: str, *rows: str) -> None:
    with gzip.open(folder / f"{name}.csv.gz", "wt") as file:
        file.write(HEADER + "\n".join(rows) + "\n")


def replay_of_gaps(folder: Path) -> BarReplay:
    write(folder, "SPY", "2020-01-02 14:30:00+00:00,10,12,9,11,100", "2020-01-02 14:33:00+00:00,11,11,11,11,5")
    write(folder, "BAC", "2020-01-02 14:30:00+00:00,5,5.1,4.9,5,1200")
    return BarReplay(folder, UNIVERSE)


def test_a_replay_skips_empty_minutes_and_its_time_never_goes_back(tmp_path):
    replay = replay_of_gaps(tmp_path)
    minutes = list(replay.minutes(replay.start))
    assert [(start - replay.start) // MINUTE for start, _ in minutes] == [0, 3]
    times = [piece.time for _, slices in minutes for piece in slices]
    assert times == sorted(times)
    assert {bar.instrument for piece in minutes[1][1] for bar in piece.bars} == {"SPY"}
    for _, slices in minutes:
        for piece in slices:
            assert all(bar.end == piece.time for bar in piece.bars)
            assert all(quote.time == piece.time and quote.bid < quote.ask for quote in piece.quotes)


def test_a_replay_goes_on_behind_what_was_played(tmp_path):
    replay = replay_of_gaps(tmp_path)
    stop = replay.start + 20 * SECOND
    later = [bar.start for _, slices in replay.minutes(stop) for piece in slices for bar in piece.bars]
    assert min(later) == stop
    assert len([start for start in later if start < replay.start + MINUTE]) == 2 * 8


def test_a_file_that_cannot_be_played_is_named(tmp_path):
    with pytest.raises(ValueError, match="no bars"):
        BarReplay(tmp_path, UNIVERSE)
    write(tmp_path, "SPY", "2020-01-02 14:30:00+00:00,10,oops,9,11,100")
    with pytest.raises(ValueError, match="oops"):
        BarReplay(tmp_path, UNIVERSE)
    write(tmp_path, "NOPE", "2020-01-02 14:30:00+00:00,10,12,9,11,100")
    with pytest.raises(ValueError, match="NOPE"):
        BarReplay(tmp_path, UNIVERSE)


@pytest.mark.skipif(not US_2013.exists(), reason="the stored bars are not here")
def test_the_first_hundred_minutes_of_real_data_come_out_as_they_are_stored():
    replay = BarReplay(US_2013, UNIVERSE)
    pieces: dict[str, list] = {}
    for _, (_, slices) in zip(range(100), replay.minutes(replay.start), strict=False):
        for piece in slices:
            for bar in piece.bars:
                pieces.setdefault(bar.instrument, []).append(bar)
    assert "SPY" in pieces
    for name, bars in pieces.items():
        stored = [minute for minute in read_minutes(US_2013 / f"{name}.csv.gz") if minute.start <= bars[-1].start]
        merged = merge_bars(bars, 60)
        assert [figures(bar) for bar in merged] == [(m.start, m.open, m.high, m.low, m.close, m.volume) for m in stored]
        assert [figures(b) for b in replay.bars(name, replay.start, bars[-1].end, 60, "TRADES")] == [
            figures(bar) for bar in merged
        ]


def test_every_underlying_is_listed():
    for listing in UNIVERSE:
        assert not listing.underlying or listing.underlying in UNIVERSE
