"""Historical data: unfinished bars, pacing, ticks, histograms, calendar bars."""

import pytest
from ib_async import Forex, Index

from mats.gateway import PaperGateway
from mats.gateway.data.historical_requests import HistoricalPacing
from mats.gateway.pacing import GatewayLimits
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock

FREE = GatewayLimits(historical=False)


@pytest.fixture
def connected(bench):
    """Runs a scenario with client, clock and the errors as code and text."""

    def run(scenario, limits=FREE):
        async def inside():
            clock = SteppedClock(1_795_000_000 * SECOND)
            async with PaperGateway(clock=clock, limits=limits) as gateway, bench.client(gateway, 1) as ib:
                errors = []
                ib.errorEvent += lambda request, code, text, contract: errors.append((code, text))
                await scenario(ib, clock, errors)

        bench.run(inside())

    return run


def test_a_bar_that_keeps_up_to_date_grows_into_the_bar_of_history(connected, bench):
    async def scenario(ib, clock, errors):
        contract = await bench.contract(ib)
        bars = await ib.reqHistoricalDataAsync(contract, "", "300 S", "30 secs", "TRADES", False, keepUpToDate=True)
        count, grown = len(bars), []
        bars.updateEvent += lambda bars, is_new: grown.append(is_new)
        for step in range(1, 13):
            clock.leap(5 * SECOND)
            await bench.until(lambda step=step: len(grown) == step)
        assert grown.count(True) == len(bars) - count >= 2
        assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
        past = await ib.reqHistoricalDataAsync(contract, "", "120 S", "30 secs", "TRADES", False)
        known = {bar.date: bar for bar in bars}
        assert [known[bar.date].volume for bar in past] == [bar.volume for bar in past]
        assert [(known[bar.date].open, known[bar.date].close) for bar in past] == [(b.open, b.close) for b in past]
        ib.cancelHistoricalData(bars)
        ib.client.cancelHistoricalData(4711)
        await ib.reqCurrentTimeAsync()
        assert [code for code, _ in errors] == [162, 366]
        assert "query cancelled" in errors[0][1]

    connected(scenario)


def test_a_bar_that_keeps_up_to_date_ends_now(connected, bench):
    async def scenario(ib, clock, errors):
        contract = await bench.contract(ib)
        end = "20261101 00:00:00 UTC"
        ib.client.reqHistoricalData(9001, contract, end, "300 S", "30 secs", "TRADES", False, 1, True, [])
        await ib.reqCurrentTimeAsync()
        assert [code for code, _ in errors] == [321]

    connected(scenario)


def test_small_bars_are_paced_by_three_windows():
    clock = SteppedClock(0)
    pacing = HistoricalPacing(clock)
    assert pacing.admit("SPY", "a")
    assert not pacing.admit("SPY", "a")
    assert all(pacing.admit("SPY", n) for n in range(4))
    assert not pacing.admit("SPY", "sixth")
    assert pacing.admit("IBM", "sixth")
    clock.leap(2 * SECOND)
    assert pacing.admit("SPY", "seventh", weight=2)
    clock.leap(13 * SECOND)
    assert pacing.admit("SPY", "a")
    for n in range(51):
        clock.leap(SECOND)
        assert pacing.admit("SPY", f"late {n}")
    assert not pacing.admit("BAC", "the sixty-first")
    clock.leap(601 * SECOND - clock.now())
    assert pacing.admit("BAC", "the sixty-first")


def test_a_violation_of_pacing_is_162_and_large_bars_are_free(connected, bench):
    async def scenario(ib, clock, errors):
        contract = await bench.contract(ib)
        for size, count in (("30 secs", 2), ("1 min", 9)):
            for _ in range(count):
                await ib.reqHistoricalDataAsync(contract, "", "600 S", size, "TRADES", False)
        assert [code for code, _ in errors] == [162]
        assert "pacing violation" in errors[0][1]

    connected(scenario, limits=GatewayLimits())


def test_historical_ticks_in_three_kinds(connected, bench):
    async def scenario(ib, clock, errors):
        contract = await bench.contract(ib)
        end = "20261110 15:00:00 UTC"
        trades = await ib.reqHistoricalTicksAsync(contract, "", end, 30, "TRADES", False)
        quotes = await ib.reqHistoricalTicksAsync(contract, "", end, 30, "BID_ASK", False)
        middles = await ib.reqHistoricalTicksAsync(contract, end, "", 30, "MIDPOINT", False)
        assert [len(trades), len(quotes), len(middles)] == [30, 30, 30]
        assert trades[-1].time == quotes[-1].time < middles[0].time
        assert all(quote.priceBid < quote.priceAsk for quote in quotes)
        assert all(q.priceBid <= t.price <= q.priceAsk for q, t in zip(quotes, trades, strict=True))
        ib.client.reqHistoricalTicks(9001, contract, "", "", 30, "TRADES", False, False, [])
        await ib.reqCurrentTimeAsync()
        assert [code for code, _ in errors] == [321]

    connected(scenario)


def test_bars_of_both_sides_weeks_and_months(connected, bench):
    async def scenario(ib, clock, errors):
        contract = await bench.contract(ib)
        ask = (contract, "", "2 D", "1 hour")
        bids, asks, both = [await ib.reqHistoricalDataAsync(*ask, kind, False) for kind in ("BID", "ASK", "BID_ASK")]
        assert [bar.high for bar in both] == [bar.high for bar in asks]
        assert [bar.low for bar in both] == [bar.low for bar in bids]
        assert all(bar.open < bar.close for bar in both)
        weeks = await ib.reqHistoricalDataAsync(contract, "", "3 M", "1 week", "TRADES", False)
        months = await ib.reqHistoricalDataAsync(contract, "", "1 Y", "1 month", "TRADES", False)
        assert {bar.date.isoweekday() for bar in weeks[:-1]} == {7} and 13 <= len(weeks) <= 15
        assert len({(bar.date.year, bar.date.month) for bar in months}) == len(months) == 13
        assert await ib.reqHistogramDataAsync(contract, False, "1 day")

    connected(scenario)


def test_what_an_instrument_does_not_have_is_162(connected):
    async def scenario(ib, clock, errors):
        for contract, kind in ((Forex("EURUSD"), "TRADES"), (Index("SPX", "CBOE"), "BID")):
            await ib.reqHistoricalDataAsync(contract, "", "1 D", "1 hour", kind, False)
        assert [code for code, _ in errors] == [162, 162]

    connected(scenario)
