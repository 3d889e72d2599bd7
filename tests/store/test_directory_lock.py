"""One process writes a data directory, and a dead one holds nothing."""

import os
import signal
import subprocess
import sys

import pytest
from arcticdb import LibraryOptions

from mats.store.directory_lock import DataLock, LockHeldError
from mats.store.tables.connection import StoreMovedError, connect, lmdb_uri, open_library, write_lock
from tests.patience import PATIENCE

HOLD = """
import sys
from pathlib import Path
from mats.store.directory_lock import DataLock
lock = DataLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_holds_the_directory_and_what_to_do(holder, tmp_path):
    with pytest.raises(LockHeldError) as raised:
        DataLock(tmp_path / "data")
    assert f"in use by process {holder.pid}; stop that process" in str(raised.value)


def test_the_lock_dies_with_its_process(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(timeout=PATIENCE)
    with DataLock(tmp_path / "data"):
        assert (tmp_path / "data" / "mats.pid").read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_taken_again(tmp_path):
    DataLock(tmp_path / "data").release()
    with DataLock(tmp_path / "data"), pytest.raises(LockHeldError):
        DataLock(tmp_path / "data")
    DataLock(tmp_path / "data").release()


def test_locks_of_two_directories_do_not_meet(tmp_path):
    with DataLock(tmp_path / "one"), DataLock(tmp_path / "two"):
        pass


def test_another_name_of_the_directory_leads_to_the_same_lock(holder, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(LockHeldError, match=f"in use by process {holder.pid}"):
        DataLock(tmp_path / "link")
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(LockHeldError, match=f"in use by process {holder.pid}"):
        DataLock(tmp_path / "moved")


def test_a_deleted_file_of_the_holder_lets_nobody_in(holder, tmp_path):
    (tmp_path / "data" / "mats.pid").unlink()
    with pytest.raises(LockHeldError, match="in use by process unknown"):
        DataLock(tmp_path / "data")


@pytest.mark.parametrize("name", ["mats.pid", "mats.pid.new"])
def test_what_a_link_in_place_of_the_holder_points_to_stays_as_it_is(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "data" / name).symlink_to(tmp_path / "precious")
    with DataLock(tmp_path / "data"):
        assert (tmp_path / "data" / "mats.pid").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_new_data_directory_is_its_owners_alone(tmp_path):
    with DataLock(tmp_path / "data"):
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_was_moved_or_replaced_is_not_in_its_place(tmp_path):
    with DataLock(tmp_path / "data") as lock:
        assert lock.is_in_place()
        (tmp_path / "data").rename(tmp_path / "moved")
        assert not lock.is_in_place()
        (tmp_path / "data").mkdir()
        assert not lock.is_in_place()
        (tmp_path / "data").rmdir()
        (tmp_path / "moved").rename(tmp_path / "data")
        assert lock.is_in_place()


def test_a_store_whose_directory_was_moved_makes_no_other_one(tmp_path):
    uri = lmdb_uri(tmp_path / "data" / "arctic")
    arctic = connect(uri)
    open_library(arctic, "fills", LibraryOptions())
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(StoreMovedError, match="was moved or removed; move it back"):
        open_library(arctic, "trades", LibraryOptions())
    with pytest.raises(StoreMovedError), write_lock(uri, "bars"):
        pass
    assert not (tmp_path / "data").exists()
