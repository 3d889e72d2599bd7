"""One process writes a data directory, and a dead one holds nothing."""

import os
import signal
import subprocess
import sys

import pytest

from mats.store.directory_lock import DataLock, LockHeldError
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
    with DataLock(tmp_path / "data") as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_taken_again(tmp_path):
    DataLock(tmp_path / "data").release()
    with DataLock(tmp_path / "data"), pytest.raises(LockHeldError):
        DataLock(tmp_path / "data")
    DataLock(tmp_path / "data").release()


def test_locks_of_two_directories_do_not_meet(tmp_path):
    with DataLock(tmp_path / "one"), DataLock(tmp_path / "two") as second:
        assert second.path.name == "two.lock"
