"""The raw tools of a fault plan, each on the wire, and the plan itself."""

import asyncio

import pytest

from mats.gateway import PaperGateway
from mats.gateway.faults.fault_types import (
    EXTREMES,
    Checkpoint,
    Delay,
    Drop,
    DuplicateMessage,
    Edit,
    Fuzz,
    PlanError,
    Push,
    Refuse,
    Release,
    Reorder,
    Restart,
    SplitFrame,
    StopReading,
    Swallow,
)
from mats.gateway.faults.plan import load_plan, parse_plan
from mats.model.timestamp import SECOND
from mats.venue.clock import AcceleratedClock, SteppedClock

MILLISECOND = SECOND // 1000


async def test_any_message_is_pushed_unchanged(gateway, wire, wires):
    gateway.faults.arm(Push(messages=((4, 2, -1, 2110, "hello", ""), ("anything", 1.5, "ünïcode"))))
    await wire.until(lambda: wire.messages("anything"))
    assert wire.seen[-2:] == [["4", "2", "-1", "2110", "hello", ""], ["anything", "1.5", "ünïcode"]]


async def test_requests_and_messages_are_swallowed_so_many_times(gateway, wire, wires):
    gateway.faults.arm(Swallow(request=(49,), skip=1, times=2))
    for _ in range(4):
        wire.call("reqCurrentTime")
    wire.call("reqIds", 1)
    await wire.until(lambda: len(wire.messages("9")) == 2)
    assert len(wire.messages("49")) == 2


async def test_delayed_messages_come_later_and_others_pass_them(gateway, clock, wire, wires):
    gateway.faults.arm(Delay(message=(49,), seconds=0.05), Delay(request=(8,)))
    wire.call("reqCurrentTime")
    wire.call("reqIds", 1)
    wire.call("reqPositions")
    await wire.until(lambda: wire.messages("62"))
    await clock.advance(SECOND // 20)
    await wire.until(lambda: wire.messages("49"))
    assert wire.kinds("49", "62", "9") == ["9", "62", "49"]
    gateway.faults.arm(Release())
    await wire.until(lambda: len(wire.messages("9")) == 2)


async def test_requests_are_reordered_as_configured_and_released_if_too_few_come(gateway, clock, wire, wires):
    gateway.faults.arm(Reorder(request=(49, 61, 8), count=3, order=(2, 0, 1), seconds=0.05))
    for name in ("reqCurrentTime", "reqPositions"):
        wire.call(name)
    wire.call("reqIds", 1)
    await wire.until(lambda: len(wire.kinds("49", "62", "9")) == 4)
    assert wire.kinds("49", "62", "9")[1:] == ["9", "49", "62"]
    wire.call("reqCurrentTime")
    wire.call("reqAllOpenOrders")
    await wire.until(lambda: wire.messages("53"))
    assert len(wire.messages("49")) == 1
    await clock.advance(SECOND // 20)
    await wire.until(lambda: len(wire.messages("49")) == 2)


async def test_messages_are_duplicated_and_edited_in_the_order_of_the_plan(gateway, wire, wires):
    gateway.faults.arm(DuplicateMessage(message=(49,), copies=2), Edit(message=(49,), set={2: "$2$2"}, times=1))
    wire.call("reqCurrentTime")
    await wire.until(lambda: len(wire.messages("49")) == 3)
    times = [f[2] for f in wire.messages("49")]
    assert times == [times[1] * 2, times[1], times[1]]


async def test_one_field_at_a_time_is_fuzzed_by_the_seed(gateway, wire, wires):
    gateway.faults.arm(Fuzz(message=(9,), fields=(2,), values=("nan", "\udcff")), seed=3)
    for _ in range(20):
        wire.call("reqIds", 1)
    await wire.until(lambda: len(wire.messages("9")) == 21)
    fuzzed = [fields[2] for fields in wire.messages("9")[1:]]
    assert {"nan"} < set(fuzzed)
    assert all(text == "nan" or "\\x" in text for text in fuzzed)  # the client shows bytes that are no text
    gateway.faults.disarm()
    gateway.faults.arm(Fuzz(message=(49,)))
    wire.call("reqCurrentTime")
    await wire.until(lambda: wire.messages("49"))
    assert wire.messages("49")[0][1] in EXTREMES or wire.messages("49")[0][1] == "1"


@pytest.mark.parametrize(("hard", "end"), [(False, "closed"), (True, "reset")])
def test_a_connection_is_dropped_softly_or_hard(wires, hard, end):
    async def run():
        async with PaperGateway() as gateway, wires.client(gateway, 1) as one, wires.client(gateway, 2) as two:
            gateway.faults.arm(Drop(client=1, hard=hard))
            await one.until(lambda: one.ended)
            assert one.ended == end
            await two.settled()
            assert two.ended is None

    wires.run(run())


async def test_the_gateway_stops_reading_for_a_while(gateway, clock, wire, wires):
    gateway.faults.arm(StopReading(seconds=0.1))
    wire.call("reqCurrentTime")
    async with wires.client(gateway, 2) as other:
        await other.settled()
    assert wire.messages("49") == []
    await clock.advance(SECOND // 10)
    await wire.until(lambda: wire.messages("49"))


async def test_frames_arrive_split_and_whole_again(gateway, clock, wire, wires):
    received, take = [], wire._take
    wire._take = lambda data: (received.append(len(data)), take(data))
    gateway.faults.arm(SplitFrame(size=3, pause=0.001, lasting=60.0))
    wire.call("reqPositions")
    wire.call("reqCurrentTime")
    while not wire.messages("49"):
        await clock.advance(MILLISECOND)
    assert len(received) > 5
    assert wire.kinds("62", "49") == ["62", "49"]
    clock.leap(60 * SECOND)
    received.clear()
    await wire.settled()
    assert len(received) == 1


async def test_new_connections_are_refused_and_the_old_ones_stay(gateway, clock, wire, wires):
    gateway.faults.arm(Refuse(seconds=0.1))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", gateway.port)
    await wire.settled()
    await clock.advance(SECOND // 10)
    await wires.listening(gateway)
    async with wires.client(gateway, 2) as other:
        await other.settled()


@pytest.mark.parametrize("durable", [False, True])
def test_a_restart_goes_back_to_the_checkpoint_and_stays_there(wires, tmp_path, durable):
    path = tmp_path / "gateway.db" if durable else None

    async def look(gateway, orders):
        async with wires.client(gateway) as wire:
            wire.call("reqPositions")
            wire.call("reqOpenOrders")
            await wire.until(lambda: wire.messages("62") and wire.messages("53"))
            assert [f[1] for f in wire.messages("5")] == orders
            assert wire.messages("61") == []
            assert wire.messages("9")[0][2] == "2"

    async def run():
        async with PaperGateway(state=path) as gateway:
            async with wires.client(gateway) as wire:
                wire.place(1)
                await wire.until(lambda: "Submitted" in wire.statuses())
                gateway.faults.arm(Checkpoint())
                wire.place(2, wires.MarketOrder("BUY", 5))
                wire.place(3)
                wire.call("cancelOrder", 1)
                await wire.until(lambda: wire.messages("59") and "Cancelled" in wire.statuses())
                exec_id = wire.messages("11")[0][14]
                gateway.faults.arm(Restart(checkpoint=True))
                await wire.until(lambda: wire.ended)
            await look(gateway, ["1"])
            assert gateway.faults.fills() == []
            async with wires.client(gateway) as wire:
                wire.place(2, wires.MarketOrder("BUY", 5))
                await wire.until(lambda: wire.messages("59"))
                assert wire.messages("11")[0][14] != exec_id
                wire.place(3, wires.MarketOrder("SELL", 5))
                await wire.until(lambda: len(wire.messages("59")) == 2)
        if durable:
            async with PaperGateway(state=path) as gateway, wires.client(gateway) as wire:
                wire.call("reqOpenOrders")
                await wire.until(lambda: wire.messages("53"))
                assert [f[1] for f in wire.messages("5")] == ["1"]
                assert wire.messages("9")[0][2] == "4"

    wires.run(run())


def test_chances_follow_the_seed_and_not_each_other(wires):
    async def run(seed, before):
        async with PaperGateway() as gateway, wires.client(gateway) as wire:
            gateway.faults.arm(
                Swallow(request=(61,), chance=0.5), *before, Swallow(message=(49,), chance=0.5), seed=seed
            )
            for _ in range(40):
                wire.call("reqCurrentTime")
            wire.call("reqIds", 1)
            await wire.until(lambda: len(wire.messages("9")) == 2)
            return len(wire.messages("49"))

    async def all_runs():
        same = Swallow(request=(61,), chance=0.1)
        return [await run(1, [same]), await run(1, [same]), *[await run(seed, [same]) for seed in range(2, 8)]]

    counts = asyncio.run(all_runs())
    assert counts[0] == counts[1]
    assert 0 < counts[0] < 40
    assert len(set(counts)) > 2


def test_a_plan_is_read_from_a_file(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('seed = 9\nrows = [34, 36]\n[[fault]]\ndo = "swallow"\nmessage = [62]\nwhere = { 1 = "x+" }\n')
    plan = load_plan(path)
    assert plan.seed == 9
    assert [type(fault).__name__ for fault in plan.faults] == ["Correct", "RollDay", "Swallow"]
    assert plan.faults[2] == Swallow(message=(62,), where={1: "x+"})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"faults": []}, "only seed"),
        ({"fault": [{"do": "swallow", "time": 1}]}, "time"),
        ({"fault": [{"do": "vanish"}]}, "vanish"),
        ({"rows": [0]}, "1 to 63"),
        ({"seed": "x"}, "int"),
        ([], "only seed"),
    ],
)
def test_a_plan_that_cannot_be_read_says_why(document, words):
    with pytest.raises(PlanError, match=words):
        parse_plan(document, "plan")


def test_a_stepped_clock_shows_every_step_of_the_market(wires):
    async def run():
        clock = SteppedClock(1_700_000_000 * SECOND)
        async with PaperGateway(clock=clock) as gateway, wires.client(gateway) as wire:
            wire.call("reqTickByTickData", 5, wires.SPY, "BidAsk", 0, False)
            await wire.settled()
            before = len(wire.messages("99"))
            await clock.advance(5 * SECOND)
            await wire.settled()
            assert len(wire.messages("99")) - before == 20
            assert wire.messages("49")[-1][2] == "1700000005"

    wires.run(run())


def test_an_accelerated_clock_runs_ahead_of_the_wall(monkeypatch):
    wall = SteppedClock(0)

    async def sleep(seconds):
        wall.leap(round(seconds * SECOND))

    monkeypatch.setattr("time.monotonic_ns", wall.now)
    monkeypatch.setattr("asyncio.sleep", sleep)
    clock = AcceleratedClock(1000.0, start=5 * SECOND)
    asyncio.run(clock.until(25 * SECOND))
    assert (clock.now(), wall.now()) == (25 * SECOND, SECOND // 50)
    with pytest.raises(ValueError, match="positive"):
        AcceleratedClock(0)
