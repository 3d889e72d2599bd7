"""The branches of a journal, one for each start of the daemon, and the epochs of each connection.

A journal may be replaced by an earlier copy of itself. It does not know that; others do: whatever is written beside it
names the branch and the entry up to which it goes. Only where the journal has that branch, and had got that far on it,
do both have the same past. What must never repeat is drawn at each start, for the same reason.
"""

from zlib import crc32

import msgspec

from mats.random_ids import random_id, random_number
from mats.store.journal.journal_file import JournalFile

BRANCH_LETTERS = 8
EPOCHS_A_START = 1 << 20
EPOCH_BASES = 1 << 40


class Boot(msgspec.Struct, frozen=True):
    """One start of the daemon: the id of its branch, and its number from 1.

    `dropped` are the stages whose saved states were damaged, none of this log, or ahead of it; they are made anew.
    """

    branch: str
    number: int
    dropped: tuple[str, ...] = ()


class CounterTables(JournalFile):
    """What is durable before it is used."""

    def open_boot(self) -> Boot:
        """Begin a new branch. No id that is made of it, and no epoch of it, was ever used."""
        with self._transaction() as db:
            dropped = self._drop_foreign_states()
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'boots'")
            number, base = self._meta("boots"), random_number(EPOCH_BASES) * EPOCHS_A_START
            branch = random_id(BRANCH_LETTERS)
            db.execute("INSERT INTO branches VALUES (?, ?, ?)", (number, branch, self.last_seq()))
            db.execute("UPDATE meta SET value = ? WHERE key = 'epoch_base'", (base,))
            db.execute("UPDATE epochs SET value = ?", (base,))
        return Boot(branch, number, dropped)

    def _drop_foreign_states(self) -> tuple[str, ...]:
        saved = self._db.execute(
            "SELECT stage, branch, seq, checksum, payload FROM snapshots ORDER BY stage"
        ).fetchall()
        foreign = tuple(
            stage
            for stage, branch, seq, checksum, payload in saved
            if not self.holds(branch, seq) or checksum not in (None, crc32(payload))
        )
        self._db.executemany("DELETE FROM snapshots WHERE stage = ?", [(stage,) for stage in foreign])
        return foreign

    def branch(self) -> str:
        """The present branch; empty before the first start."""
        row = self._db.execute("SELECT id FROM branches ORDER BY number DESC LIMIT 1").fetchone()
        return str(row[0]) if row else ""

    def holds(self, branch: str, seq: int) -> bool:
        """Whether the log up to entry `seq` of `branch` is the beginning of this log."""
        row = self._db.execute("SELECT number FROM branches WHERE id = ?", (branch,)).fetchone()
        if row is None:
            return branch == self.branch() and seq <= self.last_seq()
        query = "SELECT began FROM branches WHERE number > ? ORDER BY number LIMIT 1"
        ended = self._db.execute(query, row).fetchone()
        return seq <= (self.last_seq() if ended is None else int(ended[0]))

    def open_epoch(self, connection: str) -> int:
        """The next epoch of a connection, durable before it is used."""
        query = "INSERT INTO epochs VALUES (?, ?) ON CONFLICT (connection) DO UPDATE SET value = value + 1"
        with self._transaction() as db:
            db.execute(query, (connection, self._meta("epoch_base") + 1))
            return self.epoch(connection)

    def fence_epochs(self) -> None:
        """End every epoch: what was reported under it and is not in the log by now must be reported again."""
        with self._transaction() as db:
            db.execute("UPDATE epochs SET value = value + 1")

    def epoch(self, connection: str) -> int:
        """The current epoch of a connection, 0 before the first."""
        row = self._db.execute("SELECT value FROM epochs WHERE connection = ?", (connection,)).fetchone()
        return row[0] if row else 0
