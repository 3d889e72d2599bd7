"""The journal's tables, and how its file is opened: WAL, one flush per commit, one schema version."""

import secrets
import sqlite3
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mats.errors import UserError

SCHEMA_VERSION = 3
BUSY_TIMEOUT_SECONDS = 10.0

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- The fill log. `executions` and `commissions` hold the keys that make every fact of the broker unique.
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, recorded INTEGER NOT NULL,
    account TEXT NOT NULL, strategy TEXT NOT NULL, instrument TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX entries_by_book ON entries (account, strategy, instrument, seq);
CREATE TABLE executions (
    account TEXT NOT NULL, family TEXT NOT NULL, revision INTEGER NOT NULL, exec_id TEXT NOT NULL,
    seq INTEGER NOT NULL, PRIMARY KEY (account, family, revision)) WITHOUT ROWID;
CREATE INDEX executions_by_id ON executions (exec_id);
CREATE INDEX executions_by_seq ON executions (seq);
CREATE TABLE commissions (exec_id TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE early_commissions (exec_id TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;

-- Orders: the intent as it was approved, the order as it was last seen, and every name a broker gave it.
CREATE TABLE orders (
    intent_id TEXT PRIMARY KEY, strategy TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    final INTEGER NOT NULL, intent BLOB NOT NULL, view BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX orders_open ON orders (created) WHERE final = 0;
CREATE INDEX orders_by_update ON orders (updated);
CREATE TABLE aliases (
    intent_id TEXT NOT NULL, session TEXT NOT NULL, client_id INTEGER NOT NULL, order_id INTEGER NOT NULL,
    perm_id INTEGER NOT NULL, UNIQUE (intent_id, session, client_id, order_id, perm_id));
CREATE INDEX aliases_by_perm_id ON aliases (perm_id) WHERE perm_id != 0;

-- High-water marks, assignments, cursors, halts.
CREATE TABLE order_id_marks (client_id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE epochs (connection TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE clients (strategy TEXT PRIMARY KEY, client_id INTEGER NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE snapshots (stage TEXT PRIMARY KEY, seq INTEGER NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE halts (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
"""

ADDED = {
    2: """
-- What operators did. `outcome` is empty while a command is under way, and for ever where it was cut short.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,
    outcome TEXT NOT NULL);
-- Quantity moved between two books: the seq of its first leg, and the assignment that it takes back, once each.
CREATE TABLE assignments (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, reverses TEXT UNIQUE) WITHOUT ROWID;
""",
    3: """
-- Where books and broker differed: open ones have resolved = 0.
CREATE TABLE breaks (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, instrument TEXT NOT NULL, first_seen INTEGER NOT NULL,
    resolved INTEGER NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX breaks_by_end ON breaks (resolved);
""",
}
"""What each later schema version added; an older journal is upgraded when it is opened."""


class JournalError(UserError):
    """The journal refuses an operation; the message is one sentence with the reason and the fix."""


class JournalUnwritableError(JournalError):
    """What must be durable before the program may continue could not be recorded; later it may be."""


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
            if (unwritable := _unwritable(path, error)) is not None:
                raise unwritable from error
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
            if (unwritable := _unwritable(self.path, error)) is not None:
                raise unwritable from error
            raise

    def _meta(self, key: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return int(row[0])

    def _check_schema(self) -> None:
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            self._create()
        version = self._meta("schema_version")
        for newer in range(version + 1, SCHEMA_VERSION + 1):
            self._execute(ADDED[newer])
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (newer,))
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self.path} has schema version {version} and this program knows up to "
                f"{SCHEMA_VERSION}; start the newer program that wrote it"
            )

    def _create(self) -> None:
        self._execute(TABLES)
        alphabet = string.ascii_lowercase + string.digits
        tag = "".join(secrets.choice(alphabet) for _ in range(4))
        values = [("schema_version", 1), ("tag", tag), ("boots", 0), ("pruned_to", 0)]
        self._db.executemany("INSERT INTO meta VALUES (?, ?)", values)

    def _execute(self, statements: str) -> None:
        for statement in statements.split(";"):
            self._db.execute(statement)


UNWRITABLE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY)
"""What may pass, as a full disk may: the transaction was rolled back, and can be made again."""


def _unwritable(path: Path, error: BaseException) -> JournalUnwritableError | None:
    """The error that says so, where a transaction failed for a reason that is not its own."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, sqlite3.Error) else 0
    if code == sqlite3.SQLITE_FULL:
        return JournalFullError(path)
    if code in UNWRITABLE:
        return JournalUnwritableError(
            f"the journal {path} cannot be written ({error}); nothing is sent or acknowledged that it cannot record; "
            "make it writable for this user, and check its disk"
        )
    return None
