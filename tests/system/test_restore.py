"""Files of a daemon are put back to an older copy, or lost, while the broker goes on and forgets (G1, G3)."""

import sqlite3
from pathlib import Path

import pytest

from mats.store.journal import Journal
from mats.store.rebuild import Contents, journal_differences, missing_entries
from mats.store.tables import Reader
from mats.store.tables.connection import lmdb_uri
from tests.system.harness import (
    ACCOUNT,
    Daemon,
    GatewayProcess,
    killed_at_end,
    lively_strategies,
    until,
    write_bars,
    write_settings,
)


def families(journal: Path) -> list[str]:
    return [row[0] for row in sqlite3.connect(journal).execute("SELECT family FROM executions ORDER BY family")]


def trade(config: Path, data: Path, more: int) -> Daemon:
    """One run in which so many executions come in."""
    daemon = Daemon(config, data)
    begun = daemon.executions()
    with killed_at_end(daemon):
        until(lambda: "mats: the tables" in daemon.stderr or daemon.executions() > begun, what="the start")
        begun = daemon.executions()
        until(lambda: daemon.executions() >= begun + more, what=f"{more} executions")
        summary = daemon.stop()
    assert summary["fills"] == summary["fills_stored"]
    assert summary["breaks"] == 0
    return daemon


def a_day_passes(gateway: GatewayProcess, state: Path) -> None:
    """The broker keeps positions and forgets executions."""
    gateway.kill()
    with sqlite3.connect(state) as database:
        database.execute("DELETE FROM records WHERE kind = 'execution'")
    gateway.start()


@pytest.mark.parametrize("lost", ["the end of the journal", "the whole journal"])
def test_a_daemon_over_an_older_journal_says_so_and_stores_everything_that_its_tables_know_once(
    tmp_path: Path, lost: str
) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=3), bar_seconds=0.4)
    config, data = write_settings(tmp_path / "config", lively_strategies(), gateway.port), tmp_path / "run" / "data"
    with killed_at_end(gateway):
        trade(config, data, 5)
        sqlite3.connect(data / "journal.db").execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        trade(config, data, 20)
        before = families(data / "journal.db")
        for file in data.glob("journal.db*"):
            file.unlink()
        if lost == "the end of the journal":
            (tmp_path / "backup.db").rename(data / "journal.db")
        a_day_passes(gateway, tmp_path / "gateway.db")
        said = trade(config, data, 5).stderr
    assert "that the journal has not: it is new, was put back to an older copy, or lost its end" in said
    after = families(data / "journal.db")
    assert set(before) < set(after)
    assert len(after) == len(set(after))
    uri = lmdb_uri(data / "arctic")
    assert sorted(Reader(uri).fills(ACCOUNT)["family"]) == after
    entries = Contents(uri).entries
    journal = Journal(data / "journal.db")
    assert not missing_entries(entries)
    assert not list(journal_differences(entries, journal.entries(0, 1_000_000)))
    journal.close()


def test_a_link_to_the_directory_of_a_running_daemon_lets_no_second_one_in(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=3), bar_seconds=0.4)
    config, data = write_settings(tmp_path / "config", lively_strategies(), gateway.port), tmp_path / "run" / "data"
    first = Daemon(config, data)
    with killed_at_end(gateway, first):
        until((data / "mats.sock").exists, what="the control socket")
        (tmp_path / "run" / "link").symlink_to(data)
        second = Daemon(config, tmp_path / "run" / "link")
        with killed_at_end(second):
            second.process.wait(60)
            assert f"in use by process {first.process.pid}" in second.stderr
        assert (data / "mats.sock").exists()
        first.stop()
