"""The saved states of the stages that follow the fill log, each with its cursor."""

from collections.abc import Collection
from zlib import crc32

from mats.store.journal.journal_file import JournalError, JournalFile

FORMAT = 1
"""Of the payloads. An older one is as good as none: the stage folds the log anew."""

_SAVE = """
INSERT OR REPLACE INTO snapshots (stage, seq, payload, format, checksum, branch)
VALUES (?, ?, ?, ?, ?, coalesce((SELECT id FROM branches ORDER BY number DESC LIMIT 1), ''))
"""


class SnapshotTable(JournalFile):
    """One row per stage: its state and the entry after which it holds, saved together."""

    def save_snapshot(self, stage: str, seq: int, payload: bytes) -> None:
        """Replace the saved state of a stage and its cursor: `payload` is the state after entry `seq`."""
        with self._transaction() as db:
            db.execute(_SAVE, (stage, seq, payload, FORMAT, crc32(payload)))

    def load_snapshot(self, stage: str) -> tuple[int, bytes] | None:
        """Cursor and state of a stage as last saved; JournalError where a newer program saved it."""
        row = self._db.execute("SELECT seq, payload, format FROM snapshots WHERE stage = ?", (stage,)).fetchone()
        if row is None or row[2] < FORMAT:
            return None
        if row[2] > FORMAT:
            raise JournalError(
                f"the state of {stage} in the journal {self.path} has version {row[2]} and this program knows up to "
                f"{FORMAT}; start the newer program that wrote it"
            )
        return row[0], row[1]

    def saved_through(self, stages: Collection[str]) -> int:
        """The entry up to which every one of the stages has saved its state, 0 while one has not."""
        saved = dict(self._db.execute("SELECT stage, seq FROM snapshots WHERE format = ?", (FORMAT,)).fetchall())
        return min((saved.get(stage, 0) for stage in stages), default=0)
