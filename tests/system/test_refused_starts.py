"""Starts that only an operator can mend: they end with exit code 2, the gateway's own sentence and what to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mats.model.orders import Side
from tests.patience import PATIENCE
from tests.system.harness import Daemon, killed_at_end, lively_strategies, until, write_settings
from tests.system.inside import GatewayThread, lively_gateway

READ_ONLY, NAMED_ZONE, NO_ZONE = 51, 53, 54


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    with lively_gateway(tmp_path) as gateway:
        yield gateway


def daemon_at(folder: Path, gateway: GatewayThread) -> Daemon:
    config = write_settings(folder / "config", lively_strategies(1), gateway.gateway.port)
    return Daemon(config, folder / "run" / "data")


@pytest.mark.parametrize(
    ("behavior", "sentences"),
    [
        (READ_ONLY, ("The API interface is currently in Read-Only mode", "clear Read-Only API in the API settings")),
        (NO_ZONE, ("has no zone; set gateway.time_zone to that of the gateway",)),
    ],
)
def test_a_start_that_only_an_operator_can_mend_ends_at_once(
    tmp_path: Path, gateway: GatewayThread, behavior: int, sentences: tuple[str, ...]
) -> None:
    gateway.fault(lambda faults: faults.provoke(behavior))
    daemon = daemon_at(tmp_path, gateway)
    with killed_at_end(daemon):
        assert daemon.process.wait(PATIENCE) == 2
        said = [line for line in daemon.stderr.splitlines() if line.startswith("mats: ")]
        assert len(said) == 1
        assert all(sentence in said[0] for sentence in sentences), said
        assert "closed by its owner" not in said[0]


def test_a_gateway_on_a_machine_with_names_of_windows_is_traded_on(tmp_path: Path, gateway: GatewayThread) -> None:
    gateway.fault(lambda faults: faults.provoke(NAMED_ZONE))
    gateway.fault(lambda faults: faults.manual_order("SPY", Side.BUY, 5))
    daemon = daemon_at(tmp_path, gateway)
    with killed_at_end(daemon):
        until(lambda: daemon.executions() > 0, PATIENCE, "the execution in the journal")
        daemon.stop()
