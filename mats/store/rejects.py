"""Rows that fit no table are kept in a file, one JSON object a line, where a person can find them."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from mats.store.frames import Reject


class RejectFile:
    """Rejects wait here until the file takes them, so that a full disk loses none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[Reject] = []

    def add(self, rejects: Iterable[Reject]) -> None:
        self._waiting.extend(rejects)

    def write(self) -> None:
        """Append what waits. Raises OSError where the file cannot be written; nothing is forgotten then."""
        if self._waiting:
            with self._path.open("ab") as file:
                file.write(b"".join(msgspec.json.encode(reject) + b"\n" for reject in self._waiting))
            self._waiting.clear()
