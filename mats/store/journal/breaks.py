"""Breaks on disk, open and closed, and the entries that prove them."""

from collections.abc import Sequence

import msgspec

from mats.ledger.books import BookKey
from mats.ledger.reconciliation import MAX_PROOF_LINES, Break
from mats.model import Entry, PositionKey
from mats.store.journal.journal_file import JournalFile

_encoder = msgspec.msgpack.Encoder()
_break = msgspec.msgpack.Decoder(Break)
_entry = msgspec.msgpack.Decoder(Entry)

OPEN = 0
"""The time of resolution of a break that is still open."""


class BreakTable(JournalFile):
    """One row per break, by its id; written before the break is acted on."""

    def save_break(self, found: Break) -> None:
        """Record the present state of a break."""
        row = (found.id, found.account, found.instrument, found.first_seen, found.resolved or OPEN)
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO breaks VALUES (?, ?, ?, ?, ?, ?)", (*row, _encoder.encode(found)))

    def open_breaks(self) -> list[Break]:
        """Open breaks, the oldest first."""
        rows = self._db.execute("SELECT payload FROM breaks WHERE resolved = ? ORDER BY first_seen, id", (OPEN,))
        return [_break.decode(row[0]) for row in rows]

    def past_breaks(self, limit: int) -> list[Break]:
        """The last closed breaks, the newest first."""
        query = "SELECT payload FROM breaks WHERE resolved > ? ORDER BY resolved DESC, id LIMIT ?"
        return [_break.decode(row[0]) for row in self._db.execute(query, (OPEN, limit))]

    def newest_entries(self, key: BookKey, after: int) -> Sequence[Entry]:
        """The entries of a book after `after`, in order; of many the newest, enough for a proof.

        A fill usually has one commission, which changes no quantity: hence twice as many as a proof lists.
        """
        query = (
            "SELECT payload FROM entries WHERE account = ? AND strategy = ? AND instrument = ? AND seq > ?"
            " ORDER BY seq DESC LIMIT ?"
        )
        rows = self._db.execute(query, (*key, after, 2 * MAX_PROOF_LINES)).fetchall()
        return [_entry.decode(row[0]) for row in reversed(rows)]

    def moved_since(self, key: PositionKey, seq: int) -> bool:
        """Whether any book of an instrument has an entry beyond `seq`, which is near the end of the log."""
        query = "SELECT 1 FROM entries WHERE seq > ? AND account = ? AND instrument = ? LIMIT 1"
        return self._db.execute(query, (seq, *key)).fetchone() is not None
