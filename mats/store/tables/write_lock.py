"""The write lock: processes that write the same libraries exclude each other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mats.store.directory_lock import DataLock, LockHeldError
from mats.store.tables.connection import lmdb_directory

ATTEMPTS, PAUSE_SECONDS = 600, 0.1

_NEVER = threading.Event()


@contextmanager
def write_lock(uri: str, libraries: str) -> Iterator[None]:
    """Hold the lock for writing `libraries` (`bars`, `backtests`) of a local store; LockHeldError after a minute.

    A remote store has no lock: only one deployment may write it.
    """
    if not uri.startswith("lmdb://"):
        yield
        return
    held = lmdb_directory(uri).with_name(libraries)
    for _ in range(ATTEMPTS - 1):
        try:
            lock = DataLock(held)
            break
        except LockHeldError:
            _NEVER.wait(PAUSE_SECONDS)
    else:
        lock = DataLock(held)
    with lock:
        yield
