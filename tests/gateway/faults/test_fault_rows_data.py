"""Known behaviors of real gateways, provoked by their number and seen on the wire: market and historical data."""

from mats.model.timestamp import SECOND


async def test_row_41_lines_and_permissions(gateway, wire, wires):
    gateway.faults.provoke(41)
    for request in (5, 6, 7):
        wire.call("reqMktData", request, wires.SPY, "", False, False, [])
    await wire.until(lambda: wire.of(354) and wire.messages("1"))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [
        ("5", "101"),
        ("6", "10090"),
        ("6", "10167"),
        ("7", "354"),
    ]
    assert {f[2] for f in wire.messages("1")} == {"6"}


async def test_row_42_tick_by_tick_and_depth(gateway, wire, wires):
    wire.call("reqMktData", 4, wires.SPY, "", False, False, [])
    await wire.settled()
    gateway.faults.provoke(42)
    wire.call("reqTickByTickData", 5, wires.SPY, "BidAsk", 0, False)
    wire.call("reqMktDepth", 6, wires.SPY, 5, False, [])
    await wire.until(lambda: wire.of(309))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("4", "317"), ("5", "10189"), ("6", "309")]


async def test_row_43_delayed_types_and_late_snapshot_ends(gateway, clock, wire, wires):
    gateway.faults.provoke(43)
    wire.call("reqMktData", 5, wires.SPY, "", True, False, [])
    await wire.until(lambda: wire.messages("1"))
    await wire.settled()
    assert [f[3] for f in wire.messages("58")] == ["3"]
    assert wire.messages("57") == []
    await clock.advance(SECOND // 2)
    await wire.until(lambda: wire.messages("57"))


async def test_row_44_pacing(gateway, wire, wires):
    gateway.faults.provoke(44)
    wire.ask_bars(5)
    await wire.until(lambda: wire.of(162))
    assert "pacing violation" in wire.of(162)[0][4]
    wire.ask_bars(6)
    await wire.until(lambda: wire.messages("17"))


async def test_row_45_the_meanings_of_162(gateway, wire, wires):
    gateway.faults.provoke(45)
    for request in (5, 6, 7):
        wire.ask_bars(request)
    wire.call("cancelHistoricalData", 8)
    wire.call("reqRealTimeBars", 9, wires.SPY, 5, "TRADES", False, [])
    await wire.until(lambda: wire.of(420))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [
        ("5", "162"), ("6", "162"), ("7", "162"), ("8", "366"), ("9", "420"),
    ]  # fmt: skip
    texts = [f[4] for f in wire.of(162)]
    assert "no data" in texts[0] and texts[1].endswith("cancelled: 6") and "Time length" in texts[2]


async def test_row_46_partial_bar(gateway, wire, wires):
    gateway.faults.provoke(46)
    wire.ask_bars(5)
    await wire.until(lambda: wire.messages("17"))
    answer = wire.messages("17")[0]
    assert answer[1] == "5" and answer[4] == "1"
    assert answer[5] == answer[3]


async def test_row_47_end_without_zone(gateway, wire, wires):
    gateway.faults.provoke(47)
    wire.ask_bars(5, "20260102 10:00:00")
    wire.ask_bars(6, "20260102 10:00:00 UTC")
    wire.ask_bars(7, "yesterday")
    await wire.until(lambda: len(wire.of(10314)) == 2 and wire.messages("17"))
    assert [f[2] for f in wire.of(10314)] == ["5", "7"]
    assert wire.messages("17")[0][1] == "6"
