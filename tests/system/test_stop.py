"""SIGINT and SIGTERM at any moment end the daemon in order."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.system.blocked_stops import stops_of_blocked_strategies
from tests.system.harness import (
    Daemon,
    GatewayProcess,
    killed_at_end,
    lively_strategies,
    until,
    write_bars,
    write_settings,
)
from tests.system.signals import signals_at_any_moment


def end(daemon: Daemon) -> dict[str, object]:
    """The summary of a daemon that was asked to stop; it leaves no traceback."""
    summary = daemon.finish(PATIENCE)
    assert "Traceback" not in daemon.stderr, daemon.stderr
    assert summary["dead_letters"] == 0
    assert not summary["abandoned"]
    return summary


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGTERM, signal.SIGTERM]])
def test_a_trading_daemon_that_is_asked_to_stop_ends_in_order(tmp_path: Path, signals: list[signal.Signals]) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=2), bar_seconds=2.0)
    daemon = Daemon(write_settings(tmp_path / "config", lively_strategies(2), gateway.port), tmp_path / "run" / "data")
    with killed_at_end(daemon, gateway):
        until(lambda: daemon.executions() > 5, PATIENCE, "trading")
        for number in signals:
            os.kill(daemon.process.pid, number)
        summary = end(daemon)
    assert summary["fills"] == summary["fills_stored"] == summary["gateway_executions"]
    assert summary["breaks"] == 0


def test_blocked_strategies_are_all_that_a_stop_leaves_behind(tmp_path: Path) -> None:
    """`soak_stop.py` does it a hundred times."""
    assert stops_of_blocked_strategies(tmp_path, stops=3, seed=4) > 6


def test_signals_at_any_moment_of_several_lives_lose_nothing(tmp_path: Path) -> None:
    """`soak_signals.py` does it a hundred times."""
    struck = signals_at_any_moment(tmp_path, rounds=6, seed=4)
    assert sum(struck.codes.values()) == 6
    assert struck.executions > 2


def test_a_daemon_that_is_asked_to_stop_while_it_starts_ends_in_order(tmp_path: Path) -> None:
    daemon = Daemon(None, tmp_path / "run" / "data")
    with killed_at_end(daemon):
        until(lambda: (daemon.data / "journal.db").exists(), PATIENCE, "the journal")
        os.kill(daemon.process.pid, signal.SIGTERM)
        out, _ = daemon.process.communicate(timeout=PATIENCE)
        assert daemon.process.returncode == 0
        assert "Traceback" not in daemon.stderr, daemon.stderr
        assert json.loads(out.decode().splitlines()[-1])["fills"] == 0


def test_a_daemon_without_a_gateway_that_is_asked_to_stop_ends_in_order(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        config = write_settings(tmp_path / "config", lively_strategies(2), nobody.getsockname()[1])
        daemon = Daemon(config, tmp_path / "run" / "data")
        with killed_at_end(daemon):
            until(lambda: "actor failed" in daemon.stderr, PATIENCE, "a refused connection")
            os.kill(daemon.process.pid, signal.SIGTERM)
            summary = end(daemon)
    assert summary["gateway_executions"] is None


def test_a_daemon_whose_gateway_hangs_ends_in_order(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=2), bar_seconds=2.0)
    config = write_settings(tmp_path / "config", lively_strategies(2), gateway.port)
    daemon = Daemon(config, tmp_path / "run" / "data")
    with killed_at_end(daemon, gateway):
        until(lambda: daemon.executions() > 5, PATIENCE, "trading")
        gateway.freeze()
        os.kill(daemon.process.pid, signal.SIGTERM)
        summary = end(daemon)
    assert summary["gateway_executions"] is None
    assert summary["fills"] == summary["fills_stored"] > 5


def test_all_its_processes_end_with_a_daemon_even_when_it_is_killed(tmp_path: Path) -> None:
    daemon = Daemon(None, tmp_path / "run" / "data")
    with killed_at_end(daemon):
        until(lambda: len(started(daemon)) > 2, PATIENCE, "the gateway, the store and the server of processes")
        processes = started(daemon)
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.process.wait(PATIENCE)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), PATIENCE, "their end")


def started(daemon: Daemon) -> list[int]:
    return children(daemon.process.pid) if (daemon.data / "logs" / "gateway.log").exists() else []


def children(pid: int) -> list[int]:
    """Child processes, as Linux tells them."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def test_a_daemon_whose_data_directory_is_moved_away_stops_and_makes_no_other_one(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=2), bar_seconds=2.0)
    config = write_settings(tmp_path / "config", lively_strategies(2), gateway.port)
    daemon = Daemon(config, tmp_path / "run" / "data")
    with killed_at_end(daemon, gateway):
        until(lambda: daemon.executions() > 5, PATIENCE, "trading")
        moved = daemon.data.rename(daemon.data.with_name("moved"))
        assert daemon.process.wait(PATIENCE) == 2
        assert f"data directory {daemon.data} was moved or removed while this daemon used it" in daemon.stderr
        assert not daemon.data.exists()
        again = Daemon(config, moved)
        before = again.executions()
        with killed_at_end(again):
            until(lambda: again.executions() > before, PATIENCE, "trading from the new place")
            again.process.terminate()
            summary = end(again)
    assert summary["fills"] == summary["fills_stored"] == summary["gateway_executions"], summary
    assert summary["breaks"] == 0
