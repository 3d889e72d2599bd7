"""The state of a gateway that survives its process: one SQLite file of records, or memory.

A record has a kind (`order`, `execution`, `account`, `client`, `counter`), a key, and a JSON body. Changes gather in
memory and become one transaction at `commit`. WAL with synchronous=NORMAL: a commit survives the death of the process.
"""

import sqlite3
from pathlib import Path
from typing import TypeVar

import msgspec

from mats.owner_only import touch

T = TypeVar("T")

VERSION = 1
"""Of the records; kept in the file's `user_version`. States before it have 0, and the same records."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID
"""


class GatewayState:
    """Records by kind and key."""

    def __init__(self, path: Path | None) -> None:
        """Opens or creates the file; raises ValueError if it cannot be used."""
        try:
            if path is not None:
                touch(path)
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version <= VERSION:
                self._connection.execute(SCHEMA)
                self._connection.execute(f"PRAGMA user_version = {VERSION}")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _unusable(path, error) from error
        if version > VERSION:
            raise ValueError(
                f"state file {path} has version {version} and this program knows up to {VERSION}; "
                "start the newer program that wrote it"
            )
        self._path, self._durable = path, path is not None
        self._changed: dict[tuple[str, str], object] = {}
        self._removed: set[tuple[str, str]] = set()

    def load(self, kind: str, of: type[T]) -> dict[str, T]:
        """Every record of a kind, by key. Raises ValueError where one cannot be read."""
        query = "SELECT key, body FROM records WHERE kind = ? ORDER BY key"
        try:
            rows = self._connection.execute(query, (kind,))
            return {key: msgspec.json.decode(body, type=of) for key, body in rows}
        except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
            raise _unusable(self._path, error) from error

    def put(self, kind: str, key: str, body: object) -> None:
        """Stores `body` as it is at the next commit."""
        if self._durable:
            self._removed.discard((kind, key))
            self._changed[kind, key] = body

    def remove(self, kind: str, key: str) -> None:
        if self._durable:
            self._changed.pop((kind, key), None)
            self._removed.add((kind, key))

    def commit(self) -> None:
        """Writes all changes since the last commit in one transaction."""
        if not self._changed and not self._removed:
            return
        rows = [(kind, key, msgspec.json.encode(body)) for (kind, key), body in self._changed.items()]
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", rows)
        self._connection.executemany("DELETE FROM records WHERE kind = ? AND key = ?", self._removed)
        self._connection.execute("COMMIT")
        self._changed.clear()
        self._removed.clear()

    def close(self) -> None:
        self.commit()
        self._connection.close()


def _unusable(path: Path | None, error: Exception) -> ValueError:
    return ValueError(
        f"state file {path} cannot be used ({error}); fix it or choose another: restore it from a backup, or move it "
        "away with its -wal and -shm to begin with a new account"
    )
