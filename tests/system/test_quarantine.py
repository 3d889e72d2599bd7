"""A gateway that says what cannot be, to a daemon: everything else trades, and nothing is lost (G6, G7)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from tests.patience import PATIENCE
from tests.system.harness import (
    ACCOUNT,
    ROOT,
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

POISONS = """
[[fault]]
do = "edit"
message = [11]
where = { 4 = "SPY" }
set = { 9 = "0" }

[[fault]]
do = "edit"
message = [11]
where = { 4 = "BAC", 26 = "lively-4:.*" }
set = { 15 = "99991231 23:59:59 UTC" }

[[fault]]
do = "edit"
message = [11]
where = { 4 = "BAC", 26 = "lively-5:.*" }
set = { 16 = "", 21 = "99999999999999999999" }

[[fault]]
do = "edit"
message = [61]
where = { 4 = "SPY" }
set = { 14 = "inf" }

[[fault]]
do = "edit"
client = 0
message = [59]
chance = 0.2
set = { 3 = "nan" }

[[fault]]
do = "edit"
message = [50]
chance = 0.05
set = { 4 = "inf", 7 = "nan" }

[[fault]]
do = "edit"
message = [3, 5]
chance = 0.02
set = { 2 = "\\u2028", 4 = "1e400" }

[[fault]]
do = "push"
after = 1.0
every = 0.5
messages = [[9999, 1, "x"], ["", "", ""], [49, 1, 4102444800], [11, -1, "garbage"], [61, 3, "DU1000001"]]
"""
HONEST, POISONED = ("lively-2", "lively-3"), ("lively-0", "lively-1", "lively-4", "lively-5")


def mats(data: Path, *arguments: str) -> Any:
    command = [sys.executable, str(ROOT / "run.py"), *arguments, "--data-dir", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fills(data: Path, *strategies: str) -> int:
    if not (data / "journal.db").exists():
        return 0
    journal = Journal(data / "journal.db")
    try:
        rows = journal._db.execute("SELECT strategy FROM executions JOIN entries USING (seq)").fetchall()
    finally:
        journal.close()
    return sum(strategy in strategies for (strategy,) in rows)


def kinds(data: Path) -> set[str]:
    """Of what is in quarantine."""
    return {item["kind"] for item in mats(data, "quarantine", "list")["items"]}


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayProcess:
    plan = tmp_path / "poison.toml"
    plan.write_text(POISONS)
    return GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=11), bar_seconds=2.0, faults=plan)


def test_several_poisons_at_once_stop_what_they_concern_and_nothing_else(
    tmp_path: Path, gateway: GatewayProcess
) -> None:
    config, data = write_settings(tmp_path / "config", lively_strategies(6), gateway.port), tmp_path / "run" / "data"
    daemon = Daemon(config, data)
    with killed_at_end(daemon, gateway):
        until(lambda: fills(data, *HONEST) > 30, 2 * PATIENCE, "trading beside the poison")
        assert fills(data, *POISONED) == 0
        items = mats(data, "quarantine", "list")["items"]
        faults = {item["instrument"]: item["fault"] for item in items if item["kind"] == "execution"}
        assert "multiplier 0" in faults["SPY"]
        assert "time" in faults["BAC"] or "account" in faults["BAC"]
        assert {"position", "message"} <= {item["kind"] for item in items}
        status = mats(data, "status")
        assert {actor["name"]: actor["restarts"] for actor in status["actors"] if actor["restarts"]} == {}
        daemon.stop()
        assert "Traceback" not in daemon.stderr

        gateway.kill()
        gateway.start(honest=True)
        daemon = Daemon(config, data)
        with killed_at_end(daemon):
            until(lambda: "execution" not in kinds(data), PATIENCE, "the honest report of what was in quarantine")
            for item in mats(data, "quarantine", "list")["items"]:
                mats(data, "quarantine", "drop", f"Q{item['number']}", "--reason", "the gateway is honest now")
            before = {name: fills(data, name) for name in (*HONEST, *POISONED)}
            for name, had in before.items():
                until(lambda n=name, h=had: fills(data, n) > h + 3, PATIENCE, f"new fills of {name}")
            assert mats(data, "audit", "--last", "1")["lines"][0]["what"].startswith("quarantine drop Q")
            summary = daemon.stop()
        seen = look(gateway.port)
    assert (summary["breaks"], summary["dead_letters"], summary["abandoned"]) == (0, 0, [])
    prove(data, seen)
    assert set(Reader(lmdb_uri(data / "arctic")).fills(ACCOUNT)["strategy"]) == {*HONEST, *POISONED}
