"""Known behaviors of real gateways, provoked by their number and seen on the wire: orders."""

from ib_async import ExecutionFilter, MarketOrder

from mats.gateway import PaperGateway
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock


async def test_row_14_no_and_double_statuses(gateway, wire, wires):
    gateway.faults.provoke(14)
    await wire.filled()
    assert wire.messages("3") == []
    assert [f[3] for f in wire.messages("11")[0:1]] and len(wire.messages("5")) == 2
    await wire.filled(2)
    assert wire.statuses() == ["PreSubmitted", "PreSubmitted", "Filled", "Filled"]


def test_row_15_any_order(wires):
    async def run(orders):
        async with PaperGateway(clock=SteppedClock(1_700_000_000 * SECOND)) as gateway, wires.client(gateway) as wire:
            gateway.faults.provoke(15)
            await wire.filled()
            await wire.settled()
            orders.append(wire.kinds("3", "5", "11", "59"))

    orders = []
    wires.run(run(orders))
    wires.run(run(orders))
    assert sorted(orders[0]) == ["11", "3", "3", "5", "5", "59"]
    assert orders[0] != ["5", "3", "11", "5", "3", "59"]
    assert orders[0] == orders[1]


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


async def test_row_17_ids_roll_back(gateway, clock, wire, wires):
    for order_id in range(1, 7):
        perm_id = await wire.working(order_id)
    gateway.faults.provoke(17)
    await wire.until(lambda: wire.ended)
    await clock.advance(SECOND // 5)
    await wires.listening(gateway)
    async with wires.client(gateway) as again:
        assert again.messages("9") == [["9", "1", "3"]]
        assert await again.working(6) != perm_id
        again.call("reqOpenOrders")
        await again.until(lambda: again.messages("53"))
        orders = [(f[1], f[25]) for f in again.messages("5")]
        assert len({perm for order_id, perm in orders if order_id == "6"}) == 2


async def test_row_18_duplicate_id(gateway, wire, wires):
    gateway.faults.provoke(18)
    wire.place(1)
    await wire.until(lambda: wire.codes())
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("1", "103")]
    await wire.working(2)
    wire.place(1)
    await wire.until(lambda: len(wire.codes()) == 2)
    assert wire.codes() == [103, 103]


async def test_row_19_orders_kept_while_the_line_is_down(gateway, clock, wire, wires):
    gateway.faults.provoke(19)
    wire.place(1)
    await wire.settled()
    assert wire.messages("5") == []
    await clock.advance(SECOND // 2)
    await wire.until(lambda: wire.messages("5"))
    assert wire.codes() == [1100, 1102]


async def test_row_20_a_change_makes_a_second_order(gateway, wire, wires):
    perm_id = await wire.working()
    gateway.faults.provoke(20)
    wire.place(1, wires.LimitOrder("BUY", 10, 2.0))
    await wire.until(lambda: {f[6] for f in wire.messages("3")} != {perm_id})
    wire.call("reqAllOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    at = wire.seen.index(wire.messages("53")[0])
    listed = [(f[1], f[25], float(f[16])) for f in wire.seen[at - 4 : at] if f[0] == "5"]
    assert sorted(price for _, _, price in listed) == [1.0, 2.0]
    assert len({perm for _, perm, _ in listed}) == 2 and {order_id for order_id, _, _ in listed} == {"1"}


async def test_row_21_notices_leave_the_order_working(gateway, wire, wires):
    await wire.working()
    gateway.faults.provoke(21)
    await wire.until(lambda: wire.of(201))
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [
        ("1", c) for c in ("10349", "399", "2109", "10311", "201")
    ]
    wire.call("reqOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    assert wire.statuses()[-1] == "Submitted"


async def test_row_22_cancel_refused(gateway, clock, wire, wires):
    await wire.working()
    gateway.faults.provoke(22)
    wire.call("cancelOrder", 1)
    wire.call("cancelOrder", 99)
    await wire.until(lambda: len(wire.codes()) == 2)
    assert wire.codes() == [10148, 10147]
    assert "Filled" in wire.of(10148)[0][4]
    assert wire.messages("11") == []
    wire.call("reqExecutions", 5, ExecutionFilter())
    await wire.settled()
    await clock.advance(SECOND // 2)
    wire.call("reqExecutions", 6, ExecutionFilter())
    await wire.until(lambda: [f for f in wire.messages("11") if f[1] == "6"])


async def test_row_23_pending_cancel_fills(gateway, wire, wires):
    await wire.working()
    gateway.faults.provoke(23)
    wire.call("cancelOrder", 1)
    await wire.until(lambda: wire.messages("59"))
    assert wire.statuses()[-2:] == ["PendingCancel", "Filled"]
    assert wire.codes() == []


async def test_row_24_inactive_then_submitted(gateway, clock, wire, wires):
    await wire.working()
    gateway.faults.provoke(24)
    await wire.until(lambda: wire.of(404))
    assert wire.statuses()[-1] == "Inactive"
    await clock.advance(SECOND * 3 // 10)
    await wire.until(lambda: wire.statuses()[-1] == "Submitted")
    inactive = next(f for f in wire.messages("3") if f[2] == "Inactive")
    assert inactive[10] == "locate"
    assert wire.of(404)[0][2] == "1"


async def test_row_25_accepted_and_not_elected(gateway, wire, wires):
    gateway.faults.provoke(25)
    wire.place(1, wires.LimitOrder("BUY", 10, 2000.0, tif="GTC"))
    await wire.settled()
    assert set(wire.statuses()) == {"PreSubmitted"}
    await wire.close()
    await wires.left(gateway)
    async with wires.client(gateway) as again:
        again.call("reqOpenOrders")
        await again.until(lambda: again.messages("53"))
        assert [(f[1], f[2]) for f in again.messages("3")] == [("1", "PreSubmitted")]


async def test_row_26_change_refused(gateway, wire, wires):
    await wire.working()
    said = len(wire.messages("3", "5"))
    gateway.faults.provoke(26)
    for _ in range(2):
        wire.place(1, wires.LimitOrder("BUY", 10, 2.0))
    await wire.until(lambda: len(wire.codes()) == 2)
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("1", "2102"), ("1", "10326")]
    assert len(wire.messages("3", "5")) == said
    assert gateway.faults.order(1, 1).limit_price == 1


async def test_row_27_untransmitted_and_orphaned(gateway, wire, wires):
    gateway.faults.provoke(27)
    wire.place(1, transmit=False)
    wire.place(2, parentId=7)
    await wire.until(lambda: wire.codes())
    await wire.settled()
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("2", "10006")]
    assert wire.messages("3", "5") == []


async def test_row_28_perm_id_zero(gateway, wire, wires):
    gateway.faults.provoke(28)
    perm_id = await wire.working()
    assert [f[25] for f in wire.messages("5")] == ["0", perm_id]
    assert [f[6] for f in wire.messages("3")] == ["0", perm_id]
    assert int(perm_id) > 0


async def test_row_29_order_reference(gateway, wire, wires):
    gateway.faults.provoke(29)
    wire.place(1, MarketOrder("BUY", 10, orderRef="alpha:1"))
    await wire.until(lambda: wire.messages("59"))
    assert {f[23] for f in wire.messages("5")} == {"alpha:1"}
    assert "alpha:1" in wire.messages("11")[0]
    wire.call("reqCompletedOrders", False)
    await wire.until(lambda: wire.messages("102"))
    assert [f[22] for f in wire.messages("101")] == [""]


def test_row_30_manual_orders(wires):
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


async def test_row_31_fractions(gateway, wire, wires):
    gateway.faults.provoke(31)
    wire.place(1)
    wire.place(2, quantity=0, totalQuantity=10.5)
    await wire.until(lambda: len(wire.codes()) == 2)
    assert [(f[2], f[3]) for f in wire.messages("4")[3:]] == [("1", "10243"), ("2", "10243")]


async def test_row_32_several_accounts(gateway, wire, wires):
    gateway.faults.provoke(32)
    async with wires.client(gateway, 2) as other:
        assert other.messages("15") == [["15", "1", "DU1000001,DU2000002,"]]
        other.place(1)
        other.place(2, account="DU1000001")
        await other.until(lambda: other.messages("5"))
        assert [(f[2], f[3]) for f in other.messages("4")[3:]] == [("1", "435")]


async def test_row_48_an_order_is_parked_without_a_word_and_can_be_cancelled(gateway, wire, wires):
    gateway.faults.provoke(48)
    wire.place(1)
    await wire.until(lambda: wire.messages("3"))
    assert set(wire.statuses()) == {"Inactive"}
    wire.call("reqOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    assert set(wire.statuses()) == {"Inactive"}
    wire.call("reqCompletedOrders", False)
    await wire.until(lambda: wire.messages("102"))
    assert wire.messages("101") == []
    wire.call("cancelOrder", 1)
    await wire.until(lambda: "Cancelled" in wire.statuses())


async def test_row_49_an_acknowledged_order_is_in_no_list(gateway, wire, wires):
    gateway.faults.provoke(49)
    wire.place(1)
    await wire.until(lambda: wire.statuses() == ["PreSubmitted"])
    wire.call("reqOpenOrders")
    wire.call("reqCompletedOrders", False)
    await wire.until(lambda: wire.messages("102"))
    assert wire.messages("5") == wire.messages("101") == []
    wire.call("cancelOrder", 1)
    await wire.until(lambda: wire.codes() == [10147])


async def test_row_50_an_order_is_refused_with_a_code_that_nobody_knows(gateway, wire, wires):
    gateway.faults.provoke(50)
    wire.place(1)
    await wire.until(lambda: wire.codes() == [9999])
    assert wire.messages("3") == wire.messages("5") == []
