"""Known behaviors of real gateways, provoked by their number and seen on the wire: streams, zones, permissions."""

import pytest

from mats.gateway.faults.fault_types import PlanError, Zone
from mats.gateway.faults.plan import parse_plan
from mats.model.timestamp import SECOND

BAR = 5 * SECOND


def ask_stream(wire, wires, request):
    wire.call("reqRealTimeBars", request, wires.SPY, 5, "TRADES", False, [])


async def bars_of(wire, clock, request):
    """The bars of a subscription in the next ten seconds."""
    before = len([f for f in wire.messages("50") if f[2] == str(request)])
    await clock.advance(2 * BAR)
    await wire.settled()
    return len([f for f in wire.messages("50") if f[2] == str(request)]) - before


async def test_row_51_read_only(gateway, wire, wires):
    gateway.faults.provoke(51)
    for name in ("reqOpenOrders", "reqAllOpenOrders"):
        wire.call(name)
    wire.call("reqCompletedOrders", False)
    wire.place(1)
    await wire.until(lambda: len(wire.of(321)) == 4)
    assert [f[2] for f in wire.of(321)] == ["-1", "-1", "-1", "1"]
    await wire.settled()
    assert wire.messages("53", "102", "5", "3") == []


async def test_row_52_a_refusal_with_a_code_outside_the_table(gateway, wire):
    gateway.faults.provoke(52)
    wire.place(1)
    await wire.until(lambda: wire.of(451))
    assert wire.of(451)[0][2] == "1" and wire.messages("3") == []
    await wire.working(2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Central European Standard Time", "20231114 23:13:20 Central European Standard Time"),
        ("JST", "20231115 07:13:20 JST"),
        ("GMT+08:00", "20231115 06:13:20 GMT+08:00"),
        ("EDT", "20231114 17:13:20 EDT"),
        ("US/Eastern", "20231114 17:13:20 US/Eastern"),
        ("", "20231114  22:13:20"),
    ],
)
async def test_rows_53_and_54_zones_by_their_java_names(gateway, wire, wires, name, expected):
    gateway.faults.arm(Zone(name=name, message=(0, 11, 101)))
    await wire.filled()
    assert wire.messages("11")[0][15] == expected
    async with wires.client(gateway, 2) as other:
        assert other.seen[0][1] == expected


def test_a_zone_without_a_clock_is_refused():
    with pytest.raises(PlanError, match="zone 'Utopia Standard Time' is not known"):
        parse_plan({"fault": [{"do": "zone", "name": "Utopia Standard Time", "message": [11]}]}, "plan")


@pytest.mark.parametrize(
    ("row", "codes"),
    [(55, [2103, 2104]), (57, [10182]), (58, [10197]), (59, [10225]), (60, [354]), (61, [])],
)
async def test_rows_55_to_61_streams_die_and_new_ones_live(gateway, wire, wires, clock, row, codes):
    ask_stream(wire, wires, 5)
    wire.call("reqMktData", 6, wires.SPY, "", False, False, [])
    assert await bars_of(wire, clock, 5) == 2
    gateway.faults.provoke(row)
    ticks = len(wire.messages("1"))
    assert await bars_of(wire, clock, 5) == 0
    assert len(wire.messages("1")) == ticks
    assert sorted(set(wire.codes())) == codes
    wire.call("cancelRealTimeBars", 5)
    wire.call("cancelMktData", 6)
    ask_stream(wire, wires, 7)
    assert await bars_of(wire, clock, 7) == 2
    assert sorted(set(wire.codes())) == codes


async def test_row_56_a_blip_that_costs_nothing(gateway, wire, wires, clock):
    ask_stream(wire, wires, 5)
    gateway.faults.provoke(56)
    assert await bars_of(wire, clock, 5) == 2
    assert wire.codes() == [2103, 2105, 2104, 2106]


async def test_row_62_the_first_requests_of_each_instrument_are_refused(gateway, wire, wires, clock):
    gateway.faults.provoke(62)
    codes = [354, 10167, 10182, 10189, 10197, 162, 420]
    other = wires.Contract(conId=265598, exchange="SMART")
    for request in range(10, 17):
        ask_stream(wire, wires, request)
        wire.call("reqRealTimeBars", 100 + request, other, 5, "TRADES", False, [])
    await wire.settled()
    assert [int(f[3]) for f in wire.messages("4")[3:] if int(f[2]) < 100] == codes
    assert [int(f[3]) for f in wire.messages("4")[3:] if int(f[2]) > 100] == codes
    ask_stream(wire, wires, 20)
    assert await bars_of(wire, clock, 20) == 2


async def test_row_63_delayed_data_for_who_asks_for_it(gateway, wire, wires, clock):
    ask_stream(wire, wires, 4)
    await wire.settled()
    gateway.faults.provoke(63)
    assert await bars_of(wire, clock, 4) == 0
    wire.call("reqMktData", 5, wires.SPY, "", False, False, [])
    ask_stream(wire, wires, 6)
    for kind, request in ((3, 7), (4, 8)):
        wire.call("reqMarketDataType", kind)
        wire.call("reqMktData", request, wires.SPY, "", False, False, [])
    await wire.settled()
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [
        ("5", "354"),
        ("6", "420"),
        ("7", "10167"),
        ("8", "10167"),
    ]
    assert {f[3] for f in wire.messages("58")} == {"3"}
    assert {f[3] for f in wire.messages("1")} <= {"66", "67", "68", "75"} and wire.messages("1")
    gateway.faults.arm(*parse_plan({"fault": [{"do": "permission", "instrument": "SPY", "live": True}]}, "plan").faults)
    ask_stream(wire, wires, 9)
    assert await bars_of(wire, clock, 9) == 2
