"""Every message of the gateway is decoded by two independent clients, and they agree field by field."""

from collections import Counter
from decimal import Decimal

from ib_async import Contract, ExecutionFilter, Forex, Future, Index, LimitOrder, MarketOrder, Option, StopOrder

from mats.gateway import PaperGateway
from mats.gateway.pacing import GatewayLimits
from mats.gateway.protocol.client_session import MIN_VERSION
from mats.gateway.protocol.versions import adapt
from mats.gateway.protocol.wire import text
from mats.model.orders import Side
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock

NOW = 1_795_000_000 * SECOND

MESSAGES = frozenset(
    "1 2 3 4 5 6 7 8 9 10 11 12 13 15 16 17 19 21 45 46 49 50 52 53 54 55 57 58 59 61 62 63 64 67 68 71 72 73 74 75"
    " 76 77 78 79 80 81 82 85 87 88 89 90 93 94 95 96 97 98 99 100 101 102 106 107".split()
)
"""The numbers of the messages that the gateway can send."""


SAMPLES = 2
"""Messages of each kind that are compared in older versions."""
GATES = (157, 158, 159, 160, 162, 163, 164, 165, 166, 169, 170, 175, 176, 177)
"""Versions with which a layout begins or before which it ends."""
NEWER = {"106": 165, "107": 167}
"""Messages that came later than the oldest version."""


async def everything(ib, clock, bench, gateway):
    """Asks for all that there is."""
    spy, eur = await bench.contract(ib), Forex("EURUSD")
    option = Option("SPY", "20261218", 560, "C", "SMART")
    await ib.qualifyContractsAsync(eur, option)
    client = ib.client
    await account_questions(ib, spy)
    await contract_questions(ib, spy)
    for request, (contract, generic) in enumerate([(spy, "233,236,221"), (eur, ""), (option, "")], 5000):
        client.reqMktData(request, contract, generic, False, False, [])
    client.reqMktData(5003, spy, "", True, False, [])
    for request, kind in enumerate(("Last", "AllLast", "BidAsk", "MidPoint"), 5010):
        client.reqTickByTickData(request, spy, kind, 0, False)
    client.reqMktDepth(5020, spy, 5, False, [])
    client.reqMktDepth(5021, spy, 5, True, [])
    client.reqRealTimeBars(5030, spy, 5, "TRADES", False, [])
    client.reqHistoricalData(5040, spy, "", "600 S", "30 secs", "TRADES", False, 1, True, [])
    client.reqHistoricalData(5041, spy, "", "5 D", "1 day", "SCHEDULE", False, 1, False, [])
    client.reqHistoricalData(5042, spy, "", "2 D", "1 hour", "BID_ASK", True, 2, False, [])
    client.reqHistoricalData(5043, eur, "", "6 M", "1 week", "MIDPOINT", True, 1, False, [])
    client.reqHeadTimeStamp(5044, spy, "TRADES", False, 1)
    client.reqHistogramData(5045, spy, False, "1 days")
    for request, kind in enumerate(("TRADES", "BID_ASK", "MIDPOINT"), 5046):
        client.reqHistoricalTicks(request, spy, "", "20261101 12:00:00 UTC", 20, kind, False, False, [])
    await orders(ib, gateway, clock, bench, spy, eur, option)
    for _ in range(8):
        await clock.advance(2 * SECOND)
    gateway.account_service.publish_all()
    await ib.reqCurrentTimeAsync()


async def account_questions(ib, spy):
    client = ib.client
    client.reqAccountSummary(4000, "All", "NetLiquidation,$LEDGER:ALL")
    client.reqPnL(4001, "DF1", "")
    client.reqPnLSingle(4002, "DU2", "", spy.conId)
    client.reqPositionsMulti(4003, "DU2", "")
    client.reqAccountUpdatesMulti(4004, "DU2", "", True)
    client.reqAccountUpdates(True, "DU2")
    client.requestFA(1)
    client.requestFA(3)
    client.requestFA(2)
    client.reqFamilyCodes()
    client.reqManagedAccts()
    client.reqIds(1)


async def contract_questions(ib, spy):
    client = ib.client
    for request, contract in enumerate(
        [
            Contract(symbol="SAP", secType="STK"),
            Future("ES", "202612", "CME"),
            Index("SPX", "CBOE"),
            Contract(symbol="NO"),
        ],
        3000,
    ):
        client.reqContractDetails(request, contract)
    client.reqSecDefOptParams(3010, "SPY", "", "STK", spy.conId)
    client.reqMatchingSymbols(3011, "sp")
    client.reqMarketRule(26)
    client.reqSmartComponents(3012, "9c0001")
    client.reqMktDepthExchanges()
    client.reqScannerParameters()
    client.reqNewsProviders()
    client.reqHistoricalNews(3013, spy.conId, "BZ", "", "", 10, [])
    client.reqSoftDollarTiers(3014)
    client.reqUserInfo(3015)
    client.queryDisplayGroups(3016)
    client.subscribeToGroupEvents(3017, 1)
    client.send(199, 1)


async def orders(ib, gateway, clock, bench, spy, eur, option):
    """Filled, resting, changed, cancelled and refused ones."""
    done = [
        ib.placeOrder(contract, MarketOrder("BUY", size, account="DU2", orderRef="alpha:1"))
        for contract, size in ((spy, 10), (eur, 30_000), (option, 1))
    ]
    await ib.reqCurrentTimeAsync()
    await clock.advance(SECOND)
    await bench.until(lambda: all(trade.isDone() and trade.fills for trade in done))
    done.append(ib.placeOrder(spy, MarketOrder("SELL", 4, account="DU2")))
    resting = ib.placeOrder(spy, LimitOrder("BUY", 5, 1.25, account="DU2", tif="GTC"))
    stop = ib.placeOrder(spy, StopOrder("SELL", 5, 1.5, account="DU2"))
    ib.placeOrder(spy, LimitOrder("BUY", 5, 1.001, account="DU2"))
    await bench.until(lambda: resting.orderStatus.status == "Submitted" and stop.orderStatus.permId)
    resting.order.lmtPrice = 1.5
    ib.placeOrder(spy, resting.order)
    await ib.whatIfOrderAsync(spy, MarketOrder("BUY", 10, account="DU2"))
    gateway.faults.manual_order("IBM", Side.BUY, 10, price=Decimal(1), account="DU2")
    async with bench.client(gateway, 0):
        ib.cancelOrder(stop.order)
    await bench.until(lambda: stop.isDone())
    await ib.reqExecutionsAsync(ExecutionFilter())
    await ib.reqAllOpenOrdersAsync()
    await ib.reqCompletedOrdersAsync(False)


def test_every_message_is_decoded_by_both_clients_and_they_agree(bench, said, decoders, flatten, caplog):
    async def scenario():
        clock = SteppedClock(NOW)
        limits = GatewayLimits(messages_per_second=0, historical=False)
        gateway = PaperGateway(clock=clock, accounts=("DF1", "DU2"), limits=limits)
        gateway.faults.record(said.path)
        async with gateway, bench.client(gateway, 1) as ib:
            await everything(ib, clock, bench, gateway)

    with caplog.at_level("CRITICAL", "ib_async"):
        bench.run(scenario())
    seen, compared = Counter(), 0
    for fields in said.messages():
        seen[fields[0]] += 1
        compared += compare(fields, decoders.by_ib_async(fields), decoders.by_ibapi(fields), flatten)
        if seen[fields[0]] <= SAMPLES:
            compare_older(fields, decoders, flatten)
    assert seen.keys() == MESSAGES
    assert compared > 8_000


def compare_older(fields, decoders, flatten):
    """The same in every older version that has the message."""
    for version in GATES:
        if version < NEWER.get(fields[0], MIN_VERSION):
            continue
        older = list(map(text, adapt((int(fields[0]), *fields[1:]), version)))
        ours, theirs = decoders.by_ib_async(older, version), decoders.by_ibapi(older, version)
        if (older[0], version) != ("10", 163):  # the one size of 163 has another name in either client
            compare(older, ours, theirs, flatten)


def compare(fields, ours, theirs, flatten):
    """Fails where the clients differ in an argument or in an attribute that both have; counts what was compared."""
    if fields[0] == "1":
        (_, (request, kind, price, size)), (_, their_tick), *rest = *ours, *theirs
        assert flatten([request, kind, price]) == flatten(list(their_tick[:3])), fields
        assert not rest or flatten([size]) == flatten([rest[0][1][2]]), fields
        return 4
    names = [name for name, _ in ours], [name for name, _ in theirs]
    assert [name for name in names[0] if name in names[1]], (fields, names)
    count = 0
    for (name, mine), (their_name, other) in zip(ours, theirs, strict=True):
        assert name == their_name, (fields, names)
        left, right = flatten(list(mine)), flatten(list(other))
        shared = left.keys() & right.keys()
        assert shared or not left, (fields, left, right)
        different = {key: (left[key], right[key]) for key in shared if left[key] != right[key]}
        assert not different, (fields, different)
        count += len(shared)
    return count
