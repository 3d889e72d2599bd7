"""The journal's file: how it is opened (WAL), its transactions and their flushes, and what a full disk means."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from mats.errors import UserError
from mats.owner_only import touch
from mats.store.journal.schema import SCHEMA_VERSION, prepare

BUSY_TIMEOUT_SECONDS = 10.0
REMEDY = "restore it from a backup, or move it away with its -wal and -shm and start again: the tables make a new one"
"""For a file that cannot be read."""

Flushing = Literal["FULL", "NORMAL"]
"""SQLite's `synchronous`: with FULL a commit is flushed."""


class JournalError(UserError):
    """The journal refuses an operation; the message is one sentence with the reason and the fix."""


class JournalUnwritableError(JournalError):
    """What must be durable before the program may continue could not be recorded; later it may be."""


class AlreadyBookedError(JournalError):
    """The execution (under this or another revision), or its commission, is in the log."""

    def __init__(self, exec_id: str) -> None:
        super().__init__(f"execution {exec_id} or its commission is in the journal, and cannot be booked as new")


class JournalFullError(JournalUnwritableError):
    """The disk has no space."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the disk of the journal {path} is full; nothing is sent or acknowledged that it cannot record; "
            "free some space"
        )


class JournalFile:
    """One connection to the journal's file, used only by the thread that opened it."""

    def __init__(self, path: Path) -> None:
        """Open or create the file at `path`; a damaged one, or one of a newer version, is refused.

        The directory is there: where it was renamed under a running daemon, a new one would be an empty journal.
        """
        self.path = path
        try:
            touch(path)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, cached_statements=256)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._flushing: Flushing = "FULL"
            self._flush_commits("FULL")
            with self._transaction():
                self._check_schema()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if (unwritable := _unwritable(path, error)) is not None:
                raise unwritable from error
            raise JournalError(
                f"the journal {path} cannot be opened ({error}); {REMEDY}, or start with another data directory"
            ) from error

    def close(self) -> None:
        self._db.close()

    def release(self) -> None:
        """Close, if the caller is the thread that uses it.

        For another one nothing happens, because the first may be in the middle of a call: the file is closed when that
        thread has let go of it.
        """
        with suppress(sqlite3.ProgrammingError):
            self._db.close()

    @contextmanager
    def unflushed(self) -> Iterator[None]:
        """A kill takes nothing of what is committed inside, but a power cut may: the newest commits, and none before.

        The next flushed commit of any connection, or `flush`, takes them to the disk: all write to one log, in one
        order. So whatever is on the disk finds there what was committed before it.
        """
        self._flushing = "NORMAL"
        try:
            yield
        finally:
            self._flushing = "FULL"

    def flush(self) -> None:
        """All that any connection has committed is on the disk; no writer waits for it."""
        try:
            log = os.open(f"{self.path}-wal", os.O_RDONLY)
            try:
                os.fdatasync(log)
            finally:
                os.close(log)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: committed at the end of the block and, but in `unflushed`, flushed; rolled back on errors."""
        try:
            if self._synchronous != self._flushing:
                self._flush_commits(self._flushing)
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if (unwritable := _unwritable(self.path, error)) is not None:
                raise unwritable from error
            raise

    def _flush_commits(self, flushing: Flushing) -> None:
        """Tell SQLite; live reports follow one another, and only the first of them has to."""
        self._db.execute(f"PRAGMA synchronous = {flushing}")
        self._synchronous = flushing

    def _meta(self, key: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return int(row[0])

    def last_seq(self) -> int:
        """The seq of the newest entry ever appended, 0 before the first."""
        (newest,) = self._db.execute("SELECT max(seq) FROM entries").fetchone()
        return max(newest or 0, self._meta("pruned_to"))

    def _check_schema(self) -> None:
        version = prepare(self._db)
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self.path} has schema version {version} and this program knows up to "
                f"{SCHEMA_VERSION}; start the newer program that wrote it"
            )


_UNWRITABLE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY)
"""What may pass, as a full disk may: the transaction was rolled back, and can be made again."""


def _unwritable(path: Path, error: BaseException) -> JournalUnwritableError | None:
    """The error that says so, where a transaction failed for a reason that is not its own."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, sqlite3.Error) else 0
    if code == sqlite3.SQLITE_FULL:
        return JournalFullError(path)
    return _cannot_write(path, error) if code in _UNWRITABLE else None


def _cannot_write(path: Path, error: BaseException) -> JournalUnwritableError:
    return JournalUnwritableError(
        f"the journal {path} cannot be written ({error}); nothing is sent or acknowledged that it cannot record; "
        "make it writable for this user, and check its disk"
    )
