"""Unmodified clients of three generations complete the same session.

IB's own client exists in many versions under one name: the one of the extra `clients` is tested where it is
installed; another one in a folder (`pip install --target FOLDER ibapi==9.81.1.post1`) where MATS_IBAPI names that.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from mats.gateway import PaperGateway
from tests.patience import PATIENCE

SCRIPT = Path(__file__).parent / "ibapi_session.py"

COMMON = frozenset(
    "accountDownloadEnd accountSummary accountSummaryEnd commissionReport contractDetails contractDetailsEnd error"
    " execDetails historicalData historicalDataEnd managedAccounts nextValidId openOrder orderStatus pnl positionEnd"
    " securityDefinitionOptionParameter tickByTickBidAsk tickPrice tickSize updateAccountValue updateMktDepth".split()
)


@pytest.mark.parametrize("package", ["ib_async", "ib_insync"])
def test_a_session_with_an_asynchronous_client(bench, package):
    client = pytest.importorskip(package, reason="the extra `clients` is not installed")

    async def scenario():
        async with PaperGateway() as gateway:
            ib = client.IB()
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=5, timeout=PATIENCE)
            contract = client.Stock("SPY", "SMART", "USD")
            await ib.qualifyContractsAsync(contract)
            await data(bench, ib, contract)
            trades = await trade(bench, client, ib, contract)
            ib.disconnect()
            await bench.until(lambda: 5 not in gateway.connected)
            ib = client.IB()
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=5, timeout=PATIENCE)
            assert [(t.order.orderId, t.order.lmtPrice) for t in ib.openTrades()] == [(trades[1].order.orderId, 1.75)]
            assert [fill.execution.orderId for fill in ib.fills()] == [trades[0].order.orderId]
            assert [position.position for position in ib.positions()] == [10]
            ib.disconnect()

    bench.run(scenario())


async def data(bench, ib, contract):
    assert len(await ib.reqHistoricalDataAsync(contract, "", "1 D", "1 hour", "TRADES", False)) in (23, 24)
    ticker, bars = ib.reqMktData(contract), ib.reqRealTimeBars(contract, 5, "TRADES", False)
    ib.reqTickByTickData(contract, "BidAsk")
    depth = ib.reqMktDepth(contract, 3)
    await bench.until(lambda: ticker.bid > 0 and ticker.tickByTicks and len(depth.domBids) == 3)
    assert [level.price for level in depth.domBids] == sorted((level.price for level in depth.domBids), reverse=True)
    chain = await ib.reqSecDefOptParamsAsync("SPY", "", "STK", contract.conId)
    assert "SMART" in {page.exchange for page in chain}
    assert 560.0 in chain[0].strikes and "20261218" in chain[0].expirations
    assert bars.reqId


async def trade(bench, client, ib, contract):
    """An order of each type; the first is filled, the second changed, the others cancelled, one more is refused."""
    orders = [
        client.MarketOrder("BUY", 10),
        client.LimitOrder("BUY", 10, 1.5),
        client.StopOrder("SELL", 10, 1.5),
        client.StopLimitOrder("SELL", 10, 1.25, 1.5),
        client.Order(action="SELL", totalQuantity=10, orderType="TRAIL", auxPrice=100.0),
        client.Order(action="BUY", totalQuantity=10, orderType="MIT", auxPrice=1.5),
    ]
    trades = [ib.placeOrder(contract, order) for order in orders]
    await bench.until(lambda: trades[0].fills and trades[0].fills[0].commissionReport.execId)
    await bench.until(lambda: all(t.orderStatus.permId and t.orderStatus.status != "PendingSubmit" for t in trades))
    trades[1].order.lmtPrice = 1.75
    ib.placeOrder(contract, trades[1].order)
    for resting in trades[2:]:
        ib.cancelOrder(resting.order)
    await bench.until(lambda: all(t.orderStatus.status == "Cancelled" for t in trades[2:]))
    codes = []
    ib.errorEvent += lambda request, code, text, contract: codes.append(code)
    ib.placeOrder(contract, client.LimitOrder("BUY", 10, 1.001))
    await bench.until(lambda: codes == [110])
    await ib.reqCurrentTimeAsync()
    return trades


@pytest.mark.parametrize(
    ("version", "folder"),
    [
        pytest.param(178, "", id="10.30"),
        pytest.param(157, os.environ.get("MATS_IBAPI", ""), id="9.81"),
    ],
)
def test_a_session_with_the_client_of_ib(bench, version, folder):
    if version == 157 and not folder:
        pytest.skip("MATS_IBAPI names no folder with ibapi 9.81")
    if not folder:
        pytest.importorskip("ibapi", reason="the extra `clients` is not installed")

    async def scenario():
        async with PaperGateway() as gateway:
            environment = {**os.environ, "PYTHONPATH": folder}
            streams = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
            client = await asyncio.create_subprocess_exec(
                sys.executable, str(SCRIPT), str(gateway.port), env=environment, **streams
            )
            out, err = await client.communicate()
            assert client.returncode == 0, err.decode()
            return json.loads(out)

    result = {}
    bench.run(keep(scenario(), result))
    assert (result["version"], result["open"], result["executions"]) == (version, True, True)
    assert set(result["seen"]) >= COMMON


async def keep(scenario, result):
    result.update(await scenario)
