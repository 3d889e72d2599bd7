"""The journal's file: how it is opened (WAL, one flush per commit), its transactions, and what a full disk means."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mats.errors import UserError
from mats.store.journal.schema import SCHEMA_VERSION, prepare

BUSY_TIMEOUT_SECONDS = 10.0


class JournalError(UserError):
    """The journal refuses an operation; the message is one sentence with the reason and the fix."""


class JournalFullError(JournalError):
    """The disk has no space for what must be durable before the program may continue."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the disk of the journal {path} is full; whatever it could not record was not sent or acknowledged; "
            "free some space and start the daemon again"
        )


class JournalFile:
    """One connection to the journal's file, used only by the thread that opened it."""

    def __init__(self, path: Path) -> None:
        """Open or create the file at `path`; a damaged one, or one of a newer version, is refused."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, cached_statements=256)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            with self._transaction():
                self._check_schema()
        except sqlite3.Error as error:
            if _is_full(error):
                raise JournalFullError(path) from error
            raise JournalError(
                f"the journal {path} cannot be opened ({error}); restore it from a backup, "
                "or start with another data directory"
            ) from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: committed and flushed at the end of the block, rolled back when it raises."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if _is_full(error):
                raise JournalFullError(self.path) from error
            raise

    def _meta(self, key: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return int(row[0])

    def _check_schema(self) -> None:
        version = prepare(self._db)
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self.path} has schema version {version} and this program knows up to "
                f"{SCHEMA_VERSION}; start the newer program that wrote it"
            )


def _is_full(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
