"""What joining the journal with the tables needs: every fact of the log, and how far the tables were."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from mats.model import AccountId, Commission, Entry
from mats.store.journal.fill_log import FillLogTables, entry_row, insert_entry
from mats.store.journal.snapshots import SnapshotTable

_entry = msgspec.msgpack.Decoder(Entry)
_commission = msgspec.msgpack.Decoder(Commission)


class JournalFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a journal knows of its log: the entries that it has, and the keys of those that it has pruned.

    `executions` are by account, family and revision, `commissions` by exec id; `early` came without an execution.
    """

    entries: Sequence[Entry]
    last_seq: int
    pruned_to: int
    executions: Mapping[tuple[AccountId, str, int], int]
    commissions: Mapping[str, int]
    early: Mapping[str, Commission]


class JoinedLogTables(FillLogTables, SnapshotTable):
    """For starts and repairs; its cost grows with the log."""

    def facts(self) -> JournalFacts:
        rows = self._db.execute("SELECT payload FROM entries ORDER BY seq")
        executions = self._db.execute("SELECT account, family, revision, seq FROM executions")
        early = self._db.execute("SELECT exec_id, payload FROM early_commissions")
        return JournalFacts(
            entries=tuple(_entry.decode(payload) for (payload,) in rows),
            last_seq=self.last_seq(),
            pruned_to=self.pruned_to(),
            executions={(account, family, revision): seq for account, family, revision, seq in executions},
            commissions=dict(self._db.execute("SELECT exec_id, seq FROM commissions").fetchall()),
            early={exec_id: _commission.decode(payload) for exec_id, payload in early},
        )

    def merge(self, added: Sequence[Entry], returned: Sequence[Entry]) -> None:
        """Continue the log with `added`, and take `returned`, which were pruned, back at their numbers."""
        with self._transaction() as db:
            for entry in added:
                insert_entry(db, entry)
            for entry in returned:
                db.execute("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?)", entry_row(entry))
            pruned = self._meta("pruned_to")
            (kept,) = db.execute("SELECT count(*) FROM entries WHERE seq <= ?", (pruned,)).fetchone()
            if kept == pruned:
                db.execute("UPDATE meta SET value = 0 WHERE key = 'pruned_to'")

    def has_saved(self, stages: Collection[str]) -> bool:
        """Whether every one of the stages has a saved state."""
        return all(self.load_snapshot(stage) is not None for stage in stages)

    def stored(self) -> dict[tuple[str, AccountId], int]:
        """How far each table of the log was, by library and account, when the writer saved its state."""
        rows = self._db.execute("SELECT library, account, seq FROM stored")
        return {(library, account): seq for library, account, seq in rows}

    def record_stored(self, seqs: Mapping[tuple[str, AccountId], int]) -> None:
        """Replace what `stored` returns."""
        with self._transaction() as db:
            db.execute("DELETE FROM stored")
            db.executemany("INSERT INTO stored VALUES (?, ?, ?)", [(*name, seq) for name, seq in seqs.items()])
