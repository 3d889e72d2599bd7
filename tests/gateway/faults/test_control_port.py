"""The control port: faults, manual orders and queries while the gateway runs."""

import asyncio
import json
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mats.cli.gateway import gateway as gateway_command
from mats.gateway import PaperGateway
from mats.gateway.control_port import MAX_LINE_BYTES, ControlPort
from mats.gateway.server import GatewayError
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock
from tests.patience import PATIENCE


async def ask(port, *documents):
    """The answers to some lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for document in documents:
        writer.write((document if isinstance(document, bytes) else json.dumps(document).encode()) + b"\n")
        answers.append(json.loads(await asyncio.wait_for(reader.readline(), PATIENCE)))
    writer.close()
    return answers


def test_manual_orders_and_cancels_are_sent_to_the_master(wires):
    async def run():
        async with PaperGateway() as gateway, ControlPort(gateway) as control, wires.client(gateway, 0) as master:
            order = {"do": "manual_order", "instrument": "SPY", "side": "BUY", "quantity": 7, "price": 1.0}
            done, shown = await ask(control.port, order, {"show": "orders"})
            assert done == {"ok": True}
            (working,) = shown["result"]
            assert (working["client_id"], working["order_ref"]) == (0, "")
            assert working["order_id"] < 0
            await master.until(lambda: master.messages("5"))
            await ask(control.port, {"do": "cancel_order", "perm_id": working["perm_id"]})
            await master.until(lambda: "Cancelled" in master.statuses())
            market = {"do": "manual_order", "instrument": "SPY", "side": "SELL", "quantity": 7}
            _, executions, accounts = await ask(control.port, market, {"show": "executions"}, {"show": "accounts"})
            assert executions["result"][0]["side"] == "SELL"
            assert float(accounts["result"][0]["holdings"]["SPY"]["quantity"]) == -7
            await master.until(lambda: master.messages("11"))

    wires.run(run())


def test_positions_are_transferred_split_and_liquidated_and_a_client_receives_each(wires):
    async def run():
        async with PaperGateway() as gateway, ControlPort(gateway) as control, wires.client(gateway, 0) as master:
            master.call("reqPositions")
            await master.until(lambda: master.messages("62"))
            await ask(control.port, {"do": "transfer", "instrument": "SPY", "quantity": 5, "price": 210})
            await master.until(lambda: len(master.messages("61")) == 1)
            await ask(control.port, {"do": "stock_split", "instrument": "SPY", "new": 7, "old": 1})
            await master.until(lambda: len(master.messages("61")) == 2)
            _, accounts = await ask(control.port, {"do": "liquidate", "instrument": "SPY"}, {"show": "accounts"})
            await master.until(lambda: master.messages("11"))
            await master.until(lambda: len(master.messages("61")) == 3)
            held = [(float(f[14]), float(f[15])) for f in master.messages("61")]
            assert held == [(5, 210), (35, 30), (0, 0)]
            (execution,) = master.messages("11")
            assert (execution[18], float(execution[19])) == ("SLD", 35)
            assert float(accounts["result"][0]["cash"]["USD"]) > 1_000_000

    wires.run(run())


def test_faults_are_armed_shown_and_disarmed(wires):
    async def run():
        async with PaperGateway() as gateway, ControlPort(gateway) as control, wires.client(gateway) as wire:
            plan = {"rows": [33], "fault": [{"do": "swallow", "request": [49]}], "seed": 3}
            _, shown, clients = await ask(control.port, plan, {"show": "faults"}, {"show": "clients"})
            assert [fault["do"] for fault in shown["result"]] == ["duplicate", "swallow"]
            assert clients["result"] == [1]
            wire.call("reqCurrentTime")
            wire.call("reqIds", 1)
            await wire.until(lambda: len(wire.messages("9")) == 2)
            assert wire.messages("49") == []
            await ask(control.port, {"disarm": True})
            await wire.settled()
            assert gateway.faults.armed == []

    wires.run(run())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "malformed"),
        ({"do": "explode"}, "explode"),
        ({"do": "swallow", "requst": [1]}, "requst"),
        ({"do": "swallow"}, "acts on traffic"),
        ({"rows": [64]}, "no behavior has the number 64"),
        ({"show": "money"}, "money"),
        ({"what": 1}, "only seed"),
        ({"do": "correct", "quantity": 5}, "no execution"),
        ({"do": "fill"}, "no order"),
        ({"do": "restart", "checkpoint": True}, "no checkpoint"),
        ({"do": "shift_clock", "seconds": 1e30}, "2000 to 2100"),
        ({"do": "liquidate", "instrument": "SPY"}, "no position in SPY"),
        ({"do": "transfer", "instrument": "NOPE", "quantity": 1}, "NOPE"),
        ({"do": "stock_split", "instrument": "SPY", "new": 0, "old": 1}, "0:1"),
        ({"do": "manual_order", "instrument": "NOPE", "side": "BUY", "quantity": 1}, "NOPE"),
        ({"do": "manual_order", "instrument": "SPY", "side": "HOLD", "quantity": 1}, "HOLD"),
        ({"do": "manual_order", "instrument": "SPY", "side": "BUY", "quantity": 1, "account": "DU9"}, "DU9"),
    ],
)
def test_a_line_that_cannot_be_executed_is_answered_with_the_reason(wires, line, words):
    async def run():
        async with PaperGateway() as gateway, ControlPort(gateway) as control:
            bad, good = await ask(control.port, line, {"show": "clock"})
            assert words in bad["error"]
            assert good["ok"]

    wires.run(run())


def test_an_endless_line_ends_its_own_connection_alone(wires):
    async def run():
        async with PaperGateway() as gateway, ControlPort(gateway) as control:
            reader, writer = await asyncio.open_connection("127.0.0.1", control.port)
            writer.write(b"x" * (2 * MAX_LINE_BYTES))
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), PATIENCE)
            writer.close()
            assert (await ask(control.port, {"show": "clients"}))[0]["result"] == []

    wires.run(run())


def test_the_clock_is_shifted_and_the_day_rolls_over_the_port(wires):
    async def run():
        start = 1_700_000_000 * SECOND
        async with PaperGateway(clock=SteppedClock(start)) as gateway, ControlPort(gateway) as control:
            answers = await ask(
                control.port,
                {"do": "shift_clock", "seconds": 90},
                {"show": "clock"},
                {"do": "shift_clock", "seconds": -30},
                {"show": "clock"},
                {"do": "roll_day"},
                {"show": "clock"},
            )
            shown = [answer["result"] for answer in answers if "result" in answer]
            assert shown == [start + 90 * SECOND, start + 60 * SECOND, 1_700_006_400 * SECOND]
            async with wires.client(gateway) as wire:
                await wire.settled()
                assert wire.messages("49") == [["49", "1", "1700006400"]]

    wires.run(run())


def start_command(*arguments):
    program = "import typer; from mats.cli.gateway import gateway; typer.run(gateway)"
    command = [sys.executable, "-c", program, "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    return process, process.stdout.readline() if ready else ""


def test_the_command_takes_a_plan_writes_a_log_and_can_play_it_again(wires, tmp_path):
    plan, log = tmp_path / "plan.toml", tmp_path / "session.jsonl"
    plan.write_text('rows = [33]\n[[fault]]\ndo = "edit"\nmessage = [49]\nset = { 2 = 42 }\n')

    async def talk(port, seen):
        wire = await wires.plain(port).greet(1)
        wire.call("reqCurrentTime")
        await wire.until(lambda: wire.messages("49"))
        seen.append(wire.seen[1:])
        await wire.close()

    live, played = [], []
    process, line = start_command("--faults", str(plan), "--log", str(log), "--control-port", "0", "--speed", "2")
    try:
        assert line.startswith("listening 127.0.0.1:")
        assert process.stdout.readline().startswith("control 127.0.0.1:")
        wires.run(talk(int(line.rsplit(":", 1)[1]), live))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert live[0][-1] == ["49", "1", "42"]
    process, line = start_command("--script", str(log))
    try:
        wires.run(talk(int(line.rsplit(":", 1)[1]), played))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert played == live
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"faults": Path("none.toml")}, "fault plan none.toml"),
        ({"market": "replay"}, "--replay"),
        ({"script": Path("none.jsonl")}, "script"),
        ({"calendar": "MARS"}, "MARS"),
        ({"accounts": "DU1,,DU2"}, "empty name"),
        ({"log": Path("/nowhere/session.jsonl")}, "nowhere"),
    ],
)
def test_a_usage_error_is_one_sentence(options, words):
    with pytest.raises(GatewayError, match=words) as caught:
        gateway_command(port=0, **options)
    assert len(str(caught.value).splitlines()) == 1
