"""A store that does not answer: every call that reaches ArcticDB raises, or waits, for as long as a test says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from arcticdb import Arctic
from arcticdb.exceptions import LmdbMapFullError, StorageException
from arcticdb.version_store.library import Library

READS = {
    Arctic: ("has_library", "get_library", "list_libraries"),
    Library: ("has_symbol", "read", "read_metadata", "tail", "get_description"),
}
WRITES = {
    Arctic: ("create_library",),
    Library: ("write", "append", "update", "delete", "delete_data_in_range", "compact_data"),
}
UNREACHABLE = StorageException("E_S3_RETRYABLE: could not connect to server")

KINDS: dict[str, tuple[bool, bool, Exception]] = {
    "unreadable": (True, False, StorageException("E_KEY_NOT_FOUND: cannot be read")),
    "unwritable": (False, True, PermissionError(13, "permission denied")),
    "full": (False, True, LmdbMapFullError("MDB_MAP_FULL")),
    "away": (True, True, UNREACHABLE),
}
"""Which calls fail (reads, writes), and with what."""


class Trouble:
    """The trouble in force: `calls` counts those that ran into it."""

    def __init__(self) -> None:
        self.calls = 0
        self._reads = self._writes = False
        self._act: Callable[[], object] = lambda: None

    def begin(self, kind: str) -> None:
        self._reads, self._writes, error = KINDS[kind]

        def fail() -> None:
            raise error

        self._act = fail

    def hold(self, wait: Callable[[], object]) -> None:
        """Calls wait before they are answered."""
        self._reads, self._writes, self._act = True, True, wait

    def end(self) -> None:
        self._reads = self._writes = False

    def meet(self, *, write: bool) -> None:
        if self._writes if write else self._reads:
            self.calls += 1
            self._act()


@contextmanager
def store_trouble() -> Iterator[Trouble]:
    """No trouble yet."""
    trouble, patches = Trouble(), []
    for table, write in ((READS, False), (WRITES, True)):
        for owner, names in table.items():
            patches += [mock.patch.object(owner, name, _meeting(trouble, owner, name, write)) for name in names]
    for patch in patches:
        patch.start()
    try:
        yield trouble
    finally:
        for patch in patches:
            patch.stop()


def _meeting(trouble: Trouble, owner: type, name: str, write: bool) -> Callable[..., Any]:
    really = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        trouble.meet(write=write)
        return really(*arguments, **options)

    return call
