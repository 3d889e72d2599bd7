"""The store in a process of its own: the same tables, and a call that hangs or dies is an error like another."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from arcticdb.exceptions import NoDataFoundException

from mats.runtime import SystemClock
from mats.store.isolation import StoreProcessError, isolated_store
from mats.store.outages import StoreAway, StoreGuard
from mats.store.rebuild.contents import Contents
from mats.store.tables import Reader, Store, connect
from mats.store.tables.connection import lmdb_uri
from tests.patience import PATIENCE


@pytest.fixture
def uri(tmp_path):
    return lmdb_uri(tmp_path / "arctic")


def fills(make, first, last):
    return [make.fill(seq, make.execution(seq)) for seq in range(first, last + 1)]


def test_a_store_is_written_and_read_through_it_as_without_it(uri, make):
    log = make.long_log(300)
    with isolated_store(uri) as arctic:
        store = Store(uri)
        assert store.append_fills("DU1", log[:200]) == []
        assert store.append_fills("DU1", log[200:]) == []
        store.compact()
        store.compact_versions()
        assert store.read_strategies() == []
        assert store.fills_stored() == len(Reader(uri).fills("DU1"))
        assert [entry.seq for entry in Contents(uri).entries] == [entry.seq for entry in log]
        assert arctic.pid not in (None, os.getpid())
        store.close()
    assert Store(uri).fills_seq("DU1") == log[-1].seq


def test_an_error_there_is_the_same_error_here(uri, make):
    with isolated_store(uri):
        library = connect(uri).get_library if connect(uri).has_library("none") else None
        assert library is None
        Store(uri).append_fills("DU1", fills(make, 1, 1))
        with pytest.raises(NoDataFoundException):
            connect(uri).get_library("fills").read("nobody")


def test_the_secret_of_an_address_is_not_in_what_is_said_of_its_process(make):
    address = "s3://127.0.0.1:b?port=9&access=me&secret=hush"
    with isolated_store(address, seconds=0.1) as arctic, pytest.raises(StoreProcessError) as raised:
        arctic.has_library("fills")
    assert "hush" not in str(raised.value)


def frozen(arctic):
    os.kill(arctic.pid, signal.SIGSTOP)


def test_a_call_that_hangs_is_given_up_with_its_process_and_the_next_one_starts_another(uri, make):
    """S3 of a store: nobody waits for ever, and while one call waits every other thread runs."""
    with isolated_store(uri, seconds=15.0) as arctic:
        store = Store(uri)
        store.append_fills("DU1", fills(make, 1, 5))
        first, gaps, over = arctic.pid, [0.0], threading.Event()

        def beat():
            last = time.monotonic()
            while not over.wait(0.01):
                gaps.append(time.monotonic() - last)
                last = time.monotonic()

        threading.Thread(target=beat).start()
        frozen(arctic)
        with pytest.raises(StoreProcessError, match="did not answer within 15 s and was ended, at append"):
            store.append_fills("DU1", fills(make, 6, 9))
        over.set()
        assert max(gaps) < 7.0, "less than half of the wait"
        assert store.append_fills("DU1", fills(make, 6, 9)) == []
        assert arctic.pid != first
        assert Reader(uri).fills("DU1")["seq"].tolist() == list(range(1, 10))


def test_a_process_that_dies_is_an_outage_and_no_more(uri, make):
    """ArcticDB ends its process where a commit of LMDB fails: the daemon's is another one."""
    with isolated_store(uri) as arctic:
        guard = StoreGuard(uri, SystemClock())
        guard.run("commit", lambda: guard.store.append_fills("DU1", fills(make, 1, 5)))
        frozen(arctic)
        doomed = arctic.pid
        threading.Timer(0.5, os.kill, (doomed, signal.SIGKILL)).start()
        with pytest.raises(StoreAway, match="died"):
            guard.run("commit", lambda: guard.store.append_fills("DU1", fills(make, 6, 9)))
        until_due = threading.Event()
        until_due.wait(1.0)
        guard.run("commit", lambda: guard.store.append_fills("DU1", fills(make, 6, 9)))
        assert guard.outage is None
        assert Reader(uri).fills("DU1")["seq"].tolist() == list(range(1, 10))


PARENT = """
import sys, threading
from mats.store.isolation import isolated_store
from mats.store.tables import connect
if __name__ == "__main__":
    with isolated_store(sys.argv[1]) as arctic:
        connect(sys.argv[1]).has_library("fills")
        print(arctic.pid, flush=True)
        threading.Event().wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_it_ends_with_the_daemon_however_that_ends(uri, tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), uri], stdout=subprocess.PIPE, env={**os.environ}
    )
    pid = int(parent.stdout.readline())
    os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while running(pid):
        assert time.monotonic() < deadline, "the store's process lives on"
        threading.Event().wait(0.05)


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_connection_of_the_process_is_its_own_again_afterwards(uri):
    with isolated_store(uri) as arctic:
        assert connect(uri) is arctic
    assert connect(uri) is not arctic
