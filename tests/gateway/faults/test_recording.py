"""Sessions are recorded and can be replayed."""

import json

import pytest

from mats.gateway import PaperGateway
from mats.gateway.faults.recording import read_record
from mats.gateway.faults.scripted_gateway import ScriptedGateway


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_sent_and_received_is_in_the_record(wires, tmp_path):
    path = tmp_path / "session.jsonl"

    async def run():
        gateway = PaperGateway()
        gateway.faults.record(path)
        async with gateway:
            async with wires.client(gateway) as wire:
                wire.call("reqMktData", 7, wires.SPY, "", False, False, [])
                wire.place(1)
                await wire.until(lambda: "Submitted" in wire.statuses() and wire.messages("1"))
            seen.extend(wire.seen)

    seen = []
    wires.run(run())
    record = lines(path)
    assert [entry["kind"] for entry in record][:3] == ["open", "in", "out"]
    assert record[-1]["kind"] == "close"
    assert {entry["connection"] for entry in record} == {1}
    assert [entry["fields"][0] for entry in record if entry["kind"] == "in"] == ["v157..178", "71", "1", "3"]
    written = [entry["fields"] for entry in record if entry["kind"] == "out"]
    assert written[: len(seen)] == seen
    times = [entry["time"] for entry in record]
    assert times == sorted(times) and times[0] > 1_600_000_000_000_000_000


def test_a_record_is_replayed_to_the_same_requests(wires, tmp_path):
    path = tmp_path / "session.jsonl"

    async def talk(gateway, seen):
        for _ in range(2):
            async with wires.client(gateway) as wire:
                wire.call("reqPositions")
                wire.call("reqCurrentTime")
                await wire.until(lambda wire=wire: wire.messages("49") and wire.messages("62"))
                wire.place(len(seen) + 1)
                await wire.until(lambda wire=wire: "Submitted" in wire.statuses())
                seen.append(wire.seen[1:])

    async def run():
        gateway = PaperGateway()
        gateway.faults.record(path)
        async with gateway:
            await talk(gateway, live)
        async with ScriptedGateway(path) as script:
            await talk(script, played)
            wire = await wires.plain(script.port).greet(1)
            assert wire.ended
            assert len(script.unexpected_requests) == 1

    live, played = [], []
    wires.run(run())
    assert played == live


def test_a_request_that_is_not_in_the_record_is_reported_and_not_answered(wires, tmp_path):
    path = tmp_path / "session.jsonl"

    async def run():
        gateway = PaperGateway()
        gateway.faults.record(path)
        async with gateway, wires.client(gateway) as wire:
            await wire.settled()
        async with ScriptedGateway(path) as script, wires.client(script) as wire:
            wire.call("reqPositions")
            await wire.settled()
            assert wire.messages("62") == []
            assert script.unexpected_requests == ["client 1 sent request 61, not in the rest of the record"]

    wires.run(run())


def test_a_line_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"time": 1, "connection": 1, "kind": "open"}\n{"time": 1, "kind": "shut"}\n')
    with pytest.raises(ValueError, match="line 2"):
        list(read_record(path))
