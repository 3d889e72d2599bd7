"""What gateways do to their clients: they die, drop connections, correct, repeat, and trade by hand (G1, G3)."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from mats.gateway import PaperGateway
from mats.gateway.faults.fault_injector import FaultInjector
from mats.gateway.orders import order_messages
from mats.model.orders import Side
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from tests.patience import PATIENCE
from tests.system.harness import (
    ACCOUNT,
    Daemon,
    GatewayProcess,
    killed_at_end,
    lively_strategies,
    look,
    prove,
    until,
    write_bars,
    write_settings,
)
from tests.system.inside import GatewayThread, System, lively_gateway, running_system, write_strategies

STRATEGIES = ("lively-0", "lively-1")


def test_a_gateway_that_is_killed_comes_back_to_a_daemon_whose_books_agree(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=5), bar_seconds=2.0)
    config = write_settings(tmp_path / "config", lively_strategies(2), gateway.port)
    daemon = Daemon(config, tmp_path / "run" / "data")
    with killed_at_end(daemon, gateway):
        for _ in range(2):
            before = daemon.executions()
            until(lambda had=before: daemon.executions() > had + 5, PATIENCE, "trading")
            gateway.kill()
            gateway.start()
        before = daemon.executions()
        until(lambda: daemon.executions() > before + 5, PATIENCE, "trading after the second death")
        summary = daemon.stop()
        seen = look(gateway.port)
        prove(daemon.data, seen, summary)
    assert summary["restarts"] >= 8
    assert daemon.process.returncode == 0


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    write_strategies(tmp_path, lively_strategies(2))
    with lively_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture
def system(tmp_path: Path, gateway: GatewayThread) -> Iterator[System]:
    with running_system(tmp_path, gateway) as system:
        system.wait_for_fills(3, *STRATEGIES)
        yield system


@pytest.mark.parametrize("hard", [False, True])
def test_connections_dropped_while_fills_flow_lose_and_double_nothing(
    system: System, gateway: GatewayThread, hard: bool
) -> None:
    for client in (1, 0, 99):
        before = system.incarnations()[f"brokers/ib-{client}"]
        gateway.fault(lambda faults, c=client: faults.drop(c, hard=hard))
        until(lambda c=client, b=before: system.incarnations()[f"brokers/ib-{c}"] > b, PATIENCE, "the restart")
    system.wait_for_fills(4, *STRATEGIES)
    system.wait_until_booked()
    system.finish_and_prove()


def test_a_correction_replaces_the_execution_in_books_and_store(system: System, gateway: GatewayThread) -> None:
    system.operator.stop_strategies(5)
    system.wait_until_booked()
    fill = gateway.fault(lambda faults: faults.fills())[0]
    corrected = gateway.fault(lambda faults: faults.correct(fill.exec_id, fill.quantity + 3, fill.price))
    system.wait_for_agreement()
    system.finish_and_prove()
    stored = Reader(lmdb_uri(system.data / "arctic")).fills(ACCOUNT)
    (row,) = stored[stored["family"] == fill.exec_id.rpartition(".")[0]].itertuples()
    assert (row.fill_id, row.quantity) == (corrected, float(fill.quantity + 3))


def test_a_bust_takes_the_execution_out_of_the_books(system: System, gateway: GatewayThread) -> None:
    system.operator.stop_strategies(5)
    system.wait_until_booked()
    fill = gateway.fault(lambda faults: faults.fills())[-1]
    gateway.fault(lambda faults: faults.correct(fill.exec_id, 0, fill.price))
    system.wait_for_agreement()
    summary, _ = system.finish()
    assert summary.breaks == 0
    assert all(line.agrees for line in summary.positions)
    assert not system.lost(), system.lost()


def test_an_order_by_hand_is_booked_to_discretionary_and_to_nobody_else(system: System, gateway: GatewayThread) -> None:
    gateway.fault(lambda faults: faults.manual_order("IBM", Side.BUY, 70))
    gateway.fault(lambda faults: faults.manual_order("SPY", Side.SELL, 30))
    system.wait_for_fills(3, *STRATEGIES)
    system.wait_until_booked()
    system.wait_for_agreement()
    summary, _ = system.finish()
    lines = {line.symbol: line for line in summary.positions}
    assert (lines["IBM"].discretionary, lines["IBM"].strategies) == (70, {})
    assert lines["SPY"].discretionary == -30
    assert all(line.agrees for line in summary.positions)
    assert summary.breaks == 0
    assert summary.fills == summary.fills_stored == summary.gateway_executions
    assert not system.lost(), system.lost()


def test_executions_reported_again_change_nothing(system: System, gateway: GatewayThread) -> None:
    for _ in range(3):
        gateway.call(repeat_everything)
    system.wait_for_fills(3, *STRATEGIES)
    system.wait_until_booked()
    system.finish_and_prove()


def test_trading_survives_the_loss_of_the_line_behind_the_gateway(system: System, gateway: GatewayThread) -> None:
    gateway.fault(lambda faults: faults.connectivity(1100))
    system.wait_until_booked()
    gateway.fault(lambda faults: faults.connectivity(1101))
    system.wait_for_fills(4, *STRATEGIES)
    system.wait_until_booked()
    system.finish_and_prove()


def test_of_a_cost_that_comes_before_its_execution_and_again_after_it_the_last_word_holds(
    system: System, gateway: GatewayThread
) -> None:
    early = gateway.call(tell_next_cost)
    until(
        lambda: any(fill.exec_id == early for fill in gateway.fault(FaultInjector.fills)),
        PATIENCE,
        "the execution after it",
    )
    system.wait_until_booked()
    system.finish_and_prove()
    stored = Reader(lmdb_uri(system.data / "arctic")).fills(ACCOUNT)
    (row,) = stored[stored["fill_id"] == early].itertuples()
    assert row.commission == 1.0
    assert stored["commission"].notna().all()


def repeat_everything(gateway: PaperGateway) -> None:
    """Tell the owner of every execution of it once more."""
    for fill in gateway.faults.fills():
        instrument = gateway.universe.listing(fill.instrument).instrument
        for client in (0, fill.client_id):
            gateway.faults.push(client, *order_messages.execution(-1, fill, instrument))
            gateway.faults.push(client, *order_messages.commission_report(fill))


def tell_next_cost(gateway: PaperGateway) -> str:
    """Tell the master what the execution after the newest one cost, before it happens; the id it will have."""
    newest = max(gateway.faults.fills(), key=lambda fill: fill.exec_id)
    era, number, *rest = newest.exec_id.split(".")
    coming = ".".join((era, f"{int(number, 16) + 1:08x}", *rest))
    cost = msgspec.structs.replace(newest, exec_id=coming, commission=Decimal("0.77"))
    gateway.faults.push(0, *order_messages.commission_report(cost))
    return coming
