"""Known behaviors of real gateways, provoked by their number and seen on the wire: executions, positions, account."""

from ib_async import ExecutionFilter, MarketOrder

from mats.model.timestamp import DAY, SECOND


async def test_row_33_the_same_execution_again(gateway, wire, wires):
    gateway.faults.provoke(33)
    await wire.filled()
    gateway.faults.disarm()
    wire.call("reqExecutions", 5, ExecutionFilter())
    await wire.until(lambda: wire.messages("55"))
    ids = [(f[1], f[14]) for f in wire.messages("11")]
    assert [request for request, _ in ids] == ["-1", "-1", "5"]
    assert len({exec_id for _, exec_id in ids}) == 1


async def test_row_34_correction(gateway, wire, wires):
    await wire.filled()
    gateway.faults.provoke(34)
    await wire.until(lambda: len(wire.messages("11")) == 2)
    first, second = wire.messages("11")
    assert first[14].removesuffix("01") + "02" == second[14]
    assert (float(first[19]), float(second[19])) == (10, 5)
    assert first[:2] == second[:2] and first[20] == second[20]


async def test_row_35_commission_early_never_late(gateway, clock, wire, wires):
    gateway.faults.provoke(35)
    await wire.filled()
    await wire.settled()
    assert wire.kinds("11", "59") == ["59", "11"]
    assert wire.messages("59")[0][3] == "-1"
    wire.place(2, MarketOrder("BUY", 10))
    await wire.until(lambda: wire.statuses()[-1:] == ["Filled"] and wire.messages("3")[-1][1] == "2")
    await wire.settled()
    assert len(wire.messages("59")) == 1
    wire.place(3, MarketOrder("BUY", 10))
    await wire.until(lambda: wire.messages("3")[-1][1:3] == ["3", "Filled"])
    await wire.settled()
    assert len(wire.messages("59")) == 1
    await clock.advance(SECOND // 2)
    await wire.until(lambda: len(wire.messages("59")) == 2)


async def test_row_36_midnight(gateway, wire, wires):
    await wire.filled()
    before = gateway.clock.now()
    gateway.faults.provoke(36)
    wire.call("reqExecutions", 5, ExecutionFilter())
    await wire.until(lambda: wire.messages("55"))
    assert [f for f in wire.messages("11") if f[1] == "5"] == []
    assert gateway.clock.now() // DAY == before // DAY + 1
    wire.call("reqPositions")
    await wire.until(lambda: wire.messages("62"))
    assert float(wire.messages("61")[0][14]) == 10


async def test_row_37_an_order_is_missing_once(gateway, wire, wires):
    await wire.working()
    gateway.faults.provoke(37)
    said = len(wire.messages("5"))
    wire.call("reqOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    assert len(wire.messages("5")) == said
    wire.call("reqOpenOrders")
    await wire.until(lambda: len(wire.messages("53")) == 2)
    assert len(wire.messages("5")) == said + 1


async def test_row_38_account_values(gateway, clock, wire, wires):
    gateway.faults.provoke(38)
    wire.call("reqAccountUpdates", True, "DU1000001")
    await wire.until(lambda: wire.messages("54"))
    values = {f[2]: f[3] for f in wire.messages("6")}
    assert (values["AccountReady"], values["NetLiquidation"]) == ("false", "0.00")
    await clock.advance(SECOND // 2)
    said = len(wire.messages("6"))
    wire.call("reqAccountUpdates", True, "DU1000001")
    await wire.until(lambda: len(wire.messages("54")) == 2)
    assert len(wire.messages("6")) == said
    await clock.advance(SECOND * 3 // 10)
    await wire.until(lambda: len(wire.messages("6")) > said)
    values = {f[2]: f[3] for f in wire.messages("6")}
    assert (values["AccountReady"], values["NetLiquidation"]) == ("true", "1000000.00")


async def test_row_39_positions(gateway, wire, wires):
    gateway.faults.provoke(39)
    wire.call("reqPositions")
    await wire.settled()
    assert wire.messages("62") == []
    assert [(f[2], f[4], f[14]) for f in wire.messages("61")] == [
        ("DU1000001", "AAPL", "0"),
        ("DU9999999", "SPY", "77"),
    ]
    wire.call("reqPositions")
    await wire.until(lambda: wire.messages("62"))
    assert len(wire.messages("61")) == 2


async def test_row_40_summary_cap(gateway, wire, wires):
    for request in (1, 2, 3):
        wire.call("reqAccountSummary", request, "All", "NetLiquidation")
    await wire.until(lambda: wire.codes())
    assert wire.of(322)[0][2] == "3"
    gateway.faults.provoke(40)
    async with wires.client(gateway, 2) as other:
        other.call("reqAccountSummary", 1, "All", "NetLiquidation")
        await other.until(lambda: other.codes())
        assert [(f[2], f[3]) for f in other.messages("4")[3:]] == [("1", "322")]
