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


EXTREME = """
seed = {seed}

[[fault]]
do = "fuzz"
message = [11]
where = {{ 26 = "lively-[0145]:.*" }}
chance = 0.5
fields = [9, 10, 15, 16, 18, 19, 20, 25]
values = {unbelievable}

[[fault]]
do = "fuzz"
client = 0
message = [59]
chance = 0.3

[[fault]]
do = "fuzz"
message = [61]
where = {{ 4 = "SPY|BAC" }}
chance = 0.3

[[fault]]
do = "fuzz"
message = [49]
chance = 0.5

[[fault]]
do = "fuzz"
message = [1, 2, 3, 4, 5, 6, 8, 10, 17, 50, 52, 63, 72, 73, 101]
chance = 0.03
"""
UNBELIEVABLE = ["nan", "-inf", "1e400", "1.7976931348623157E308", "9" * 40, "\u2028", "\n", "x" * 5_000]
"""What no execution can have where a figure, a side, a time or an account is expected."""


def mats(data: Path, *arguments: str) -> Any:
    command = [sys.executable, str(ROOT / "run.py"), *arguments, "--data-dir", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")  # a fuzzed text may have other ends of lines
    return json.loads(lines[-2]) if len(lines) > 1 else None


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


def until_all_trade(data: Path) -> None:
    """Those whose trading waited for the operator trade as the others do."""
    held = {name: fills(data, name) for name in (*HONEST, *POISONED)}
    for name, had in held.items():
        until(lambda n=name, h=had: fills(data, n) > h + 3, PATIENCE, f"new fills of {name}")


def restarts(data: Path) -> dict[str, int]:
    return {actor["name"]: actor["restarts"] for actor in mats(data, "status")["actors"] if actor["restarts"]}


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
        assert restarts(data) == {}
        daemon.stop()
        assert "Traceback" not in daemon.stderr

        gateway.kill()
        gateway.start(honest=True)
        daemon = Daemon(config, data)
        with killed_at_end(daemon):
            until(lambda: "execution" not in kinds(data), PATIENCE, "the honest report of what was in quarantine")
            for item in mats(data, "quarantine", "list")["items"]:
                mats(data, "quarantine", "drop", f"Q{item['number']}", "--reason", "the gateway is honest now")
            until_all_trade(data)
            assert mats(data, "audit", "--last", "1")["lines"][0]["what"].startswith("quarantine drop Q")
            summary = daemon.stop()
        seen = look(gateway.port)
    assert (summary["breaks"], summary["dead_letters"], summary["abandoned"]) == (0, 0, [])
    prove(data, seen)
    assert set(Reader(lmdb_uri(data / "arctic")).fills(ACCOUNT)["strategy"]) == {*HONEST, *POISONED}


def test_extremes_in_any_field_of_any_message_stop_nobody_else(tmp_path: Path) -> None:
    plan = tmp_path / "extreme.toml"
    plan.write_text(EXTREME.format(seed=1, unbelievable=json.dumps(UNBELIEVABLE)))
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=11), bar_seconds=1.0, faults=plan)
    config, data = write_settings(tmp_path / "config", lively_strategies(6), gateway.port), tmp_path / "run" / "data"
    daemon = Daemon(config, data)
    with killed_at_end(daemon, gateway):
        until(lambda: fills(data, *HONEST) > 40, 3 * PATIENCE, "trading beside the extremes")
        until(lambda: {"commission", "position", "message"} <= kinds(data), PATIENCE, "quarantine of each kind")
        assert restarts(data) == {}
        daemon.stop()
        assert "Traceback" not in daemon.stderr

        gateway.kill()
        gateway.start(honest=True)
        daemon = Daemon(config, data)
        with killed_at_end(daemon):
            had = fills(data, *HONEST)
            until(lambda: fills(data, *HONEST) > had, PATIENCE, "trading with the honest gateway")
            until(lambda: "execution" not in kinds(data), PATIENCE, "the honest report of what was in quarantine")
            for kind in kinds(data):
                mats(data, "quarantine", "drop", "--kind", kind, "--reason", "the gateway is honest now")
            assert not kinds(data)
            until_all_trade(data)
            summary = daemon.stop()
        seen = look(gateway.port)
    assert (summary["breaks"], summary["dead_letters"], summary["abandoned"]) == (0, 0, [])
    prove(data, seen)
