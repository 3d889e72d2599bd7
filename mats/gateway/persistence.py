"""The state of a gateway that survives its process: one SQLite file of records, or memory.

A record has a kind (`order`, `execution`, `account`, `client`, `counter`), a key, and a JSON body. Changes gather in
memory and become one transaction at `commit`. WAL with synchronous=NORMAL: a commit survives the death of the process.
"""

import sqlite3
from pathlib import Path
from typing import TypeVar

import msgspec

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
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version <= VERSION:
                self._connection.execute(SCHEMA)
                self._connection.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.Error as error:
            raise ValueError(f"state file {path} cannot be used ({error}); fix it or choose another") from error
        if version > VERSION:
            raise ValueError(
                f"state file {path} has version {version} and this program knows up to {VERSION}; "
                "start the newer program that wrote it"
            )
        self._durable = path is not None
        self._changed: dict[tuple[str, str], object] = {}
        self._removed: set[tuple[str, str]] = set()

    def load(self, kind: str, of: type[T]) -> dict[str, T]:
        """Every record of a kind, by key."""
        rows = self._connection.execute("SELECT key, body FROM records WHERE kind = ? ORDER BY key", (kind,))
        return {key: msgspec.json.decode(body, type=of) for key, body in rows}

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
