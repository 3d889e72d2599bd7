"""Accounts: several, an advisor's, profit and loss, and requests without data."""

import pytest
from ib_async import Client, MarketOrder

from mats.gateway import PaperGateway
from mats.model.timestamp import DAY, SECOND
from mats.venue.clock import SteppedClock

DAY_START = 1_795_000_000 * SECOND // DAY * DAY


def test_an_advisor_has_to_allocate_and_others_have_to_name_the_account(bench):
    async def scenario():
        for accounts, code in ((("DF1", "DU2", "DU3"), 436), (("DU1", "DU2"), 435)):
            async with PaperGateway(accounts=accounts) as gateway, bench.client(gateway, 1) as ib:
                codes = []
                ib.errorEvent += lambda request, code, text, contract, codes=codes: codes.append(code)
                contract = await bench.contract(ib)
                ib.placeOrder(contract, MarketOrder("BUY", 10))
                ib.placeOrder(contract, MarketOrder("BUY", 10, account="DU2", faGroup="All"))
                ib.client.requestFA(1)
                await ib.reqCurrentTimeAsync()
                assert codes == [code, 201] + [321] * (code == 435)
                trade = ib.placeOrder(contract, MarketOrder("BUY", 10, account="DU2"))
                await bench.until(trade.isDone)
                assert {p.account: p.position for p in ib.positions()} == {"DU2": 10}

    bench.run(scenario())


def test_account_updates_serve_one_account_and_the_others_get_2101(bench):
    async def scenario():
        async with (
            PaperGateway(accounts=("DU1", "DU2")) as gateway,
            bench.client(gateway, 1) as first,
            bench.client(gateway, 2) as second,
        ):
            codes = []
            second.errorEvent += lambda request, code, text, contract: codes.append(code)
            first.client.reqAccountUpdates(True, "DU1")
            await first.reqCurrentTimeAsync()
            second.client.reqAccountUpdates(True, "DU2")
            await second.reqCurrentTimeAsync()
            assert codes == [2101]
            first.client.reqAccountUpdates(False, "DU1")
            await first.reqCurrentTimeAsync()
            second.client.reqAccountUpdates(True, "DU2")
            await second.reqCurrentTimeAsync()
            assert codes == [2101]

    bench.run(scenario())


def test_daily_pnl_starts_over_with_the_day_and_survives_a_restart(bench, tmp_path):
    clock, state = SteppedClock(DAY_START + DAY // 2), tmp_path / "gateway.db"

    async def profits(ib, contract):
        whole, single = ib.reqPnL("DU1000001"), ib.reqPnLSingle("DU1000001", "", contract.conId)
        await bench.until(lambda: whole.dailyPnL == whole.dailyPnL and single.value == single.value)
        return whole, single

    async def first_day():
        async with PaperGateway(clock=clock, state=state) as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            bought = ib.placeOrder(contract, MarketOrder("BUY", 100))
            await bench.until(bought.isDone)
            whole, single = await profits(ib, contract)
            assert single.position == 100
            assert whole.dailyPnL == pytest.approx(whole.unrealizedPnL + whole.realizedPnL)
            before = whole.unrealizedPnL
            clock.leap(3600 * SECOND)
            await bench.until(lambda: whole.unrealizedPnL != before)
            price = float(gateway.exchange.mark("SPY"))
            assert single.value == pytest.approx(100 * price)
            assert whole.unrealizedPnL == pytest.approx(100 * (price - bought.fills[0].execution.price))

    async def second_day():
        clock.leap(DAY)
        async with PaperGateway(clock=clock, state=state) as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            await bench.until(lambda: gateway.exchange.quote("SPY"))
            whole, _ = await profits(ib, contract)
            assert whole.dailyPnL == 0 != whole.unrealizedPnL
            sold = ib.placeOrder(contract, MarketOrder("SELL", 100))
            await bench.until(sold.isDone)
            await clock.advance(SECOND)
            await bench.until(lambda: whole.realizedPnL != 0)
            assert whole.unrealizedPnL == 0

    bench.run(first_day())
    bench.run(second_day())


def test_every_other_request_is_answered_or_refused_and_the_session_goes_on(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            codes = []
            ib.errorEvent += lambda request, code, text, contract: codes.append(code)
            contract = await bench.contract(ib)
            assert await ib.reqNewsProvidersAsync() == []
            await ib.reqUserInfoAsync()
            assert await ib.reqScannerParametersAsync()
            assert await ib.reqMktDepthExchangesAsync()
            client: Client = ib.client
            client.reqNewsBulletins(True)
            client.setServerLogLevel(5)
            client.reqFundamentalData(1, contract, "ReportSnapshot", [])
            client.calculateImpliedVolatility(2, contract, 5.0, 100.0, [])
            client.exerciseOptions(3, contract, 1, 1, "", 0)
            client.reqWshMetaData(4)
            client.reqNewsArticle(5, "BZ", "x", [])
            client.replaceFA(6, 1, "")
            client.verifyRequest("x", "1")
            client.send(4711, 1)
            for number in (23, 53, 56, 57, 89, 90):
                client.send(number, 1, 4711)
            await ib.reqCurrentTimeAsync()
            assert codes == [10358, 321, 322, 10276, 10276, 321, 531, 321]
            assert ib.isConnected()

    bench.run(scenario())
