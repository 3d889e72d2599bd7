"""One writer per data directory: a lock that the kernel releases when its process dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from mats.errors import UserError


class LockHeldError(UserError):
    """Another process holds the data directory; the message names it and the fix."""


class DirectoryError(UserError):
    """The data directory cannot be written; the message says why, and the fix."""


class DataLock:
    """Holds `<directory>.lock` for this process; the file has its process id.

    The lock is flock(2) on an open file: it belongs to the process, ends with it, and needs no cleanup.
    """

    def __init__(self, directory: Path) -> None:
        """Take the lock of `directory` at once, or raise LockHeldError."""
        self.path = directory.with_name(directory.name + ".lock")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise LockHeldError(
                f"{directory} is in use by process {holder}; stop that process, or start with another data directory"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Release the lock. The file stays: removing it would let two processes lock two files."""
        os.close(self._descriptor)

    def __enter__(self) -> "DataLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def data_directory(path: Path) -> Iterator[None]:
    """The directory, created and held by this process alone. Raises DirectoryError and LockHeldError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = DataLock(path)
        (path / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise DirectoryError(
            f"data directory {path} cannot be used ({error.strerror}); "
            "make it writable for this user, or name another directory with --data-dir"
        ) from error
    with lock:
        yield
