"""The known behaviours of a real gateway, one after the other: each is provoked by its number and seen on the wire."""

import asyncio

import pytest
from ib_async import ExecutionFilter, MarketOrder

from mats.gateway import PaperGateway
from mats.gateway.faults_rows import load_rows
from mats.model.timestamp import DAY, SECOND
from mats.venue.clock import SteppedClock


def test_there_are_forty_seven_rows_and_a_test_of_each():
    assert sorted(load_rows()) == list(range(1, 48))
    tested = {int(name.split("_")[2]) for name in globals() if name.startswith("test_row_")}
    assert tested == set(range(1, 48))


async def filled(wire, order_id=1):
    """Buys ten at the market and waits for the cost."""
    before = len(wire.messages("59"))
    wire.place(order_id, wire_order("BUY"))
    await wire.until(lambda: len(wire.messages("59")) > before)


def wire_order(action, quantity=10, **terms):
    return MarketOrder(action, quantity, **terms)


async def working(wire, order_id=1):
    """A limit order far from the market, and its permanent id."""
    wire.place(order_id)
    await wire.until(lambda: "Submitted" in [f[2] for f in wire.messages("3") if f[1] == str(order_id)])
    return wire.messages("3")[-1][6]


def row(number, accounts=("DU1000001",)):
    """Makes a test of a scenario that gets the gateway, a client, and the connections."""

    def decorate(scenario):
        def test(wires):
            async def run():
                async with PaperGateway(accounts=accounts) as gateway, wires.client(gateway) as wire:
                    await scenario(gateway, wire, wires)

            wires.run(run())

        test.__name__ = scenario.__name__
        test.__doc__ = scenario.__doc__
        return test

    return decorate


# connectivity


@row(1)
async def test_row_1_daily_restart(gateway, wire, wires):
    port = gateway.port
    gateway.faults.provoke(1)
    await wire.until(lambda: wire.ended)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        while True:
            try:
                async with wires.client(gateway) as again:
                    assert again.messages("9")
                    return
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)


@row(2)
async def test_row_2_nightly_reset(gateway, wire, wires):
    wire.call("reqMktData", 7, wires.SPY, "", False, False, [])
    await wire.until(lambda: wire.messages("1"))
    gateway.faults.provoke(2)
    await wire.until(lambda: wire.of(1101))
    assert wire.codes() == [1100, 1100, 1100, 1101]
    assert wire.ended is None
    ticks = len(wire.messages("1", "2"))
    await asyncio.sleep(0.6)
    assert len(wire.messages("1", "2")) == ticks
    wire.call("reqMktData", 8, wires.SPY, "", False, False, [])
    await wire.until(lambda: [f for f in wire.messages("1") if f[2] == "8"])


@row(3)
async def test_row_3_fills_around_1100(gateway, wire, wires):
    gateway.faults.hold_orders()
    await working(wire)
    gateway.faults.provoke(3)
    gateway.faults.fill((1, 1), 5, 1.0, times=2)
    await wire.until(lambda: wire.of(1102))
    assert wire.kinds("11", "4")[3:] == ["11", "4", "11", "4"]
    assert wire.codes() == [1100, 1102]


@row(4)
async def test_row_4_late_answers(gateway, wire, wires):
    gateway.faults.provoke(4)
    wire.call("reqCurrentTime")
    await wire.until(lambda: wire.messages("49"))
    assert wire.kinds("49", "4")[3:] == ["4", "4", "49"]


@row(5)
async def test_row_5_farm_blip(gateway, wire, wires):
    wire.call("reqMktData", 7, wires.SPY, "", False, False, [])
    await wire.until(lambda: wire.messages("1"))
    gateway.faults.provoke(5)
    await wire.until(lambda: wire.of(2108))
    assert wire.codes() == [2103, 2104, 2108]
    ticks = len(wire.messages("1", "2"))
    await asyncio.sleep(0.6)
    assert len(wire.messages("1", "2")) == ticks


@row(6)
async def test_row_6_client_id_in_use(gateway, wire, wires):
    gateway.faults.provoke(6)
    await wire.close()
    codes = []
    async with asyncio.timeout(5):
        while True:
            async with wires.client(gateway) as again:
                if again.messages("9"):
                    break
                assert [f[2] for f in again.of(326)] == ["-1"]
                await again.until(lambda wire=again: wire.ended)
                codes.append(326)
            await asyncio.sleep(0.1)
    assert codes


@row(7)
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


@row(8)
async def test_row_8_rate_limit(gateway, wire, wires):
    gateway.faults.provoke(8)
    for _ in range(60):
        wire.call("reqCurrentTime")
    await wire.until(lambda: wire.ended)
    assert wire.codes() == [100, 100, 100]
    assert len(wire.messages("49")) == 52


@row(9)
async def test_row_9_truncated_frame_and_refusal(gateway, wire, wires):
    gateway.faults.provoke(9)
    await wire.until(lambda: wire.ended)
    assert wire.codes() == [1300]
    assert wire.rest == b"\0\0\0\x10half a"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", gateway.port)


@row(10)
async def test_row_10_competing_session(gateway, wire, wires):
    wire.call("reqMktData", 7, wires.SPY, "", False, False, [])
    await wire.until(lambda: wire.messages("1"))
    gateway.faults.provoke(10)
    wire.call("reqMktData", 8, wires.SPY, "", False, False, [])
    await wire.until(lambda: len(wire.of(10197)) == 2)
    assert {f[2] for f in wire.of(10197)} == {"7", "8"}
    assert [f for f in wire.messages("1") if f[2] == "8"] == []
    await filled(wire)


@row(11)
async def test_row_11_spurious_200(gateway, wire, wires):
    gateway.faults.provoke(11)
    wire.call("reqContractDetails", 5, wires.SPY)
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


@row(13)
async def test_row_13_one_space_of_ids(gateway, wire, wires):
    wire.call("reqMktData", 77, wires.SPY, "", False, False, [])
    await working(wire)
    gateway.faults.provoke(13)
    await wire.until(lambda: wire.of(399))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("-1", "2106"), ("77", "354"), ("1", "399")]


# orders


@row(14)
async def test_row_14_no_and_double_statuses(gateway, wire, wires):
    gateway.faults.provoke(14)
    await filled(wire)
    assert wire.messages("3") == []
    assert [f[3] for f in wire.messages("11")[0:1]] and len(wire.messages("5")) == 2
    await filled(wire, 2)
    assert wire.statuses() == ["PreSubmitted", "PreSubmitted", "Filled", "Filled"]


def test_row_15_any_order(wires):
    async def run(orders):
        async with PaperGateway(clock=SteppedClock(1_700_000_000 * SECOND)) as gateway, wires.client(gateway) as wire:
            await asyncio.sleep(0)
            gateway.faults.provoke(15)
            await filled(wire)
            await wire.settled()
            orders.append(wire.kinds("3", "5", "11", "59"))

    orders = []
    wires.run(run(orders))
    wires.run(run(orders))
    assert sorted(orders[0]) == ["11", "3", "3", "5", "5", "59"]
    assert orders[0] != ["5", "3", "11", "5", "3", "59"]
    assert orders[0] == orders[1]


@row(16)
async def test_row_16_the_connection_dies_around_an_order(gateway, wire, wires):
    gateway.faults.provoke(16)
    wire.place(1)
    await wire.until(lambda: wire.ended)
    assert wire.messages("5") == []
    async with wires.client(gateway) as wire:
        wire.call("reqOpenOrders")
        await wire.until(lambda: wire.messages("53"))
        assert wire.messages("5") == []
        wire.place(1)
        await wire.until(lambda: wire.ended)
        assert wire.messages("5") == []
    async with wires.client(gateway) as wire:
        wire.call("reqOpenOrders")
        await wire.until(lambda: wire.messages("53"))
        assert [f[1] for f in wire.messages("5")] == ["1"]


@row(17)
async def test_row_17_ids_roll_back(gateway, wire, wires):
    for order_id in range(1, 7):
        perm_id = await working(wire, order_id)
    gateway.faults.provoke(17)
    await wire.until(lambda: wire.ended)
    await asyncio.sleep(0.4)
    async with wires.client(gateway) as again:
        assert again.messages("9") == [["9", "1", "3"]]
        assert await working(again, 6) != perm_id
        again.call("reqOpenOrders")
        await again.until(lambda: again.messages("53"))
        orders = [(f[1], f[25]) for f in again.messages("5")]
        assert len({perm for order_id, perm in orders if order_id == "6"}) == 2


@row(18)
async def test_row_18_duplicate_id(gateway, wire, wires):
    gateway.faults.provoke(18)
    wire.place(1)
    await wire.until(lambda: wire.codes())
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("1", "103")]
    await working(wire, 2)
    wire.place(1)
    await wire.until(lambda: len(wire.codes()) == 2)
    assert wire.codes() == [103, 103]


@row(19)
async def test_row_19_orders_kept_while_the_line_is_down(gateway, wire, wires):
    gateway.faults.provoke(19)
    wire.place(1)
    await wire.settled()
    assert wire.messages("5") == []
    await wire.until(lambda: wire.messages("5"))
    assert wire.codes() == [1100, 1102]


@row(20)
async def test_row_20_a_change_makes_a_second_order(gateway, wire, wires):
    perm_id = await working(wire)
    gateway.faults.provoke(20)
    wire.place(1, wires.LimitOrder("BUY", 10, 2.0))
    await wire.until(lambda: {f[6] for f in wire.messages("3")} != {perm_id})
    wire.call("reqAllOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    at = wire.seen.index(wire.messages("53")[0])
    listed = [(f[1], f[25], float(f[16])) for f in wire.seen[at - 4 : at] if f[0] == "5"]
    assert sorted(price for _, _, price in listed) == [1.0, 2.0]
    assert len({perm for _, perm, _ in listed}) == 2 and {order_id for order_id, _, _ in listed} == {"1"}


@row(21)
async def test_row_21_notices_leave_the_order_working(gateway, wire, wires):
    await working(wire)
    gateway.faults.provoke(21)
    await wire.until(lambda: wire.of(201))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [
        ("1", c) for c in ("10349", "399", "2109", "10311", "201")
    ]
    wire.call("reqOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    assert wire.statuses()[-1] == "Submitted"


@row(22)
async def test_row_22_cancel_refused(gateway, wire, wires):
    await working(wire)
    gateway.faults.provoke(22)
    wire.call("cancelOrder", 1)
    wire.call("cancelOrder", 99)
    await wire.until(lambda: len(wire.codes()) == 2)
    assert wire.codes() == [10148, 10147]
    assert "Filled" in wire.of(10148)[0][4]
    assert wire.messages("11") == []
    wire.call("reqExecutions", 5, ExecutionFilter())
    await asyncio.sleep(0.6)
    wire.call("reqExecutions", 6, ExecutionFilter())
    await wire.until(lambda: [f for f in wire.messages("11") if f[1] == "6"])


@row(23)
async def test_row_23_pending_cancel_fills(gateway, wire, wires):
    await working(wire)
    gateway.faults.provoke(23)
    wire.call("cancelOrder", 1)
    await wire.until(lambda: wire.messages("59"))
    assert wire.statuses()[-2:] == ["PendingCancel", "Filled"]
    assert wire.codes() == []


@row(24)
async def test_row_24_inactive_then_submitted(gateway, wire, wires):
    await working(wire)
    gateway.faults.provoke(24)
    await wire.until(lambda: len(wire.statuses()) > 2 and wire.statuses()[-1] == "Submitted" and wire.of(404))
    inactive = next(f for f in wire.messages("3") if f[2] == "Inactive")
    assert inactive[10] == "locate"
    assert wire.of(404)[0][2] == "1"


@row(25)
async def test_row_25_accepted_and_not_elected(gateway, wire, wires):
    gateway.faults.provoke(25)
    wire.place(1, wires.LimitOrder("BUY", 10, 2000.0, tif="GTC"))
    await wire.settled()
    assert set(wire.statuses()) == {"PreSubmitted"}
    await wire.close()
    await asyncio.sleep(0.05)
    async with wires.client(gateway) as again:
        again.call("reqOpenOrders")
        await again.until(lambda: again.messages("53"))
        assert [(f[1], f[2]) for f in again.messages("3")] == [("1", "PreSubmitted")]


@row(26)
async def test_row_26_change_refused(gateway, wire, wires):
    await working(wire)
    said = len(wire.messages("3", "5"))
    gateway.faults.provoke(26)
    for _ in range(2):
        wire.place(1, wires.LimitOrder("BUY", 10, 2.0))
    await wire.until(lambda: len(wire.codes()) == 2)
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("1", "2102"), ("1", "10326")]
    assert len(wire.messages("3", "5")) == said
    assert gateway.faults.order(1, 1).limit_price == 1


@row(27)
async def test_row_27_untransmitted_and_orphaned(gateway, wire, wires):
    gateway.faults.provoke(27)
    wire.place(1, transmit=False)
    wire.place(2, parentId=7)
    await wire.until(lambda: wire.codes())
    await wire.settled()
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("2", "10006")]
    assert wire.messages("3", "5") == []


@row(28)
async def test_row_28_perm_id_zero(gateway, wire, wires):
    gateway.faults.provoke(28)
    perm_id = await working(wire)
    assert [f[25] for f in wire.messages("5")] == ["0", perm_id]
    assert [f[6] for f in wire.messages("3")] == ["0", perm_id]
    assert int(perm_id) > 0


@row(29)
async def test_row_29_order_reference(gateway, wire, wires):
    gateway.faults.provoke(29)
    wire.place(1, wire_order("BUY", orderRef="alpha:1"))
    await wire.until(lambda: wire.messages("59"))
    assert {f[23] for f in wire.messages("5")} == {"alpha:1"}
    assert "alpha:1" in wire.messages("11")[0]
    wire.call("reqCompletedOrders", False)
    await wire.until(lambda: wire.messages("102"))
    assert [f[22] for f in wire.messages("101")] == [""]


def test_row_30_orders_by_a_person(wires):
    async def run():
        async with PaperGateway() as gateway, wires.client(gateway, 0) as master, wires.client(gateway, 1) as other:
            gateway.faults.provoke(30)
            await master.until(lambda: len({f[1] for f in master.messages("5")}) == 2)
            ids = {float(f[14]): int(f[1]) for f in master.messages("5")}
            assert ids[3] < 0 and ids[2] == 0
            assert {(f[23], f[24]) for f in master.messages("5")} == {("", "0")}
            await other.settled()
            assert other.messages("5") == []
            other.call("reqAllOpenOrders")
            await other.until(lambda: other.messages("53"))
            assert len(other.messages("5")) == 2

    wires.run(run())


@row(31)
async def test_row_31_fractions(gateway, wire, wires):
    gateway.faults.provoke(31)
    wire.place(1)
    wire.place(2, quantity=0, totalQuantity=10.5)
    await wire.until(lambda: len(wire.codes()) == 2)
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("1", "10243"), ("2", "10243")]


@row(32)
async def test_row_32_several_accounts(gateway, wire, wires):
    gateway.faults.provoke(32)
    async with wires.client(gateway, 2) as other:
        assert other.messages("15") == [["15", "1", "DU1000001,DU2000002,"]]
        other.place(1)
        other.place(2, account="DU1000001")
        await other.until(lambda: other.messages("5"))
        assert [(f[2], f[3]) for f in other.messages("4")[3:]] == [("1", "435")]


# executions, positions, account


@row(33)
async def test_row_33_the_same_execution_again(gateway, wire, wires):
    gateway.faults.provoke(33)
    await filled(wire)
    gateway.faults.disarm()
    wire.call("reqExecutions", 5, ExecutionFilter())
    await wire.until(lambda: wire.messages("55"))
    ids = [(f[1], f[14]) for f in wire.messages("11")]
    assert [request for request, _ in ids] == ["-1", "-1", "5"]
    assert len({exec_id for _, exec_id in ids}) == 1


@row(34)
async def test_row_34_correction(gateway, wire, wires):
    await filled(wire)
    gateway.faults.provoke(34)
    await wire.until(lambda: len(wire.messages("11")) == 2)
    first, second = wire.messages("11")
    assert first[14].removesuffix("01") + "02" == second[14]
    assert (float(first[19]), float(second[19])) == (10, 5)
    assert first[:2] == second[:2] and first[20] == second[20]


@row(35)
async def test_row_35_commission_early_never_late(gateway, wire, wires):
    gateway.faults.provoke(35)
    await filled(wire)
    await wire.settled()
    assert wire.kinds("11", "59") == ["59", "11"]
    assert wire.messages("59")[0][3] == "-1"
    wire.place(2, wire_order("BUY"))
    await wire.until(lambda: wire.statuses()[-1:] == ["Filled"] and wire.messages("3")[-1][1] == "2")
    await wire.settled()
    assert len(wire.messages("59")) == 1
    wire.place(3, wire_order("BUY"))
    await wire.until(lambda: wire.messages("3")[-1][1:3] == ["3", "Filled"])
    await wire.settled()
    assert len(wire.messages("59")) == 1
    await wire.until(lambda: len(wire.messages("59")) == 2)


@row(36)
async def test_row_36_midnight(gateway, wire, wires):
    await filled(wire)
    before = gateway.clock.now()
    gateway.faults.provoke(36)
    wire.call("reqExecutions", 5, ExecutionFilter())
    await wire.until(lambda: wire.messages("55"))
    assert [f for f in wire.messages("11") if f[1] == "5"] == []
    assert gateway.clock.now() // DAY == before // DAY + 1
    wire.call("reqPositions")
    await wire.until(lambda: wire.messages("62"))
    assert float(wire.messages("61")[0][14]) == 10


@row(37)
async def test_row_37_an_order_is_missing_once(gateway, wire, wires):
    await working(wire)
    gateway.faults.provoke(37)
    said = len(wire.messages("5"))
    wire.call("reqOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    assert len(wire.messages("5")) == said
    wire.call("reqOpenOrders")
    await wire.until(lambda: len(wire.messages("53")) == 2)
    assert len(wire.messages("5")) == said + 1


@row(38)
async def test_row_38_account_values(gateway, wire, wires):
    gateway.faults.provoke(38)
    wire.call("reqAccountUpdates", True, "DU1000001")
    await wire.until(lambda: wire.messages("54"))
    values = {f[2]: f[3] for f in wire.messages("6")}
    assert (values["AccountReady"], values["NetLiquidation"]) == ("false", "0.00")
    await asyncio.sleep(0.6)
    said = len(wire.messages("6"))
    wire.call("reqAccountUpdates", True, "DU1000001")
    await wire.until(lambda: len(wire.messages("54")) == 2)
    assert len(wire.messages("6")) == said
    await wire.until(lambda: len(wire.messages("6")) > said)
    values = {f[2]: f[3] for f in wire.messages("6")}
    assert (values["AccountReady"], values["NetLiquidation"]) == ("true", "1000000.00")


@row(39)
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


@row(40)
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


# market and historical data


@row(41)
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


@row(42)
async def test_row_42_tick_by_tick_and_depth(gateway, wire, wires):
    wire.call("reqMktData", 4, wires.SPY, "", False, False, [])
    await wire.settled()
    gateway.faults.provoke(42)
    wire.call("reqTickByTickData", 5, wires.SPY, "BidAsk", 0, False)
    wire.call("reqMktDepth", 6, wires.SPY, 5, False, [])
    await wire.until(lambda: wire.of(309))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("4", "317"), ("5", "10189"), ("6", "309")]


@row(43)
async def test_row_43_delayed_types_and_late_snapshot_ends(gateway, wire, wires):
    gateway.faults.provoke(43)
    wire.call("reqMktData", 5, wires.SPY, "", True, False, [])
    await wire.until(lambda: wire.messages("1"))
    await wire.settled()
    assert [f[3] for f in wire.messages("58")] == ["3"]
    assert wire.messages("57") == []
    await wire.until(lambda: wire.messages("57"))


def ask_bars(wire, wires, request, end=""):
    wire.call("reqHistoricalData", request, wires.SPY, end, "600 S", "1 min", "TRADES", False, 1, False, [])


@row(44)
async def test_row_44_pacing(gateway, wire, wires):
    gateway.faults.provoke(44)
    ask_bars(wire, wires, 5)
    await wire.until(lambda: wire.of(162))
    assert "pacing violation" in wire.of(162)[0][4]
    ask_bars(wire, wires, 6)
    await wire.until(lambda: wire.messages("17"))


@row(45)
async def test_row_45_the_meanings_of_162(gateway, wire, wires):
    gateway.faults.provoke(45)
    for request in (5, 6, 7):
        ask_bars(wire, wires, request)
    wire.call("cancelHistoricalData", 8)
    wire.call("reqRealTimeBars", 9, wires.SPY, 5, "TRADES", False, [])
    await wire.until(lambda: wire.of(420))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [
        ("5", "162"), ("6", "162"), ("7", "162"), ("8", "366"), ("9", "420"),
    ]  # fmt: skip
    texts = [f[4] for f in wire.of(162)]
    assert "no data" in texts[0] and texts[1].endswith("cancelled: 6") and "Time length" in texts[2]


@row(46)
async def test_row_46_partial_bar(gateway, wire, wires):
    gateway.faults.provoke(46)
    ask_bars(wire, wires, 5)
    await wire.until(lambda: wire.messages("17"))
    answer = wire.messages("17")[0]
    assert answer[1] == "5" and answer[4] == "1"
    assert answer[5] == answer[3]


@row(47)
async def test_row_47_end_without_zone(gateway, wire, wires):
    gateway.faults.provoke(47)
    ask_bars(wire, wires, 5, "20260102 10:00:00")
    ask_bars(wire, wires, 6, "20260102 10:00:00 UTC")
    ask_bars(wire, wires, 7, "yesterday")
    await wire.until(lambda: len(wire.of(10314)) == 2 and wire.messages("17"))
    assert [f[2] for f in wire.of(10314)] == ["5", "7"]
    assert wire.messages("17")[0][1] == "6"
