"""What a gateway still knows after it was killed."""

import os
import select
import signal
import sqlite3
import subprocess
import sys

import pytest
from ib_async import LimitOrder, MarketOrder

from mats.gateway import PaperGateway
from mats.gateway.server import GatewayError
from tests.patience import PATIENCE


def test_a_restarted_gateway_has_the_same_positions_orders_executions_and_ids(bench, tmp_path):
    path = tmp_path / "gateway.db"

    async def before():
        async with PaperGateway(state=path) as gateway, bench.client(gateway, 3) as ib:
            contract = await bench.contract(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 10, orderRef="alpha:1"))
            await bench.until(lambda: trade.fills and trade.fills[0].commissionReport.commission)
            resting = ib.placeOrder(contract, LimitOrder("BUY", 7, 1.0, tif="GTC", orderRef="alpha:2"))
            await bench.until(lambda: resting.orderStatus.status == "Submitted")
            known.update(exec_id=trade.fills[0].execution.execId, order_id=resting.order.orderId)
            known.update(perm_id=resting.order.permId)

    async def after():
        async with PaperGateway(state=path) as gateway, bench.client(gateway, 3) as ib:
            assert [p.position for p in ib.positions()] == [10]
            assert [f.execution.execId for f in ib.fills()] == [known["exec_id"]]
            assert ib.fills()[0].commissionReport.commission == 1.0
            trade = ib.openTrades()[0]
            assert (trade.order.orderId, trade.order.permId) == (known["order_id"], known["perm_id"])
            assert trade.order.orderRef == "alpha:2"
            completed = await ib.reqCompletedOrdersAsync(False)
            assert [t.order.orderRef for t in completed] == ["alpha:1"]
            assert ib.client.getReqId() > known["order_id"]
            ib.cancelOrder(trade.order)
            await bench.until(trade.isDone)
            other = ib.placeOrder(trade.contract, MarketOrder("BUY", 1))
            await bench.until(other.isDone)
            assert other.fills[0].execution.execId != known["exec_id"]

    known: dict[str, object] = {}
    bench.run(before())
    bench.run(after())


def test_a_state_that_was_rolled_back_assigns_no_id_again(bench, tmp_path):
    path, backup = tmp_path / "gateway.db", tmp_path / "backup.db"

    async def trade():
        async with PaperGateway(state=path) as gateway, bench.client(gateway, 3) as ib:
            trade = ib.placeOrder(await bench.contract(ib), MarketOrder("BUY", 10))
            await bench.until(trade.isDone)
            ids.append((trade.fills[0].execution.execId, trade.order.permId))

    ids: list[tuple[str, int]] = []
    bench.run(trade())
    sqlite3.connect(path).execute("VACUUM INTO ?", (str(backup),))
    bench.run(trade())
    for file in tmp_path.glob("gateway.db*"):
        file.unlink()
    backup.rename(path)
    bench.run(trade())
    executions, orders = zip(*ids, strict=True)
    assert len(set(executions)) == len(set(orders)) == 3


def test_the_state_of_a_newer_version_is_refused_with_one_sentence(bench, tmp_path):
    path = tmp_path / "gateway.db"
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    async def open_it():
        async with PaperGateway(state=path):
            pass

    with pytest.raises(GatewayError, match="has version 99 and this program knows up to 1; start the newer program"):
        bench.run(open_it())


SERVE = "import sys; from pathlib import Path; from mats.gateway.process import serve; serve(state=Path(sys.argv[1]){})"


def start(path, more=""):
    process = subprocess.Popen([sys.executable, "-c", SERVE.format(more), str(path)], stdout=subprocess.PIPE, text=True)
    ready, _, _ = select.select([process.stdout], [], [], 20)
    assert ready
    line = process.stdout.readline()
    assert line.startswith("listening 127.0.0.1:")
    return process, int(line.rsplit(":", 1)[1])


def test_an_execution_that_a_client_has_seen_survives_the_death_of_the_process(bench, tmp_path):
    class Address:
        connected = frozenset()

    async def trade_once():
        async with bench.client(address, 1) as ib:
            contract = await bench.contract(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 10))
            await bench.until(lambda: trade.fills)
            os.kill(process.pid, signal.SIGKILL)
            seen.append(trade.fills[0].execution.execId)

    async def look():
        async with bench.client(address, 1) as ib:
            assert [f.execution.execId for f in ib.fills()] == seen
            assert ib.positions()[0].position == 10

    address, seen = Address(), []
    process, address.port = start(tmp_path / "gateway.db")
    bench.run(trade_once())
    process.communicate(timeout=PATIENCE)
    process, address.port = start(tmp_path / "gateway.db")
    try:
        bench.run(look())
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_the_process_ends_with_its_parent_and_a_port_in_use_is_one_sentence(bench, tmp_path):
    guardian = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process, port = start(tmp_path / "gateway.db", f", with_parent={guardian.pid}")

    async def second():
        with pytest.raises(GatewayError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with PaperGateway(port=port):
                pytest.fail("two gateways listen on one port")

    bench.run(second())
    guardian.communicate(b"\n", timeout=PATIENCE)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
