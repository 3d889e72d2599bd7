"""The daemon's books against the gateway's, seen by a client that knows nothing of MATS (G1, G3)."""

from pathlib import Path

from tests.patience import PATIENCE
from tests.system.harness import (
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


def test_every_fill_is_booked_once_and_the_books_add_up_to_the_position_of_the_gateway(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=1), bar_seconds=2.0)
    config = write_settings(tmp_path / "config", lively_strategies(4), gateway.port)
    daemon = Daemon(config, tmp_path / "run" / "data", "--for", "8")
    with killed_at_end(daemon, gateway):
        until(lambda: daemon.executions() > 20, PATIENCE, "trading")
        beside = look(gateway.port, client_id=77)
        summary = daemon.finish(40)
        seen = look(gateway.port)
    assert beside.positions, "a second client saw no position while the daemon traded"
    assert prove(daemon.data, seen, summary) > 50
    assert len({execution.order_ref.partition(":")[0] for execution in seen.executions}) == 4
