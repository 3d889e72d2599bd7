"""A data directory and what is in it are their owner's only."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from mats.gateway.persistence import GatewayState
from mats.owner_only import narrow
from mats.store.directory_lock import DirectoryError, data_directory
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.store import Store

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[Path]:
    return [path for path in (folder, *folder.rglob("*")) if mode(path) & 0o077]


@pytest.fixture(autouse=True)
def lax():
    """A user whose files are everybody's to read."""
    before = os.umask(0)
    yield
    os.umask(before)


def write(folder: Path) -> None:
    """What a daemon writes, and its children."""
    Journal(folder / "journal.db").close()
    GatewayState(folder / "gateway.db").close()
    store = Store(lmdb_uri(folder / "arctic"))
    store.write_strategies((), 0)
    store.strategy_equity("DU1", "trend")
    store.close()
    subprocess.run(["touch", str(folder / "rejects.jsonl"), str(folder / "logs" / "mats.log")], check=True)


def test_what_is_written_in_a_data_directory_is_its_owners_only(tmp_path):
    with data_directory(tmp_path / "data"):
        write(tmp_path / "data")
        assert not open_to_others(tmp_path / "data")
    (tmp_path / "after").touch()
    assert mode(tmp_path / "after") == 0o666, "outside of it files are made as the user wants them"


def test_journal_and_account_are_their_owners_only_wherever_they_are(tmp_path):
    Journal(tmp_path / "journal.db").close()
    GatewayState(tmp_path / "gateway.db").close()
    assert [mode(tmp_path / name) for name in ("journal.db", "gateway.db")] == [0o600, 0o600]


def test_a_wider_directory_is_narrowed_and_that_is_said_once(tmp_path, capsys):
    data = tmp_path / "data"
    (data / "arctic" / "fills").mkdir(parents=True)
    for name in ("journal.db", "journal.db-wal", "arctic/fills/data.mdb", "note.txt"):
        (data / name).touch()
    with data_directory(data):
        pass
    assert f"data directory {data} was open to other users" in capsys.readouterr().err
    assert open_to_others(data) == [data / "note.txt"], "what is not the program's is left as it is"
    with data_directory(data):
        pass
    assert not capsys.readouterr().err


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "precious").touch()
    (tmp_path / "data" / "journal.db").symlink_to(tmp_path / "precious")
    assert narrow(tmp_path / "data")
    assert mode(tmp_path / "precious") == 0o666


def test_a_wider_directory_of_somebody_else_is_refused(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()

    def refuse(path, _mode):
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    said = r"is open to other users and .*data belongs to one of them; give it"
    with pytest.raises(DirectoryError, match=said), data_directory(tmp_path / "data"):
        pass
