"""The saved states of the stages that follow the fill log, each with its cursor."""

from collections.abc import Collection

from mats.store.journal.journal_file import JournalFile


class SnapshotTable(JournalFile):
    """One row per stage: its state and the entry after which it holds, saved together."""

    def save_snapshot(self, stage: str, seq: int, payload: bytes) -> None:
        """Replace the saved state of a stage and its cursor: `payload` is the state after entry `seq`."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (stage, seq, payload))

    def load_snapshot(self, stage: str) -> tuple[int, bytes] | None:
        """Cursor and state of a stage as last saved."""
        row = self._db.execute("SELECT seq, payload FROM snapshots WHERE stage = ?", (stage,)).fetchone()
        return (row[0], row[1]) if row else None

    def saved_through(self, stages: Collection[str]) -> int:
        """The entry up to which every one of the stages has saved its state, 0 while one has not."""
        saved = dict(self._db.execute("SELECT stage, seq FROM snapshots").fetchall())
        return min((saved.get(stage, 0) for stage in stages), default=0)
