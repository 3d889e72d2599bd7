"""The files of a data directory are their owner's only: they are made so, and narrowed where they were wider."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OTHERS = 0o077
"""The rights of everybody but the owner."""
CONTENTS = ("*.db", "*.db-wal", "*.db-shm", "rejects.jsonl", "logs", "logs/*", "arctic", "arctic/**/*")
"""What the program keeps in a data directory; whatever else is there is not its to change."""


@contextmanager
def owner_only() -> Iterator[None]:
    """What this process and its children create within the block is nobody else's to read (umask(2))."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def narrow(directory: Path) -> bool:
    """Take the rights of others from a data directory and its contents; whether the directory was open to them.

    Raises PermissionError where others have rights in a directory that is not this user's to change.
    """
    was_open = _narrow(directory)
    for pattern in CONTENTS:
        for path in directory.glob(pattern):
            _narrow(path)
    return was_open


def _narrow(path: Path) -> bool:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode) or not status.st_mode & OTHERS:
        return False
    path.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
    return True


def touch(path: Path) -> None:
    """Create a file that only its owner may use, if there is none: who opens it next keeps its rights.

    Where that fails, whoever opens it next says why.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR))
