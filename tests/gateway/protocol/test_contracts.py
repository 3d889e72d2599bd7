"""Contracts: futures, options, indices; what is ambiguous, unknown, similar."""

from decimal import Decimal
from itertools import pairwise

import pytest
from ib_async import Contract, Forex, Future, Index, LimitOrder, MarketOrder, Option, Stock

from mats.gateway import PaperGateway
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock
from mats.venue.models.selection import VenueModels, load_hours

NOW = 1_795_000_000 * SECOND


SESSIONS = ["20261112", "20261113", "20261116", "20261117"]
"""Of the six days before now, without the weekend."""


@pytest.fixture
def connected(bench):
    """Runs a scenario with a connected client; the second argument of it collects error codes."""

    def run(scenario, clock=None, **options):
        async def inside():
            async with (
                PaperGateway(clock=clock or SteppedClock(NOW), **options) as gateway,
                bench.client(gateway, 1) as ib,
            ):
                codes = []
                ib.errorEvent += lambda request, code, text, contract: codes.append(code)
                await scenario(ib, codes)

        bench.run(inside())

    return run


def test_futures_options_and_indices_have_their_details(connected):
    async def scenario(ib, codes):
        (future,) = await ib.reqContractDetailsAsync(Future("ES", "202612", "CME"))
        assert (future.contract.lastTradeDateOrContractMonth, future.contract.localSymbol) == ("20261218", "ESZ6")
        assert (future.contract.multiplier, future.minTick, future.contractMonth) == ("50", 0.25, "202612")
        (option,) = await ib.reqContractDetailsAsync(Option("SPY", "20261218", 560, "P", "SMART"))
        assert (option.contract.right, option.contract.strike, option.underConId) == ("P", 560.0, 756733)
        (index,) = await ib.reqContractDetailsAsync(Index("SPX", "CBOE"))
        assert index.contract.exchange == "CBOE"
        assert codes == []

    connected(scenario)


def test_expired_contracts_are_listed_only_on_request(connected):
    async def scenario(ib, codes):
        futures = await ib.reqContractDetailsAsync(Future("ES", exchange="CME"))
        everything = await ib.reqContractDetailsAsync(Contract(symbol="ES", secType="FUT", includeExpired=True))
        ends = [details.contract.lastTradeDateOrContractMonth for details in futures]
        assert ends[0] == "20261218" and ends == sorted(ends)
        assert len({details.contract.conId for details in everything}) == 24 > len(futures)
        assert {details.contract.exchange for details in everything} == {"CME", "QBALGO"}

    connected(scenario)


def test_an_option_chain_comes_in_pages_that_hold_its_options(connected):
    async def scenario(ib, codes):
        (stock,) = await ib.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        pages = await ib.reqSecDefOptParamsAsync("AAPL", "", "STK", stock.conId)
        assert {"SMART", "CBOE"} <= {page.exchange for page in pages}
        page = pages[0]
        assert page.expirations[0] == "20261218" and page.multiplier == "100"
        options = await ib.reqContractDetailsAsync(Option("AAPL", page.expirations[0], 0, "", "SMART"))
        assert {(o.contract.strike, o.contract.right) for o in options} == {(s, r) for s in page.strikes for r in "CP"}
        await ib.reqSecDefOptParamsAsync("AAPL", "", "STK", 1)
        assert codes == [200]

    connected(scenario)


def test_an_ambiguous_contract_has_several_details_but_no_data_and_no_order(connected):
    async def scenario(ib, codes):
        sap = Contract(symbol="SAP", secType="STK", exchange="SMART")
        assert {d.contract.currency for d in await ib.reqContractDetailsAsync(sap)} == {"USD", "EUR"}
        ib.client.reqMktData(9001, sap, "", False, False, [])
        ib.client.placeOrder(ib.client.getReqId(), sap, MarketOrder("BUY", 1))
        await ib.reqCurrentTimeAsync()
        assert codes == [200, 200]
        local = await ib.reqContractDetailsAsync(Contract(symbol="SAP", secType="STK", currency="EUR"))
        assert {details.contract.primaryExchange for details in local} == {"IBIS"}

    connected(scenario)


def test_symbols_are_found_by_their_beginning_and_by_name(connected):
    async def scenario(ib, codes):
        found = await ib.reqMatchingSymbolsAsync("SP")
        assert {"SPY", "SPX"} <= {sample.contract.symbol for sample in found}
        assert next(s for s in found if s.contract.symbol == "SPY").derivativeSecTypes == ["OPT"]
        assert [s.contract.symbol for s in await ib.reqMatchingSymbolsAsync("apple")] == ["AAPL"]
        assert await ib.reqMatchingSymbolsAsync("ZZZZ") == []

    connected(scenario)


def test_the_rule_of_a_contract_is_its_tick(connected):
    async def scenario(ib, codes):
        for contract in (Stock("SPY", "SMART", "USD"), Forex("EURUSD"), Forex("USDJPY"), Future("NQ", "202612", "CME")):
            (details,) = await ib.reqContractDetailsAsync(contract)
            rule = await ib.reqMarketRuleAsync(int(details.marketRuleIds.split(",")[0]))
            assert [step.increment for step in rule] == [details.minTick]
        ib.client.reqMarketRule(9999)
        await ib.reqCurrentTimeAsync()
        assert codes == [321]

    connected(scenario)


def test_a_rule_has_the_tick_of_each_level_and_the_least_one_is_stated(connected):
    """An order at any price is accepted or gets 110 by the level of its price."""

    async def scenario(ib, codes):
        option = Option("SPX", "20261218", 6000, "C", "SMART")
        for contract in (Stock("VOD", "SMART", "GBP"), Stock("7203", "SMART", "JPY"), option):
            details = (await ib.reqContractDetailsAsync(contract))[-1]
            rule = await ib.reqMarketRuleAsync(int(details.marketRuleIds.split(",")[0]))
            assert len(rule) > 1
            assert details.minTick == min(step.increment for step in rule)
            for step, beyond in pairwise([*rule, rule[-1]]):
                codes.clear()
                inside = step.lowEdge + step.increment
                ib.placeOrder(details.contract, LimitOrder("BUY", 1, inside, whatIf=True))
                await ib.reqCurrentTimeAsync()
                assert 110 not in codes
                if beyond is not step:
                    ib.placeOrder(details.contract, LimitOrder("BUY", 1, beyond.lowEdge + step.increment, whatIf=True))
                    await ib.reqCurrentTimeAsync()
                    assert 110 in codes

    connected(scenario)


def test_hours_are_those_of_the_calendar(connected):
    async def scenario(ib, codes):
        (details,) = await ib.reqContractDetailsAsync(Stock("SPY", "SMART", "USD"))
        assert details.liquidHours.startswith("20261118:0930-20261118:1600;20261119:0930-20261119:1600;")
        assert details.tradingHours.startswith("20261118:0400-20261118:2000;")
        stock = details.contract
        bars = await ib.reqHistoricalDataAsync(stock, "", "2 D", "30 mins", "TRADES", True, 1)
        assert {bar.date.astimezone().minute % 30 for bar in bars} == {0}
        assert len(await ib.reqHistoricalDataAsync(stock, "", "2 D", "30 mins", "TRADES", False)) == 63 > 2 * len(bars)
        plan = await ib.reqHistoricalScheduleAsync(stock, 6)
        assert [session.refDate for session in plan.sessions] == SESSIONS

    connected(scenario, models=VenueModels(hours=load_hours("XNYS")))


def test_futures_and_options_trade_by_their_multiplier_and_an_index_does_not(connected, bench):
    clock = SteppedClock(NOW)

    async def scenario(ib, codes):
        option, future = Option("SPY", "20261218", 560, "C", "SMART"), Future("ES", "202612", "CME")
        await ib.qualifyContractsAsync(option, future)
        trades = [ib.placeOrder(contract, MarketOrder("BUY", 2)) for contract in (option, future)]
        await ib.reqCurrentTimeAsync()
        await clock.advance(SECOND)
        await bench.until(lambda: all(trade.isDone() for trade in trades))
        costs = {position.contract.secType: position.avgCost for position in ib.positions()}
        assert costs["OPT"] == pytest.approx(trades[0].fills[0].execution.price * 100)
        assert costs["FUT"] == pytest.approx(trades[1].fills[0].execution.price * 50)
        ib.placeOrder(Index("SPX", "CBOE"), LimitOrder("BUY", 1, Decimal(10)))
        await ib.reqCurrentTimeAsync()
        assert codes == [201]

    connected(scenario, clock)
