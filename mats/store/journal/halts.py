"""Halts on disk: which scope may not trade, until they are cleared."""

import msgspec

from mats.model import Nanos
from mats.store.journal.journal_file import JournalFile


class StoredHalt(msgspec.Struct, frozen=True):
    """Why a scope may not trade, and since when."""

    reason: str
    time: Nanos


class HaltTable(JournalFile):
    """One row per scope that may not trade."""

    def set_halt(self, scope: str, reason: str, time: Nanos) -> None:
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO halts VALUES (?, ?, ?)", (scope, reason, time))

    def clear_halt(self, scope: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM halts WHERE scope = ?", (scope,))

    def halts(self) -> dict[str, StoredHalt]:
        """Every scope that may not trade."""
        rows = self._db.execute("SELECT scope, reason, time FROM halts ORDER BY scope")
        return {scope: StoredHalt(reason, time) for scope, reason, time in rows}
