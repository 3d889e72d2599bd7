"""Hostile input: what a connection may cost is bounded, the others notice nothing, and each leaves one line in the log.

`MATS_LONG=1` mutates a million frames in place of a few thousand.
"""

import asyncio
import os
import resource
import struct
from pathlib import Path
from random import Random

import pytest
import structlog
from ib_async import (
    ComboLeg,
    Contract,
    ExecutionFilter,
    Forex,
    LimitOrder,
    MarketOrder,
    Option,
    Order,
    StopLimitOrder,
    TagValue,
)
from structlog.testing import capture_logs

from mats.gateway import PaperGateway
from mats.gateway.pending_connections import HANDSHAKE_SECONDS, MAX_CLIENTS, MAX_PENDING
from mats.gateway.protocol.client_session import MAX_HANDSHAKE_FRAME
from mats.gateway.protocol.wire import MAX_FIELDS, MAX_FRAME
from mats.model import SECOND
from tests.patience import PATIENCE

LONG = bool(os.environ.get("MATS_LONG"))
FRAMES = 1_000_000 if LONG else 4_000
CONNECTIONS = 1_000
GROWTH = (512 if LONG else 64) << 20
"""Bytes that the process may grow by; the orders of a million frames are part of it."""

HELLO = b"v157..178"
START = b"71\x002\x001\0\0"


def frame(body):
    return struct.pack(">I", len(body)) + body


HOSTILE = 1

GREETING = b"API\0" + frame(HELLO)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def resident():
    """Bytes of memory in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def ended(reader):
    """Reads to the end of a connection; True where the gateway has ended it."""
    try:
        await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionResetError:
        return True
    return reader.at_eof()


@pytest.mark.parametrize(
    ("bytes_sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "does not begin with API"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, "does not begin with API"),
        (b"API\0" + struct.pack(">I", 0xFFFFFFFF), "outside 1.."),
        (b"API\0" + struct.pack(">I", 0), "outside 1.."),
        (b"API\0" + frame(b"x" * (MAX_HANDSHAKE_FRAME + 1)), "outside 1.."),
        (b"API\0" + frame(b"v1..50"), "outside versions"),
        (b"API\0" + frame(b"v200..222"), "outside versions"),
        (b"API\0" + frame(b"v" + b"9" * 4000), "versions"),
        (b"API\0" + frame(b"hello"), "offers no version"),
        (GREETING + frame(b"61\x001\0"), "before startApi"),
        (GREETING + frame(b"71\x002\0-1\0\0"), "not a valid client id"),
        (GREETING + frame(b"71\x002\0\xff\xfe\0\0"), "number"),
        (GREETING + frame(b"71\0"), "fields"),
        (GREETING + frame(START) + frame(b"xx\0y\0"), "number"),
        (GREETING + frame(START) + struct.pack(">I", MAX_FRAME + 1), "outside 1.."),
        (GREETING + frame(START) + frame(b"61" + b"\0" * (MAX_FIELDS + 1)), "more than"),
        (GREETING + frame(START) + frame(b"4\x001\x001e999999999\0\0"), "number"),
        (GREETING + frame(START) + frame(b"4\x001\0" + b"5000000000\0\0"), "integer"),
        (GREETING + frame(START) + frame(b"4\x001\0NaN\0\0"), "number"),
        (GREETING + frame(START) + frame(b"3\x001\0"), "fields"),
    ],
)
def test_input_that_is_no_protocol_ends_its_connection_with_one_line(wires, bytes_sent, reason):
    async def run():
        async with PaperGateway() as gateway, wires.client(gateway, 2) as other:
            with capture_logs() as lines:
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(bytes_sent)
                assert await ended(reader)
                writer.close()
                await other.settled()
            assert [line["event"] for line in lines] == ["client dropped"]
            assert reason in lines[0]["reason"]
            assert len(lines[0]["reason"]) <= 200

    wires.run(run())


def test_a_newer_client_version_is_negotiated_down(wires):
    async def run():
        async with PaperGateway() as gateway:
            wire = await wires.plain(gateway.port).open()
            wire._writer.write(b"API\0" + frame(b"v100..222"))
            await wire.until(lambda: wire.seen)
            assert wire.seen[0][0] == "178"
            await wire.close()

    wires.run(run())


def test_an_endless_frame_is_never_kept(wires):
    async def run():
        async with PaperGateway() as gateway, wires.client(gateway, 2) as other:
            before = resident()
            for _ in range(20):
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(b"API\0" + struct.pack(">I", MAX_FRAME))
                assert await ended(reader)
                writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(GREETING + frame(START) + struct.pack(">I", MAX_FRAME))
            for _ in range(MAX_FRAME // 65536 - 1):
                writer.write(b"x" * 65536)
                await writer.drain()
            await other.settled()
            assert resident() - before < GROWTH
            writer.close()

    wires.run(run())


def test_a_thousand_connections_that_say_nothing_cost_a_bounded_number_of_files(wires, clock):
    async def run():
        async with PaperGateway(clock=clock) as gateway, wires.client(gateway, 2) as other:
            files = open_files()
            peak = 0
            with capture_logs() as lines:
                writers = []
                for at in range(CONNECTIONS):
                    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                    writers.append(writer)
                    if at % 100 == 99:
                        peak = max(peak, open_files() - files - len(writers))
                        await other.settled()
                assert peak <= MAX_PENDING + 8
                async with wires.client(gateway, 3) as newcomer:
                    await newcomer.settled()
            assert len(lines) == CONNECTIONS + 1 - MAX_PENDING
            assert {line["reason"] for line in lines} == {"too many connections without a completed handshake"}
            for writer in writers:
                writer.close()
            await wires.until(lambda: open_files() <= files)

    wires.run(run())


def test_a_half_open_connection_is_ended_when_its_time_is_over(wires, clock):
    async def run():
        async with PaperGateway(clock=clock) as gateway, wires.client(gateway, 2) as other:
            with capture_logs() as lines:
                for said in (b"", b"AP", b"API\0\0\0", GREETING):
                    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                    writer.write(said)
                    await wires.until(lambda: gateway._pending._deadlines)
                    await clock.advance(SECOND * int(HANDSHAKE_SECONDS))
                    assert await ended(reader)
                    writer.close()
            assert {line["reason"] for line in lines} == {"no client id within 10 s"}
            assert len(lines) == 4
            await other.settled()

    wires.run(run())


def test_more_clients_than_a_gateway_serves_are_turned_away(wires):
    async def run():
        async with PaperGateway() as gateway:
            clients = [await wires.plain(gateway.port).greet(at) for at in range(MAX_CLIENTS)]
            with capture_logs() as lines:
                late = await wires.plain(gateway.port).greet(99)
                assert late.ended
            assert len(lines) == 1
            await clients[0].settled()
            for wire in [*clients, late]:
                await wire.close()

    wires.run(run())


def corpus(encoder):
    """Valid frames of every request that the gateway answers."""
    spy = Contract(conId=756733, symbol="SPY", secType="STK", exchange="SMART", currency="USD")
    bag = Contract(symbol="SPY", secType="BAG", exchange="SMART", currency="USD")
    bag.comboLegs = [ComboLeg(conId=756733, ratio=1, action="BUY", exchange="SMART")] * 2
    algo = Order(action="BUY", totalQuantity=10, orderType="MKT", algoStrategy="Adaptive")
    algo.algoParams = [TagValue("adaptivePriority", "Urgent")]
    bracket = LimitOrder("BUY", 10, 1.0, parentId=7, ocaGroup="x", transmit=False, orderRef="a:1")
    calls = [
        *(("placeOrder", 10 + at, spy, order) for at, order in enumerate((
            LimitOrder("BUY", 10, 1.0), MarketOrder("SELL", 1), StopLimitOrder("SELL", 5, 2.0, 1.0), algo, bracket,
            Order(action="BUY", totalQuantity=1, orderType="TRAIL", auxPrice=1.0), MarketOrder("BUY", 10, whatIf=True),
            LimitOrder("BUY", 10, 1.0, tif="GTD", goodTillDate="20301231 23:59:59 UTC"),
        ))),
        ("placeOrder", 30, bag, LimitOrder("BUY", 10, 1.0)), ("cancelOrder", 10), ("reqGlobalCancel",),
        ("reqOpenOrders",), ("reqAllOpenOrders",), ("reqAutoOpenOrders", True), ("reqCompletedOrders", False),
        ("reqPositions",), ("cancelPositions",), ("reqAccountUpdates", True, "DU1000001"),
        ("reqAccountUpdatesMulti", 1, "DU1000001", "", False), ("cancelAccountUpdatesMulti", 1),
        ("reqAccountSummary", 1, "All", "NetLiquidation"), ("cancelAccountSummary", 1),
        ("reqExecutions", 1, ExecutionFilter(time="20260101-00:00:00")), ("reqContractDetails", 1, spy),
        ("reqContractDetails", 2, Option("SPY", "20301220", 500, "C", "SMART")), ("reqMatchingSymbols", 1, "SP"),
        ("reqHistoricalData", 1, spy, "", "600 S", "1 min", "TRADES", False, 1, False, []),
        ("reqHistoricalData", 2, spy, "20260102 10:00:00 UTC", "1 D", "5 mins", "MIDPOINT", True, 2, False, []),
        ("cancelHistoricalData", 1), ("reqHeadTimeStamp", 1, spy, "TRADES", False, 1), ("cancelHeadTimeStamp", 1),
        ("reqMktData", 1, Forex("EURUSD"), "233", False, False, []), ("reqMktData", 2, spy, "", True, False, []),
        ("cancelMktData", 1), ("reqMarketDataType", 3), ("reqMktDepth", 3, spy, 5, False, []),
        ("cancelMktDepth", 3, False), ("reqRealTimeBars", 4, spy, 5, "TRADES", False, []), ("cancelRealTimeBars", 4),
        ("reqTickByTickData", 5, spy, "BidAsk", 0, False), ("cancelTickByTickData", 5), ("reqPnL", 6, "DU1000001", ""),
        ("cancelPnL", 6), ("reqPnLSingle", 7, "DU1000001", "", 756733), ("cancelPnLSingle", 7),
        ("reqMarketRule", 26), ("reqIds", 1), ("reqCurrentTime",), ("reqManagedAccts",),
        ("reqSecDefOptParams", 8, "SPY", "", "STK", 756733), ("reqSmartComponents", 9, "9c0001"),
        ("reqHistoricalTicks", 9, spy, "20260102 10:00:00 UTC", "", 10, "TRADES", False, False, []),
        ("reqNewsProviders",), ("reqFamilyCodes",), ("reqMktDepthExchanges",), ("reqScannerParameters",),
        ("reqNewsBulletins", True), ("requestFA", 1), ("reqUserInfo", 9), ("setServerLogLevel", 5),
    ]  # fmt: skip
    return [encoder.encode(*call) for call in calls]


NASTY = [
    *(b"", b"-1", b"0", b"1e300", b"-1e308", b"nan", b"Infinity", b"9" * 30, b"\xff\xfe", b"x" * 500, b"2147483648"),
    *(b"1.7976931348623157e308", b"20261341 99:99:99", b"99999999 Y", b"'; --", b"\n", b"1e-300", b"$1", b"0.1"),
]


def mutated(body, random):
    """The frame with one to three changes: fields replaced, dropped, doubled, swapped, flipped, an end cut off."""
    fields = body.split(b"\0")
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(fields))
        match random.randrange(7):
            case 0 | 1:
                fields[at] = random.choice(NASTY)
            case 2:
                del fields[at]
            case 3:
                fields.insert(at, fields[at])
            case 4:
                other = random.randrange(len(fields))
                fields[at], fields[other] = fields[other], fields[at]
            case 5:
                flipped = bytearray(fields[at] or b"x")
                flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
                fields[at] = bytes(flipped)
            case 6:
                fields = fields[: at + 1]
        fields = fields or [b"1"]
    return b"\0".join(fields)[:60_000]


def count_requests(gateway):
    """A list that grows with every request that the gateway has read from the hostile client."""
    read, incoming = [], gateway._traffic.intercept_request

    def count(session, fields):
        if session.client_id == HOSTILE:
            read.append(fields[0])
        return incoming(session, fields)

    gateway._traffic.intercept_request = count
    return read


def test_mutated_frames_cost_at_most_their_own_connection(wires):
    async def run():
        faults = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
        async with PaperGateway() as gateway, wires.client(gateway, 2) as other:
            frames, random = corpus(other._encoder), Random(1)
            files, before = open_files(), resident()
            drops = 0
            read = count_requests(gateway)
            with capture_logs() as lines:
                while len(read) < FRAMES:
                    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                    writer.write(GREETING + frame(START))
                    reading = asyncio.create_task(swallow(reader))
                    for _ in range(8):
                        writer.write(frame(mutated(random.choice(frames), random)))
                    writer.write_eof()
                    drops += await asyncio.wait_for(reading, PATIENCE)
                    writer.close()
                    if random.random() < 0.02:
                        await other.settled()
                        other.seen.clear()
                        assert resident() - before < GROWTH
                await other.settled()
            assert faults == [], [str(context.get("exception")) for context in faults[:5]]
            assert {line["log_level"] for line in lines} <= {"warning"}
            assert len(lines) == drops, (len(lines), drops)
            assert drops > 0
            await wires.until(lambda: open_files() <= files)

    async def swallow(reader):
        """Reads all; True where the gateway has reset the connection."""
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            return True
        return False

    structlog.reset_defaults()
    asyncio.run(asyncio.wait_for(run(), 7200 if LONG else PATIENCE))
