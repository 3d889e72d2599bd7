"""The quarantine on disk: what is no fact, as it was received; and the entries that stages have set aside."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from mats.ledger.quarantine import QuarantineItem
from mats.model import Entry
from mats.store.journal.journal_file import JournalFile

_encoder = msgspec.msgpack.Encoder()
_item = msgspec.msgpack.Decoder(QuarantineItem)
_entry = msgspec.msgpack.Decoder(Entry)

OPEN = 0
"""The time of resolution of an item that is still open."""


class QuarantineTables(JournalFile):
    """Items by key, each once for ever; and by stage the entries set aside, and how far it tries each one first."""

    def quarantine(self, item: QuarantineItem) -> QuarantineItem | None:
        """Keep an item; its number is new. None, without a change, where its key is known, open or resolved."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM quarantine WHERE key = ?", (item.key,)).fetchone():
                return None
            (newest,) = db.execute("SELECT max(number) FROM quarantine").fetchone()
            kept = replace(item, number=(newest or 0) + 1)
            row = (kept.number, kept.key, kept.resolved, _encoder.encode(kept))
            db.execute("INSERT INTO quarantine VALUES (?, ?, ?, ?)", row)
            return kept

    def resolve_quarantine(self, item: QuarantineItem) -> None:
        """Record how an item was resolved."""
        query = "UPDATE quarantine SET resolved = ?, payload = ? WHERE number = ?"
        with self._transaction() as db:
            db.execute(query, (item.resolved, _encoder.encode(item), item.number))

    def open_quarantine(self) -> list[QuarantineItem]:
        """Open items, the oldest first."""
        rows = self._db.execute("SELECT payload FROM quarantine WHERE resolved = ? ORDER BY number", (OPEN,))
        return [_item.decode(row[0]) for row in rows]

    def past_quarantine(self, limit: int) -> list[QuarantineItem]:
        """The last resolved items, the newest first."""
        query = "SELECT payload FROM quarantine WHERE resolved > ? ORDER BY resolved DESC, number LIMIT ?"
        return [_item.decode(row[0]) for row in self._db.execute(query, (OPEN, limit))]

    def quarantine_item(self, number: int) -> QuarantineItem | None:
        row = self._db.execute("SELECT payload FROM quarantine WHERE number = ?", (number,)).fetchone()
        return _item.decode(row[0]) if row else None

    # Stages

    def suspect_entries(self, stage: str, through: int) -> None:
        """A stage failed while it applied entries up to `through`: its next incarnation tries each one first."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO suspects VALUES (?, ?)", (stage, through))

    def suspected_through(self, stage: str) -> int:
        """The last entry that a stage must try first, 0 where there is none."""
        row = self._db.execute("SELECT through FROM suspects WHERE stage = ?", (stage,)).fetchone()
        return row[0] if row else 0

    def set_aside(self, stage: str, entry: Entry) -> None:
        """A stage leaves out an entry, once and for all."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?)", (stage, entry.seq, _encoder.encode(entry)))

    def set_aside_entries(self, stage: str) -> Sequence[Entry]:
        """The entries that a stage leaves out."""
        rows = self._db.execute("SELECT payload FROM set_aside WHERE stage = ? ORDER BY seq", (stage,))
        return [_entry.decode(row[0]) for row in rows]

    def stages_without(self, seq: int) -> list[str]:
        """The stages that leave out an entry."""
        return [row[0] for row in self._db.execute("SELECT stage FROM set_aside WHERE seq = ? ORDER BY stage", (seq,))]
