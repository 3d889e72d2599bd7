"""Live data: depth, single ticks, generic ticks, models of options, delayed data, lines."""

import pytest
from ib_async import Forex, Index, Option, Stock

from mats.gateway import PaperGateway
from mats.gateway.pacing import STRICT, ExcessPolicy, GatewayLimits
from mats.model.timestamp import DAY, SECOND
from mats.venue.clock import SteppedClock
from mats.venue.models.selection import VenueModels, load_hours

WEDNESDAY = 1_795_000_003 * SECOND
SUNDAY = WEDNESDAY + 4 * DAY


@pytest.fixture
def connected(bench):
    """Runs a scenario with gateway, client, clock and the codes of errors."""

    def run(scenario, start=WEDNESDAY, **options):
        async def inside():
            clock = SteppedClock(start)
            async with PaperGateway(clock=clock, **options) as gateway, bench.client(gateway, 1) as ib:
                codes = []
                ib.errorEvent += lambda request, code, text, contract: codes.append(code)
                await bench.until(lambda: gateway.exchange.quote("SPY"))
                await scenario(gateway, ib, clock, codes)

        bench.run(inside())

    return run


def test_depth_is_a_ladder_under_the_quote(connected, bench):
    async def scenario(gateway, ib, clock, codes):
        contract = await bench.contract(ib)
        other, pair = await ib.qualifyContractsAsync(Stock("IBM", "SMART", "USD"), Forex("EURUSD"))
        plain, smart = ib.reqMktDepth(contract, 4), ib.reqMktDepth(other, 2, True)
        await bench.until(lambda: len(plain.domAsks) == 4 and len(smart.domBids) == 2)
        quote = gateway.exchange.quote("SPY")
        assert [level.price for level in plain.domAsks] == pytest.approx([quote.ask + 0.01 * i for i in range(4)])
        assert [level.price for level in plain.domBids] == pytest.approx([quote.bid - 0.01 * i for i in range(4)])
        assert (plain.domAsks[0].size, smart.domBids[0].marketMaker) == (quote.ask_size, "ARCA")
        ib.reqMktDepth(pair, 2)
        ib.client.reqMktDepth(9001, pair, 2, False, [])
        ib.client.cancelMktDepth(777, False)
        await ib.reqCurrentTimeAsync()
        assert codes == [309, 310]
        for _ in range(4):
            clock.leap(SECOND)
            await bench.until(lambda: gateway.exchange.quote("SPY").time > clock.now() - SECOND // 4)
        await ib.reqCurrentTimeAsync()
        quote = gateway.exchange.quote("SPY")
        assert (plain.domAsks[0].price, plain.domBids[0].price) == (quote.ask, quote.bid)

    connected(scenario)


def test_single_ticks_come_in_four_kinds_and_not_without_end(connected, bench):
    async def scenario(gateway, ib, clock, codes):
        contract = await bench.contract(ib)
        requests = {kind: ib.client.getReqId() for kind in ("Last", "AllLast", "BidAsk", "MidPoint", "Last ")}
        seen = set()
        ib.wrapper.tickByTickAllLast = lambda request, kind, *rest: seen.add((request, "trade"))
        ib.wrapper.tickByTickBidAsk = lambda request, *rest: seen.add((request, "quote"))
        ib.wrapper.tickByTickMidPoint = lambda request, *rest: seen.add((request, "middle"))
        for kind, request in requests.items():
            ib.client.reqTickByTickData(request, contract, kind.strip(), 0, False)
        wanted = {("Last", "trade"), ("AllLast", "trade"), ("BidAsk", "quote"), ("MidPoint", "middle")}
        for _ in range(40):
            clock.leap(SECOND)
            await ib.reqCurrentTimeAsync()
            if len(seen) == 4:
                break
            await bench.until(lambda: gateway.exchange.quote("SPY").time > clock.now() - SECOND)
        assert seen == {(requests[kind], what) for kind, what in wanted}
        assert codes == [10190]

    connected(scenario, limits=GatewayLimits(tick_by_tick=4))


def test_generic_ticks_are_sent_and_unknown_ones_refused(connected, bench):
    async def scenario(gateway, ib, clock, codes):
        ticker = ib.reqMktData(await bench.contract(ib), "233,236,221")
        await bench.until(lambda: ticker.markPrice > 0 and ticker.shortableShares > 0)
        ib.client.reqMktData(9000, Forex("EURUSD"), "77", False, False, [])
        ib.client.reqMktData(9001, Forex("EURUSD"), "233", True, False, [])
        await ib.reqCurrentTimeAsync()
        assert codes == [321, 321]

    connected(scenario)


def test_an_option_shows_its_model_and_an_index_only_its_level(connected, bench):
    async def scenario(gateway, ib, clock, codes):
        option, index = Option("SPY", "20261218", 560, "C", "SMART"), Index("SPX", "CBOE")
        await ib.qualifyContractsAsync(option, index)
        greeks, level = ib.reqMktData(option), ib.reqMktData(index)
        clock.leap(SECOND)
        await bench.until(lambda: greeks.modelGreeks and greeks.bid > 0 and level.last > 0)
        model = greeks.modelGreeks
        assert 0 < model.delta < 1 and model.gamma > 0 and model.vega > 0 and model.theta < 0
        assert model.undPrice == pytest.approx(float(gateway.exchange.mark("SPY")), rel=0.01)
        assert abs(model.optPrice - (greeks.bid + greeks.ask) / 2) < 0.5
        assert not level.bid > 0

    connected(scenario)


def test_lines_are_counted_by_instrument(connected, bench):
    async def scenario(gateway, ib, clock, codes):
        stocks = await ib.qualifyContractsAsync(*(Stock(name, "SMART", "USD") for name in ("SPY", "IBM", "BAC", "AIG")))
        for stock in stocks[:3]:
            ib.reqMktData(stock)
        ib.reqRealTimeBars(stocks[0], 5, "TRADES", False)
        await ib.reqCurrentTimeAsync()
        assert codes == [101]
        ib.cancelMktData(stocks[1])
        ib.reqMktData(stocks[3])
        ib.client.cancelMktData(4711)
        await ib.reqCurrentTimeAsync()
        assert codes == [101, 300]

    connected(scenario, limits=GatewayLimits(lines=2))


def test_data_without_a_subscription_is_refused_or_fifteen_minutes_old(connected, bench, tmp_path):
    path = tmp_path / "instruments.toml"
    path.write_text(
        '[[instrument]]\nsymbol = "OLD"\nsec_type = "STK"\ncurrency = "USD"\ncon_id = 4242\n'
        "price = 50.0\nvolatility = 0.3\nlive = false\n"
    )

    async def scenario(gateway, ib, clock, codes):
        contract = await bench.contract(ib, "OLD")
        ib.reqMktData(contract)
        await ib.reqCurrentTimeAsync()
        assert codes == [354]
        ib.reqMarketDataType(3)
        ticker = ib.reqMktData(contract)
        await bench.until(lambda: ticker.marketDataType == 3 and ticker.bid > 0)
        assert codes == [354, 10167]
        past = await ib.reqHistoricalDataAsync(contract, "", "1200 S", "5 secs", "BID", False, formatDate=2)
        late = [bar.close for bar in past if bar.date.timestamp() == (clock.now() // SECOND - 900) // 5 * 5 - 5]
        assert [ticker.bid] == late
        live = ib.reqMktData(await bench.contract(ib))
        await bench.until(lambda: live.bid > 0)
        assert live.marketDataType == 1

    connected(scenario, instruments=path)


def test_a_closed_market_is_silent_and_shows_its_last_quote_frozen(connected, bench):
    async def scenario(gateway, ib, clock, codes):
        stock, pair = await ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"), Forex("EURUSD"))
        ib.reqMarketDataType(2)
        frozen, live = ib.reqMktData(stock), ib.reqMktData(pair)
        await bench.until(lambda: frozen.bid > 0 and live.bid > 0)
        assert (frozen.marketDataType, live.marketDataType) == (2, 1)
        seen = (frozen.bid, frozen.ask, live.time)
        for _ in range(3):
            clock.leap(SECOND)
            await bench.until(lambda: gateway.exchange.quote("SPY").time > clock.now() - SECOND)
        await bench.until(lambda: live.time > seen[2])
        assert (frozen.bid, frozen.ask) == seen[:2]

    connected(scenario, start=SUNDAY, models=VenueModels(hours=load_hours("XNYS")))


def test_a_client_that_keeps_the_pace_is_served_by_a_strict_gateway_and_one_that_does_not_is_ended(bench):
    async def scenario():
        clock = SteppedClock(WEDNESDAY)
        async with PaperGateway(limits=STRICT, clock=clock) as gateway:
            async with bench.client(gateway, 1) as ib:
                codes = []
                ib.errorEvent += lambda request, code, text, contract: codes.append(code)
                for _ in range(2):
                    clock.leap(SECOND)
                    for _ in range(45):
                        ib.client.reqIds(1)
                    await ib.reqCurrentTimeAsync()
                assert codes == []
            async with bench.client(gateway, 2) as ib:
                codes = []
                ib.errorEvent += lambda request, code, text, contract: codes.append(code)
                for _ in range(60):
                    ib.client.reqIds(1)
                await bench.until(lambda: not ib.isConnected())
                assert codes == [100, 100, 100]

    bench.run(scenario())


def test_messages_beyond_the_rate_wait_where_the_gateway_is_set_to_that(bench):
    async def scenario():
        clock, limits = SteppedClock(WEDNESDAY), GatewayLimits(messages_per_second=30, excess=ExcessPolicy.QUEUE)
        async with PaperGateway(limits=limits, clock=clock) as gateway, bench.client(gateway, 1) as ib:
            clock.leap(SECOND)
            answers = []
            ib.wrapper.nextValidId = answers.append
            for _ in range(45):
                ib.client.reqIds(1)
            await bench.until(lambda: len(answers) == 30)
            await clock.advance(SECOND - 1)
            assert len(answers) == 30
            await clock.advance(1)
            await bench.until(lambda: len(answers) == 45)

    bench.run(scenario())
