"""Contracts as IB states them: symbols that collide, steps of size and price, zones, listings, names of exchanges."""

import pytest
from ib_async import (
    CFD,
    Bond,
    Contract,
    Crypto,
    Forex,
    Future,
    FuturesOption,
    Index,
    LimitOrder,
    MarketOrder,
    Option,
    Stock,
)

from mats.gateway import PaperGateway
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock
from mats.venue.models.selection import VenueModels, load_hours

NOW = 1_795_000_000 * SECOND
"""A Wednesday of November 2026, 11:06 in London."""

DECEMBER = "20261218"


@pytest.fixture
def connected(bench):
    """Runs a scenario with a connected client; the second argument of it collects errors."""

    def run(scenario, **options):
        clock = SteppedClock(NOW)

        async def inside():
            async with PaperGateway(clock=clock, **options) as gateway, bench.client(gateway, 1) as ib:
                errors = []
                ib.errorEvent += lambda request, code, text, contract: errors.append((code, text))
                await scenario(ib, errors, clock)

        bench.run(inside())

    return run


async def only(ib, contract):
    """The details of a description that fits one contract."""
    (details,) = await ib.reqContractDetailsAsync(contract)
    return details


@pytest.mark.parametrize(
    ("symbol", "exchange", "month", "expected"),
    [
        ("DAX", "EUREX", "202612", {("FDAX", "25"), ("FDXM", "5"), ("FDXS", "1")}),
        ("SI", "COMEX", "202612", {("SI", "5000"), ("SIL", "1000")}),
        ("FTMIB", "IDEM", "202612", {("FIB", "5"), ("MINI", "1")}),
        ("EOE", "FTA", "202612", {("FTI", "200"), ("MFA", "20")}),
        ("ES", "CME", "202612", {("ES", "50")}),
        ("MES", "CME", "202612", {("MES", "5")}),
    ],
)
def test_one_symbol_and_month_may_fit_several_futures(connected, symbol, exchange, month, expected):
    async def scenario(ib, errors, clock):
        found = await ib.reqContractDetailsAsync(Future(symbol, month, exchange))
        assert {(d.contract.tradingClass, d.contract.multiplier) for d in found} == expected
        assert len({d.contract.conId for d in found}) == len(expected)
        for trading_class, _ in expected:
            details = await only(ib, Future(symbol, month, exchange, tradingClass=trading_class))
            by_id = await only(ib, Contract(conId=details.contract.conId))
            assert by_id.contract == details.contract
        assert errors == []

    connected(scenario)


def test_futures_of_one_symbol_are_held_and_valued_apart(connected, bench):
    async def scenario(ib, errors, clock):
        classes = {"FDAX": 25, "FDXM": 5, "FDXS": 1}
        contracts = [Future("DAX", "202612", "EUREX", tradingClass=name) for name in classes]
        await ib.qualifyContractsAsync(*contracts)
        trades = [ib.placeOrder(contract, MarketOrder("BUY", 1)) for contract in contracts]
        await ib.reqCurrentTimeAsync()
        await clock.advance(SECOND)
        await bench.until(lambda: len(ib.positions()) == len(classes))
        for position in ib.positions():
            (trade,) = (t for t in trades if t.contract.conId == position.contract.conId)
            assert position.avgCost == trade.fills[0].execution.price * classes[position.contract.tradingClass]
            assert position.contract.exchange == ""
        assert errors == []

    connected(scenario)


def test_a_share_states_fractions_and_takes_none_unless_it_is_told_to(connected, bench):
    def scenario_of(expected):
        async def scenario(ib, errors, clock):
            spy = Stock("SPY", "SMART", "USD")
            details = await only(ib, spy)
            assert (details.minSize, details.sizeIncrement, details.suggestedSizeIncrement) == (0.0001, 0.0001, 100)
            assert [(i.tag, i.value) for i in details.secIdList] == [("ISIN", "US78462F1030")]
            trade = ib.placeOrder(details.contract, LimitOrder("BUY", 1.5, 1.0))
            await ib.reqCurrentTimeAsync()
            assert [code for code, _ in errors] == expected
            assert (trade.orderStatus.status == "Submitted") != bool(expected)

        return scenario

    connected(scenario_of([10243]))
    connected(scenario_of([]), fractions=True)


@pytest.mark.parametrize(
    ("contract", "zone", "last_day", "last_time"),
    [
        (Future("ES", "202612", "CME"), "US/Central", "20261218", "08:30"),
        (Future("DAX", "202612", "EUREX", tradingClass="FDXM"), "MET", "20261218", "13:00"),
        (Future("N225", "202612", "OSE.JPN"), "JST", "20261210", "15:15"),
        (Future("CL", "202701", "NYMEX"), "US/Eastern", "20261222", "14:30"),
        (Option("SPY", "20261218", 560, "C", "SMART"), "US/Eastern", "20261218", "16:00"),
        (Stock("VOD", "SMART", "GBP"), "GB-Eire", "", ""),
        (Forex("USDCHF"), "US/Eastern", "", ""),
    ],
)
def test_zones_and_last_days_are_written_as_ib_does(connected, contract, zone, last_day, last_time):
    async def scenario(ib, errors, clock):
        details = await only(ib, contract)
        assert details.timeZoneId == zone
        assert (details.contract.lastTradeDateOrContractMonth, details.lastTradeTime) == (last_day, last_time)
        assert details.realExpirationDate == last_day

    connected(scenario)


def test_without_an_exchange_a_contract_is_listed_at_each_of_its_own_under_one_id(connected):
    async def scenario(ib, errors, clock):
        rows = await ib.reqContractDetailsAsync(Future("ES", "202612"))
        assert [row.contract.exchange for row in rows] == ["CME", "QBALGO"]
        assert {row.validExchanges for row in rows} == {"CME,QBALGO"}
        assert len({row.contract.conId for row in rows}) == 1
        (under,) = {row.underConId for row in rows}
        assert (await only(ib, Contract(conId=under))).contract.symbol == "SPX"

    connected(scenario)


def test_days_without_a_session_are_closed(connected):
    async def scenario(ib, errors, clock):
        details = await only(ib, Stock("SPY", "SMART", "USD"))
        days = [day.partition(":")[::2] for day in details.liquidHours.split(";")]
        assert [day for day, hours in days if hours == "CLOSED"] == ["20261121", "20261122"]
        assert days[0] == ("20261118", "0930-20261118:1600") and len(days) == 6
        assert "20261121:CLOSED;20261122:CLOSED" in details.tradingHours

    connected(scenario, models=VenueModels(hours=load_hours("XNYS")))


def test_the_old_name_of_a_primary_exchange_is_known(connected):
    async def scenario(ib, errors, clock):
        for exchange in ("ISLAND", "NASDAQ"):
            details = await only(ib, Stock("MSFT", "SMART", "USD", primaryExchange=exchange))
            assert (details.contract.conId, details.contract.primaryExchange) == (272093, "NASDAQ")
        assert await ib.reqContractDetailsAsync(Stock("MSFT", "SMART", "USD", primaryExchange="NYSE")) == []

    connected(scenario)


def test_a_share_listed_twice_in_one_currency_needs_its_exchange(connected):
    async def scenario(ib, errors, clock):
        found = await ib.reqContractDetailsAsync(Stock("VWCE", "SMART", "EUR"))
        assert {d.contract.primaryExchange for d in found} == {"IBIS2", "BVME.ETF"}
        one = await only(ib, Stock("VWCE", "SMART", "EUR", primaryExchange="IBIS2"))
        other = await only(ib, Stock("VWCE", "SMART", "EUR", primaryExchange="BVME"))
        assert one.contract.conId != other.contract.conId

    connected(scenario)


def test_pence_and_cents_are_hundredths_of_the_currency(connected, bench):
    async def scenario(ib, errors, clock):
        vodafone, corn = Stock("VOD", "SMART", "GBP"), Future("ZC", "202612", "CBOT")
        await ib.qualifyContractsAsync(vodafone, corn)
        assert [(await only(ib, c)).priceMagnifier for c in (vodafone, corn)] == [100, 100]
        trades = [ib.placeOrder(vodafone, MarketOrder("BUY", 1000)), ib.placeOrder(corn, MarketOrder("BUY", 1))]
        await ib.reqCurrentTimeAsync()
        await clock.advance(SECOND)
        await bench.until(lambda: len(ib.positions()) == 2)
        paid = {t.contract.conId: t.orderStatus.avgFillPrice for t in trades}
        cost = {position.contract.conId: position.avgCost for position in ib.positions()}
        assert cost[vodafone.conId] == pytest.approx(paid[vodafone.conId] / 100)
        assert cost[corn.conId] == pytest.approx(paid[corn.conId] * 50)
        await bench.until(lambda: len(ib.portfolio()) == 2)
        values = {item.contract.conId: item.marketValue / item.marketPrice for item in ib.portfolio()}
        assert values == {vodafone.conId: pytest.approx(10), corn.conId: pytest.approx(50)}

    connected(scenario)


def test_index_options_of_one_strike_and_day_differ_by_class(connected):
    async def scenario(ib, errors, clock):
        found = await ib.reqContractDetailsAsync(Option("SPX", DECEMBER, 6000, "C", "SMART"))
        assert {d.contract.localSymbol for d in found} == {"SPX   261218C06000000", "SPXW  261218C06000000"}
        weekly = await only(ib, Option("SPX", "20261106", 6935, "C", "SMART", includeExpired=True))
        assert weekly.contract.localSymbol == "SPXW  261106C06935000"
        rule = await ib.reqMarketRuleAsync(int(weekly.marketRuleIds.partition(",")[0]))
        assert [(step.lowEdge, step.increment) for step in rule] == [(0, 0.05), (3, 0.1)]
        for details in found:
            assert (await only(ib, Contract(conId=details.contract.conId))).contract == details.contract
            assert await only(ib, Option(localSymbol=details.contract.localSymbol, exchange="SMART"))
        classes = {page.tradingClass for page in await ib.reqSecDefOptParamsAsync("SPX", "", "IND", 416904)}
        assert classes == {"SPX", "SPXW"}

    connected(scenario)


@pytest.mark.parametrize(
    ("contract", "local_symbol", "multiplier"),
    [
        (Option("AIG", DECEMBER, 75, "C", "SMART", tradingClass="AIG1"), "AIG1  261218C00075000", "100"),
        (Option("ESTX50", DECEMBER, 4775, "C", "EUREX"), "C OESX  20261218 4775 M", "10"),
        (FuturesOption("ES", DECEMBER, 6000, "C", "CME"), "ESZ6 C6000", "50"),
        (CFD("IBUS500", "SMART", "USD"), "IBUS500", "1"),
        (Crypto("BTC", "PAXOS", "USD"), "BTC.USD", ""),
        (Index("NDX", "NASDAQ"), "NDX", ""),
        (Index("DAX", "EUREX", "EUR"), "DAX", ""),
        (Forex("USDCHF"), "USD.CHF", ""),
    ],
)
def test_other_types_have_details_and_data(connected, bench, contract, local_symbol, multiplier):
    async def scenario(ib, errors, clock):
        details = await only(ib, contract)
        found = details.contract
        assert (found.localSymbol, found.multiplier) == (local_symbol, multiplier)
        ticker = ib.reqMktData(Contract(conId=found.conId, exchange=found.exchange))
        await ib.reqCurrentTimeAsync()
        await clock.advance(2 * SECOND)
        await bench.until(lambda: ticker.bid > 0 or ticker.last > 0)
        assert errors == []

    connected(scenario)


def test_a_bond_is_described_by_a_message_of_its_own(connected):
    async def scenario(ib, errors, clock):
        details = await only(ib, Bond(symbol="US-T", exchange="SMART", currency="USD"))
        assert details.contract.conId == 900_000_020
        assert (details.minTick, details.minSize) == (0.015625, 1000.0)

    connected(scenario)


def test_a_price_follows_the_step_at_its_level(connected):
    async def scenario(ib, errors, clock):
        (option,) = await ib.qualifyContractsAsync(Option("SPX", DECEMBER, 6000, "C", "SMART", tradingClass="SPX"))
        for price in (2.95, 3.05, 3.10):
            ib.placeOrder(option, LimitOrder("BUY", 1, price))
        await ib.reqCurrentTimeAsync()
        assert [code for code, _ in errors] == [110]

    connected(scenario)


def test_what_is_held_in_another_currency_counts_at_its_rate(connected, bench):
    async def scenario(ib, errors, clock):
        (future,) = await ib.qualifyContractsAsync(Future("HSI", "202612", "HKFE"))
        ib.placeOrder(future, MarketOrder("BUY", 2))
        await ib.reqCurrentTimeAsync()
        await clock.advance(SECOND)
        (gross,) = await bench.until(
            lambda: [float(v.value) for v in ib.accountValues() if v.tag == "GrossPositionValue" and float(v.value)]
        )
        assert gross == pytest.approx(19000 * 50 * 2 / 7.78, rel=0.3)

    connected(scenario)
