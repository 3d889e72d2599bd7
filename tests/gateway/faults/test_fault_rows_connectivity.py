"""Known behaviors of real gateways, provoked by their number and seen on the wire: connectivity."""

import asyncio
import re
from pathlib import Path

import pytest

from mats.gateway import PaperGateway
from mats.gateway.faults.known_behaviors import known_behaviors
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock


def rows_tested(text):
    """The numbers in the names of tests: `test_row_7_…`, `test_rows_53_to_61_…`."""
    single = [int(number) for number in re.findall(r"def test_row_(\d+)_", text)]
    groups = re.findall(r"def test_rows_(\d+)_(?:to|and)_(\d+)_", text)
    return {*single, *(number for first, last in groups for number in range(int(first), int(last) + 1))}


def test_there_are_sixty_three_rows_and_a_test_of_each():
    assert sorted(known_behaviors()) == list(range(1, 64))
    files = Path(__file__).parent.glob("test_fault_rows_*.py")
    assert sorted(set().union(*(rows_tested(file.read_text()) for file in files))) == list(range(1, 64))


async def test_row_1_daily_restart(gateway, clock, wire, wires):
    port = gateway.port
    gateway.faults.provoke(1)
    await wire.until(lambda: wire.ended)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await clock.advance(SECOND)
    await wires.listening(gateway)
    async with wires.client(gateway) as again:
        assert again.messages("9")


async def test_row_2_nightly_reset(gateway, clock, wire, wires):
    wire.call("reqMktData", 7, wires.SPY, "", False, False, [])
    await wire.until(lambda: wire.messages("1"))
    gateway.faults.provoke(2)
    await clock.advance(SECOND // 2)
    await wire.until(lambda: wire.of(1101))
    assert wire.codes() == [1100, 1100, 1100, 1101]
    assert wire.ended is None
    ticks = len(wire.messages("1", "2"))
    await clock.advance(SECOND)
    await wire.settled()
    assert len(wire.messages("1", "2")) == ticks
    wire.call("reqMktData", 8, wires.SPY, "", False, False, [])
    await wire.until(lambda: [f for f in wire.messages("1") if f[2] == "8"])


async def test_row_3_fills_around_1100(gateway, clock, wire, wires):
    gateway.faults.hold_orders()
    await wire.working()
    gateway.faults.provoke(3)
    gateway.faults.fill((1, 1), 5, 1.0, times=2)
    await clock.advance(SECOND)
    await wire.until(lambda: wire.of(1102))
    assert wire.kinds("11", "4")[3:] == ["11", "4", "11", "4"]
    assert wire.codes() == [1100, 1102]


async def test_row_4_late_answers(gateway, clock, wire, wires):
    gateway.faults.provoke(4)
    wire.call("reqCurrentTime")
    wire.call("reqIds", 1)
    await wire.until(lambda: len(wire.messages("9")) == 2)
    await clock.advance(SECOND // 2)
    await wire.until(lambda: wire.messages("49"))
    assert wire.kinds("49", "4")[3:] == ["4", "4", "49"]


async def test_row_5_farm_blip(gateway, clock, wire, wires):
    wire.call("reqMktData", 7, wires.SPY, "", False, False, [])
    await wire.until(lambda: wire.messages("1"))
    gateway.faults.provoke(5)
    await clock.advance(SECOND * 3 // 10)
    await wire.until(lambda: wire.of(2108))
    assert wire.codes() == [2103, 2104, 2108]
    ticks = len(wire.messages("1", "2"))
    await clock.advance(SECOND)
    await wire.settled()
    assert len(wire.messages("1", "2")) == ticks


async def test_row_6_client_id_in_use(gateway, clock, wire, wires):
    gateway.faults.provoke(6)
    await wire.close()
    await wires.left(gateway)
    async with wires.client(gateway) as refused:
        assert [f[2] for f in refused.of(326)] == ["-1"]
        await refused.until(lambda: refused.ended)
    await clock.advance(SECOND)
    async with wires.client(gateway) as again:
        assert again.messages("9")


async def test_row_7_accepts_but_never_answers(gateway, wire, wires):
    gateway.faults.provoke(7)
    mute = await wires.plain(gateway.port).open()
    mute._writer.write(b"API\0")
    mute.write(b"v157..178")
    wire.call("reqCurrentTime")
    wire.call("reqPositions")
    await wire.settled()
    assert (mute.seen, mute.ended) == ([], None)
    await mute.close()
    assert len(wire.messages("49")) == 1
    assert wire.messages("62") == []
    async with wires.client(gateway, 2) as other:
        assert other.messages("15") == [["15", "1", ""]]


async def test_row_8_rate_limit(gateway, wire, wires):
    gateway.faults.provoke(8)
    for _ in range(60):
        wire.call("reqCurrentTime")
    await wire.until(lambda: wire.ended)
    assert wire.codes() == [100, 100, 100]
    assert len(wire.messages("49")) == 52


async def test_row_9_truncated_frame_and_refusal(gateway, clock, wire, wires):
    gateway.faults.provoke(9)
    await wire.until(lambda: wire.of(1300))
    await clock.advance(SECOND // 10)
    await wire.until(lambda: wire.ended)
    assert wire.codes() == [1300]
    assert wire.rest == b"\0\0\0\x10half a"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", gateway.port)


async def test_row_10_competing_session(gateway, wire, wires):
    wire.call("reqMktData", 7, wires.SPY, "", False, False, [])
    await wire.until(lambda: wire.messages("1"))
    gateway.faults.provoke(10)
    wire.call("reqMktData", 8, wires.SPY, "", False, False, [])
    await wire.until(lambda: len(wire.of(10197)) == 2)
    assert {f[2] for f in wire.of(10197)} == {"7", "8"}
    assert [f for f in wire.messages("1") if f[2] == "8"] == []
    await wire.filled()


async def test_row_11_spurious_200(gateway, clock, wire, wires):
    gateway.faults.provoke(11)
    wire.call("reqContractDetails", 5, wires.SPY)
    await wire.until(lambda: wire.of(200))
    await clock.advance(SECOND // 2)
    await wire.until(lambda: wire.of(1102))
    assert wire.codes() == [1100, 200, 1102]
    wire.call("reqContractDetails", 6, wires.SPY)
    await wire.until(lambda: wire.messages("52"))
    assert wire.messages("10")[0][1] == "6"


def test_row_12_bars_die(wires):
    async def run():
        clock = SteppedClock(1_700_000_000 * SECOND)
        async with PaperGateway(clock=clock) as gateway, wires.client(gateway) as wire:
            wire.call("reqRealTimeBars", 9, wires.SPY, 5, "TRADES", False, [])
            await wire.settled()
            await clock.advance(11 * SECOND)
            await wire.until(lambda: len(wire.messages("50")) == 2)
            gateway.faults.provoke(12)
            await clock.advance(10 * SECOND)
            await wire.settled()
            assert [f[2] for f in wire.of(10182)] == ["9"]
            assert len(wire.messages("50")) == 2

    wires.run(run())


async def test_row_13_one_space_of_ids(gateway, wire, wires):
    wire.call("reqMktData", 77, wires.SPY, "", False, False, [])
    await wire.working()
    gateway.faults.provoke(13)
    await wire.until(lambda: wire.of(399))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("-1", "2106"), ("77", "354"), ("1", "399")]
