"""Market data over the wire: live, past, and replayed."""

import gzip
import logging
from datetime import UTC, datetime

import pytest
from ib_async import Forex, MarketOrder

from mats.gateway import PaperGateway
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock


def test_ticks_flow_until_they_are_cancelled(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            ticker = ib.reqMktData(contract)
            await bench.until(lambda: ticker.bid > 0 and ticker.close > 0 and ticker.last > 0)
            assert 0 < ticker.ask - ticker.bid < 0.05
            assert ticker.bidSize >= 100
            before = ticker.time
            await bench.until(lambda: ticker.time > before)
            ib.cancelMktData(contract)
            snapshot = (await ib.reqTickersAsync(contract))[0]
            assert snapshot.bid > 0
            by_tick = ib.reqTickByTickData(contract, "BidAsk")
            await bench.until(lambda: by_tick.tickByTicks)

    bench.run(scenario())


def test_real_time_bars_are_the_bars_that_history_shows_later(bench):
    async def scenario():
        clock = SteppedClock(1_700_000_000 * SECOND)
        async with PaperGateway(clock=clock) as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            bars = ib.reqRealTimeBars(contract, 5, "TRADES", False)
            await ib.reqCurrentTimeAsync()
            clock.leap(10 * SECOND)
            await bench.until(lambda: len(bars) == 2)
            past = await ib.reqHistoricalDataAsync(contract, "", "10 S", "5 secs", "TRADES", False)
            assert [(b.date, b.open, b.high, b.low, b.close, b.volume) for b in past] == [
                (b.time, b.open_, b.high, b.low, b.close, b.volume) for b in bars
            ]

    bench.run(scenario())


@pytest.mark.parametrize(
    ("size", "duration", "count"),
    [
        ("30 secs", "600 S", 20),
        ("1 min", "1 D", 1440),
        ("15 mins", "2 D", 192),
        ("1 hour", "1 D", 24),
        ("1 day", "1 M", 31),
    ],
)
def test_past_bars_are_complete_and_never_beyond_the_clock(bench, size, duration, count):
    async def scenario():
        clock = SteppedClock(1_700_000_000 * SECOND)
        async with PaperGateway(clock=clock) as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            bars = await ib.reqHistoricalDataAsync(contract, "", duration, size, "TRADES", False, formatDate=2)
            assert count - 1 <= len(bars) <= count
            assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
            later = datetime(2030, 1, 1, tzinfo=UTC)
            again = await ib.reqHistoricalDataAsync(contract, later, duration, size, "TRADES", False, formatDate=2)
            assert list(again) == list(bars)
            assert str(await ib.reqHeadTimeStampAsync(contract, "TRADES", False, 2)).startswith("2000-01-01")

    bench.run(scenario())


def test_a_bad_request_for_bars_is_refused_by_its_code(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            codes = []
            ib.errorEvent += lambda request, code, text, contract: codes.append(code)
            asked = (
                ("1 Y", "5 secs", "TRADES"),
                ("1 D", "7 mins", "TRADES"),
                ("1 D", "1 min", "X"),
                ("D", "1 min", "BID"),
            )
            for number, (duration, size, kind) in enumerate(asked):
                ib.client.reqHistoricalData(9000 + number, contract, "", duration, size, kind, False, 1, False, None)
            await bench.until(lambda: len(codes) == len(asked))
            assert codes == [162, 321, 321, 321]

    bench.run(scenario())


ROWS = (
    "2013-10-04 13:30:00+00:00,168.00,168.40,167.90,168.20,120005",
    "2013-10-04 13:31:00+00:00,168.20,168.20,167.80,167.85,60000",
    "2013-10-04 13:40:00+00:00,167.80,167.90,167.70,167.90,70000",
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "bars"
    folder.mkdir()
    with gzip.open(folder / "SPY.csv.gz", "wt") as file:
        file.write("timestamp,open,high,low,close,volume\n" + "\n".join(ROWS) + "\n")
    (folder / "GBPUSD.csv").write_text(
        "timestamp,open,high,low,close,volume,bid,ask\n"
        "2013-10-04 13:30:00+00:00,1.60005,1.6001,1.6,1.60005,0,1.6,1.6001\n"
    )
    return folder


def test_a_replay_waits_for_a_subscriber_and_sends_the_stored_bars_in_their_own_time(bench, folder):
    async def scenario():
        async with (
            PaperGateway(replay=folder, bar_seconds=0.05, hold_seconds=0.1) as gateway,
            bench.client(gateway, 1) as ib,
        ):
            contract, pair = await bench.contract(ib), Forex("GBPUSD")
            await ib.qualifyContractsAsync(pair)
            start = datetime(2013, 10, 4, 13, 30, tzinfo=UTC)
            assert await ib.reqCurrentTimeAsync() == start
            bars = ib.reqRealTimeBars(contract, 5, "TRADES", False)
            pairs = ib.reqRealTimeBars(pair, 5, "MIDPOINT", False)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 100))
            await bench.until(lambda: len(bars) == 36)
            assert len(pairs) == 12
            assert bars[0].time == start
            assert [bar.time for bar in bars] == sorted(bar.time for bar in bars)
            for i, row in enumerate(ROWS):
                opened, high, low, close, volume = map(float, row.split(",")[1:])
                part = bars[12 * i : 12 * i + 12]
                assert (part[0].open_, part[-1].close) == (opened, close)
                assert (max(b.high for b in part), min(b.low for b in part)) == (high, low)
                assert sum(b.volume for b in part) == volume
            execution = trade.fills[0].execution
            assert (execution.time, execution.price) == (start, 168.0)
            assert await ib.reqCurrentTimeAsync() == datetime(2013, 10, 4, 13, 41, tzinfo=UTC)
            past = await ib.reqHistoricalDataAsync(contract, "", "1 D", "1 min", "TRADES", False)
            assert [bar.close for bar in past] == [168.20, 167.85, 167.90]
            assert ib.isConnected()

    bench.run(scenario())


def test_a_restarted_replay_goes_on_where_it_stopped(bench, folder, tmp_path):
    options = {"replay": folder, "state": tmp_path / "gateway.db", "hold_seconds": 0.0}
    seen = []

    async def begin():
        async with PaperGateway(**options, bar_seconds=1.0) as gateway, bench.client(gateway, 1) as ib:
            bars = ib.reqRealTimeBars(await bench.contract(ib), 5, "TRADES", False)
            await bench.until(lambda: len(bars) == 3)
            seen.extend(bar.time for bar in bars)

    async def go_on():
        async with PaperGateway(**options, bar_seconds=0.02) as gateway, bench.client(gateway, 1) as ib:
            bars = ib.reqRealTimeBars(await bench.contract(ib), 5, "TRADES", False)
            await bench.until(lambda: bars and len(bars) + len(seen) >= 36)
            seen.extend(bar.time for bar in bars)

    bench.run(begin())
    bench.run(go_on())
    assert len(seen) == len(set(seen)) == 36
    assert seen == sorted(seen)


def test_a_client_that_leaves_takes_its_subscriptions_along(bench, caplog):
    async def scenario():
        async with PaperGateway() as gateway:
            async with bench.client(gateway, 1) as ib:
                ib.reqMktData(await bench.contract(ib))
            async with bench.client(gateway, 1) as ib:
                with caplog.at_level(logging.ERROR, "ib_async"):
                    contract = await bench.contract(ib)
                    before = gateway.exchange.quote("SPY")
                    await bench.until(lambda: gateway.exchange.quote("SPY") != before)
                    await ib.reqCurrentTimeAsync()
                assert ib.ticker(contract) is None
        assert not [r for r in caplog.records if "Unknown reqId" in r.getMessage()]

    bench.run(scenario())
