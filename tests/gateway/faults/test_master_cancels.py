"""The master cancels an order of another client: its last status has the canceller's id, and 202 follows."""


async def test_the_status_names_who_cancelled(gateway, wire, wires):
    await wire.working(1)
    async with wires.client(gateway, 0) as master:
        master.call("cancelOrder", 1, "")
        await wire.until(lambda: wire.of(202))
        last = wire.messages("3", "4")[-2:]
        assert (last[0][2], last[0][9]) == ("Cancelled", "0") and last[1][2:4] == ["1", "202"]


async def test_other_clients_do_not_find_it(gateway, wire, wires):
    await wire.working(1)
    async with wires.client(gateway, 7) as stranger:
        stranger.call("cancelOrder", 1, "")
        await stranger.until(lambda: stranger.of(10147))
    assert wire.statuses()[-1] == "Submitted"
