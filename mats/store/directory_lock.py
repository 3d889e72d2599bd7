"""One writer per data directory: a lock that the kernel releases when its process dies, however it dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from mats.errors import UserError, say
from mats.owner_only import narrow, owner_only

HOLDER = "mats.pid"
UNFINISHED = "mats.pid.new"
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
OWNER_ONLY = 0o700


class LockHeldError(UserError):
    """Another process holds the data directory; the message names it and the fix."""


class DirectoryError(UserError):
    """The data directory cannot be written; the message says why, and the fix."""


class DataLock:
    """Holds a directory for this process, whatever it is called; the file `mats.pid` in it has the process id.

    The lock is flock(2) on the directory itself: a link to it, another name or a deleted file lead to the same one. It
    belongs to the process, ends with it, and needs no cleanup.
    """

    def __init__(self, directory: Path) -> None:
        """Take the lock of `directory`, created when absent, at once, or raise LockHeldError."""
        directory.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        self.directory = directory
        self._descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._holder()
            os.close(self._descriptor)
            raise LockHeldError(
                f"{directory} is in use by process {holder}; stop that process, or start with another data directory"
            ) from None
        try:
            self._sign()
        except OSError:
            os.close(self._descriptor)
            raise

    def _sign(self) -> None:
        """Write the process id for whoever is refused; a link in its place is replaced, never followed."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(UNFINISHED, dir_fd=self._descriptor)
        made = os.open(UNFINISHED, CREATE, 0o600, dir_fd=self._descriptor)
        with os.fdopen(made, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        os.rename(UNFINISHED, HOLDER, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def _holder(self) -> str:
        try:
            file = os.open(HOLDER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._descriptor)
        except OSError:
            return "unknown"
        with os.fdopen(file, "rb") as signed:
            return signed.read(32).decode("ascii", "replace").strip() or "unknown"

    def is_in_place(self) -> bool:
        """Whether the path by which the directory was locked still leads to it."""
        try:
            found = self.directory.stat()
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> "DataLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def moved(directory: Path) -> DirectoryError:
    """The error of a daemon whose data directory is no longer at its path: what it opened anew would be another one."""
    return DirectoryError(
        f"data directory {directory} was moved or removed while this daemon used it, so it has stopped; "
        "move it back, or start again with its present name (--data-dir)"
    )


@contextmanager
def data_directory(path: Path) -> Iterator[DataLock]:
    """The directory, created and held by this process alone, its contents no other user's to read.

    Raises DirectoryError and LockHeldError.
    """
    with owner_only(), _locked(path) as lock:
        if _narrowed(path):
            say(f"data directory {path} was open to other users; it and its contents are now its owner's only")
        yield lock


def _locked(path: Path) -> DataLock:
    try:
        lock = DataLock(path)
        (path / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise DirectoryError(
            f"data directory {path} cannot be used ({error.strerror}: {error.filename}); remove what is in its place, "
            "make it writable for this user, or name another directory with --data-dir"
        ) from error
    return lock


def _narrowed(path: Path) -> bool:
    try:
        return narrow(path)
    except PermissionError as error:
        raise DirectoryError(
            f"data directory {path} is open to other users and {error.filename} belongs to one of them; "
            "give it to this user (chown), or name another directory with --data-dir"
        ) from error
