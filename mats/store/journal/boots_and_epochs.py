"""Counters that a restart must find again: the starts of the daemon, and the epochs of each connection."""

import msgspec

from mats.store.journal.journal_file import JournalFile


class Boot(msgspec.Struct, frozen=True):
    """One start of the daemon: `tag` is the journal's own four characters, `number` counts the starts from 1."""

    tag: str
    number: int


class CounterTables(JournalFile):
    """Numbers that only rise, durable before they are used."""

    def open_boot(self) -> Boot:
        """Count one more start, durably. Tag and number together never repeat, so ids made of them do not either."""
        with self._transaction() as db:
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'boots'")
            return self.boot()

    def boot(self) -> Boot:
        """The last start."""
        (tag,) = self._db.execute("SELECT value FROM meta WHERE key = 'tag'").fetchone()
        return Boot(tag, self._meta("boots"))

    def open_epoch(self, connection: str) -> int:
        """The next epoch of a connection, from 1, durable before it is used."""
        query = "INSERT INTO epochs VALUES (?, 1) ON CONFLICT (connection) DO UPDATE SET value = value + 1"
        with self._transaction() as db:
            db.execute(query, (connection,))
            return self.epoch(connection)

    def fence_epochs(self) -> None:
        """End every epoch: what was reported under it and is not in the log by now must be reported again."""
        with self._transaction() as db:
            db.execute("UPDATE epochs SET value = value + 1")

    def epoch(self, connection: str) -> int:
        """The current epoch of a connection, 0 before the first."""
        row = self._db.execute("SELECT value FROM epochs WHERE connection = ?", (connection,)).fetchone()
        return row[0] if row else 0
