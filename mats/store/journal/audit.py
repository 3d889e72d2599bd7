"""The audit log on disk: who did what, when, why, and with which outcome."""

import msgspec

from mats.model import Nanos
from mats.store.journal.journal_file import JournalFile


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One command that changes state. `outcome` is empty while it runs, or where it was interrupted."""

    id: int
    time: Nanos
    who: str
    what: str
    why: str
    outcome: str


class AuditTable(JournalFile):
    """A line is written before its command acts, and gets its outcome afterwards."""

    def begin_audit(self, time: Nanos, who: str, what: str, why: str) -> int:
        """Record a command before it runs; returns the id of the line."""
        query = "INSERT INTO audit (time, who, what, why, outcome) VALUES (?, ?, ?, ?, '')"
        with self._transaction() as db:
            return int(db.execute(query, (time, who, what, why)).lastrowid or 0)

    def end_audit(self, line: int, outcome: str) -> None:
        """Record the outcome of a command."""
        with self._transaction() as db:
            db.execute("UPDATE audit SET outcome = ? WHERE id = ?", (outcome, line))

    def audit(self, limit: int) -> list[AuditLine]:
        """The newest lines, oldest of them first."""
        query = "SELECT id, time, who, what, why, outcome FROM audit ORDER BY id DESC LIMIT ?"
        rows = reversed(self._db.execute(query, (limit,)).fetchall())
        return [AuditLine(id=i, time=t, who=w, what=x, why=y, outcome=o) for i, t, w, x, y, o in rows]
