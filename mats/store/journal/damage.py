"""A damaged journal, wherever it is noticed, ends in one sentence with the remedy."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from mats.model import Entry, OrderIntent, OrderView
from mats.store.journal.journal_file import REMEDY, JournalError

DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


ROWS: tuple[tuple[str, str, msgspec.msgpack.Decoder[object]], ...] = (
    ("entry", "SELECT seq, payload FROM entries", msgspec.msgpack.Decoder(Entry)),
    ("intent", "SELECT intent_id, intent FROM orders", msgspec.msgpack.Decoder(OrderIntent)),
    ("order", "SELECT intent_id, view FROM orders", msgspec.msgpack.Decoder(OrderView)),
)
"""What recovery decodes, each row with its name."""
MISSING = """
SELECT max(pruned, (SELECT coalesce(max(seq), 0) FROM entries)) - pruned
    - (SELECT count(*) FROM entries INDEXED BY entries_by_book WHERE seq > pruned)
FROM (SELECT value AS pruned FROM meta WHERE key = 'pruned_to')
"""
"""Counted in the index, which has no payloads: every start does it."""
FIRST_MISSING = """
SELECT min(before) + 1
FROM (SELECT value AS before FROM meta WHERE key = 'pruned_to' UNION ALL SELECT seq FROM entries)
WHERE before >= (SELECT value FROM meta WHERE key = 'pruned_to') AND before + 1 NOT IN (SELECT seq FROM entries)
"""


class JournalDamagedError(JournalError):
    """The file cannot be read; the message has the remedy."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the journal {path} is damaged ({reason}); {REMEDY}")


def journal_damage(path: Path) -> JournalDamagedError | None:
    """What is wrong with the file or its rows, None where nothing is found; its cost grows with the file."""
    try:
        with closing(sqlite3.connect(path)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        return JournalDamagedError(path, str(error)) if _is_damage(error) else None
    if found != "ok":
        return JournalDamagedError(path, " ".join(str(found).split()))
    return JournalDamagedError(path, fault) if (fault := _fault_of_rows(path)) else None


def _fault_of_rows(path: Path) -> str:
    """What is wrong with the rows: one that cannot be decoded, or a gap in the log."""
    with closing(sqlite3.connect(path)) as database:
        for what, query, decoder in ROWS:
            for name, payload in database.execute(query):
                try:
                    decoder.decode(payload)
                except (msgspec.DecodeError, TypeError) as error:
                    return f"{what} {name} cannot be decoded: {error}"
        return _gap(database)


def _gap(database: sqlite3.Connection) -> str:
    (missing,) = database.execute(MISSING).fetchone()
    if not missing:
        return ""
    (first,) = database.execute(FIRST_MISSING).fetchone()
    return f"{missing} of its entries are missing, the first of them entry {first}"


def require_whole_log(path: Path) -> None:
    """Raise JournalDamagedError where an entry between the others is missing; a count, quick enough for each start."""
    with closing(sqlite3.connect(path)) as database:
        if gap := _gap(database):
            raise JournalDamagedError(path, gap)


@contextmanager
def refused_where_damaged(path: Path) -> Iterator[None]:
    """Raise JournalDamagedError for an error by which a damaged journal shows itself within the block."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError, msgspec.DecodeError) as error:
        if _is_damage(error):
            raise JournalDamagedError(path, str(error)) from error
        raise


def _is_damage(error: Exception) -> bool:
    """A lock, a full disk or a missing right is none. SQLite quotes what it cannot read, so that cannot be text."""
    return not isinstance(error, sqlite3.Error) or getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGES
