"""The fill log on disk: entries in the order of booking, each fact of the broker once."""

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from mats.model import (
    AccountId,
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Entry,
    FillCorrected,
    FillRecorded,
    InstrumentId,
    Nanos,
    StrategyName,
)
from mats.store.journal.journal_file import AlreadyBookedError, JournalError, JournalFile

_encoder = msgspec.msgpack.Encoder()
_entry = msgspec.msgpack.Decoder(Entry)
_commission = msgspec.msgpack.Decoder(Commission)


class FillLogTables(JournalFile):
    """Entries, the keys that keep them unique, and commissions that came before their execution."""

    _newest: int | None = None
    """The seq of the last entry that this instance appended; the primary key refuses what another one has taken."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Write `entries`, whose seq continues the log, in one transaction: all of them or none.

        Raises AlreadyBookedError when a new execution is in the log, in any revision; sqlite3.IntegrityError when a
        correction is, or a first commission of an exec_id that has one; JournalError when a seq is not the next one.
        A held commission is removed with its entry.
        """
        last = self.last_seq() if self._newest is None else self._newest
        self._newest = None
        with self._transaction() as db:
            for seq, entry in enumerate(entries, last + 1):
                if entry.seq != seq:
                    raise JournalError(f"entry {entry.seq} does not continue the log; the next seq is {seq}")
                insert_entry(db, entry)
        self._newest = last + len(entries)

    def entries(self, after: int, limit: int) -> list[Entry]:
        """Up to `limit` entries with seq > `after`, in order; refused when some of them have been pruned."""
        pruned = self._meta("pruned_to")
        if after < pruned:
            raise JournalError(
                f"entries up to {pruned} have been pruned and entry {after + 1} was requested; start from a saved state"
            )
        query = "SELECT payload FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
        return [_entry.decode(row[0]) for row in self._db.execute(query, (after, limit))]

    def entries_of(
        self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /
    ) -> list[Entry]:
        """The entries of one book with seq > `after` in order, those before the last prune left out."""
        query = (
            "SELECT payload FROM entries WHERE account = ? AND strategy = ? AND instrument = ? AND seq > ? ORDER BY seq"
        )
        rows = self._db.execute(query, (account, strategy, instrument, max(after, self._meta("pruned_to"))))
        return [_entry.decode(row[0]) for row in rows]

    def entries_in(self, instrument: InstrumentId) -> Iterator[Entry]:
        """The entries of every book of an instrument; it reads the whole log."""
        query = "SELECT payload FROM entries WHERE instrument = ?"
        return (_entry.decode(row[0]) for row in self._db.execute(query, (instrument,)))

    def latest_execution(self, account: AccountId, family: str) -> FillRecorded | FillCorrected | None:
        """The entry of the highest revision of an execution, the effective one. It outlives pruning."""
        query = (
            "SELECT payload FROM executions JOIN entries USING (seq)"
            " WHERE executions.account = ? AND family = ? ORDER BY revision DESC LIMIT 1"
        )
        return _execution(self._db.execute(query, (account, family)).fetchone())

    def find_execution(self, exec_id: str) -> FillRecorded | FillCorrected | None:
        """The entry with exactly this exec_id, in any account; commissions name no account."""
        query = "SELECT payload FROM executions JOIN entries USING (seq) WHERE exec_id = ? LIMIT 1"
        return _execution(self._db.execute(query, (exec_id,)).fetchone())

    def has_commission(self, exec_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM commissions WHERE exec_id = ?", (exec_id,)).fetchone() is not None

    def booked_commission(self, exec_id: str) -> Commission | None:
        """The commission booked last for an exec_id; None where there is none, or where its entry has been pruned."""
        query = "SELECT payload FROM commissions JOIN entries USING (seq) WHERE exec_id = ?"
        row = self._db.execute(query, (exec_id,)).fetchone()
        if row is None:
            return None
        entry = _entry.decode(row[0])
        assert isinstance(entry, CommissionRecorded), f"entry {entry.seq} is not a commission"
        return entry.commission

    def commissions_of(self, account: AccountId, family: str) -> list[CommissionRecorded | None]:
        """The commissions booked for an execution, the last one of each revision; None for one that was pruned."""
        query = (
            "SELECT payload FROM executions JOIN commissions USING (exec_id)"
            " LEFT JOIN entries ON entries.seq = commissions.seq"
            " WHERE executions.account = ? AND family = ? ORDER BY revision"
        )
        rows = self._db.execute(query, (account, family)).fetchall()
        booked = [None if row[0] is None else _entry.decode(row[0]) for row in rows]
        return [entry for entry in booked if entry is None or isinstance(entry, CommissionRecorded)]

    def hold_commission(self, commission: Commission) -> None:
        """Keep a commission whose execution has not come yet; a repeated one replaces the first."""
        with self._transaction() as db:
            row = (commission.exec_id, _encoder.encode(commission))
            db.execute("INSERT OR REPLACE INTO early_commissions VALUES (?, ?)", row)

    def early_commission(self, exec_id: str) -> Commission | None:
        """The held commission of an execution. It is removed when its entry is appended, so no crash can lose it."""
        row = self._db.execute("SELECT payload FROM early_commissions WHERE exec_id = ?", (exec_id,)).fetchone()
        return _commission.decode(row[0]) if row else None

    def held_commissions(self) -> frozenset[str]:
        """The executions that have a held commission."""
        return frozenset(exec_id for (exec_id,) in self._db.execute("SELECT exec_id FROM early_commissions"))

    def touched_since(self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, seq: int) -> bool:
        """Whether a book has an entry beyond `seq`."""
        query = "SELECT 1 FROM entries WHERE account = ? AND strategy = ? AND instrument = ? AND seq > ? LIMIT 1"
        return self._db.execute(query, (account, strategy, instrument, seq)).fetchone() is not None

    def transfer_legs(self, name: str) -> tuple[AdjustmentRecorded, AdjustmentRecorded] | None:
        """Both legs of a transfer, None where there is none of this name or it has been pruned."""
        row = self._db.execute("SELECT seq FROM assignments WHERE id = ?", (name,)).fetchone()
        query = "SELECT payload FROM entries WHERE seq BETWEEN ? AND ? ORDER BY seq"
        legs = [_entry.decode(leg[0]) for leg in self._db.execute(query, (row[0], row[0] + 1))] if row else []
        match legs:
            case [AdjustmentRecorded() as first, AdjustmentRecorded() as second]:
                return first, second
        return None

    def reversal_of(self, name: str) -> str | None:
        """The transfer that reversed this one, if one did."""
        row = self._db.execute("SELECT id FROM assignments WHERE reverses = ?", (name,)).fetchone()
        return row[0] if row else None

    def pruned_to(self) -> int:
        """The last pruned entry, 0 while the log is complete."""
        return self._meta("pruned_to")

    def prune(self, before: Nanos, keep_after_seq: int, limit: int = 20_000) -> int:
        """Prune the head of the log: entries recorded before `before` with seq ≤ `keep_after_seq`, of the next `limit`.

        The keys stay, so that no fact is ever booked twice, and so does the newest revision of every execution, which a
        late correction or commission refers to. Returns the number of entries pruned; 0 is the end.
        """
        with self._transaction() as db:
            pruned = self._meta("pruned_to")
            query = "SELECT seq FROM entries WHERE seq > ? AND seq <= ? AND recorded >= ? ORDER BY seq LIMIT 1"
            first_kept = db.execute(query, (pruned, pruned + limit, before)).fetchone()
            newest = pruned + limit if first_kept is None else first_kept[0] - 1
            cut = min(keep_after_seq, self.last_seq(), newest)
            if cut <= pruned:
                return 0
            db.execute("UPDATE meta SET value = ? WHERE key = 'pruned_to'", (cut,))
            db.execute(_PRUNE, (pruned, cut))
            return cut - pruned


_PRUNE = """
DELETE FROM entries WHERE seq > ? AND seq <= ? AND NOT EXISTS (
    SELECT 1 FROM executions AS mine WHERE mine.seq = entries.seq AND NOT EXISTS (
        SELECT 1 FROM executions AS newer
        WHERE newer.account = mine.account AND newer.family = mine.family AND newer.revision > mine.revision))
"""


_INSERT_NEW = """
INSERT INTO executions SELECT ?1, ?2, ?3, ?4, ?5
WHERE NOT EXISTS (SELECT 1 FROM executions WHERE account = ?1 AND family = ?2)
"""


def insert_entry(db: sqlite3.Connection, entry: Entry) -> None:
    """Within a transaction; raises as `append` where its fact is in the log already."""
    match entry:
        case AdjustmentRecorded():
            if entry.assignment:
                named = (entry.assignment, entry.seq, entry.reverses or None)
                db.execute("INSERT INTO assignments VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", named)
        case CommissionRecorded():
            exec_id = entry.commission.exec_id
            kept = "INSERT OR IGNORE" if entry.previous is None else "REPLACE"
            if db.execute(f"{kept} INTO commissions VALUES (?, ?)", (exec_id, entry.seq)).rowcount == 0:
                raise AlreadyBookedError(exec_id)
            db.execute("DELETE FROM early_commissions WHERE exec_id = ?", (exec_id,))
        case FillRecorded() | FillCorrected():
            execution = entry.execution
            keys = (execution.account, execution.family, execution.revision, execution.exec_id, entry.seq)
            if db.execute(_insert_execution(entry), keys).rowcount == 0:
                raise AlreadyBookedError(execution.exec_id)
    db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", entry_row(entry))


def entry_row(entry: Entry) -> tuple[int, int, AccountId, StrategyName, InstrumentId, bytes]:
    """The row of an entry in `entries`."""
    place = entry if isinstance(entry, AdjustmentRecorded) else entry.execution
    return (entry.seq, entry.recorded, place.account, entry.strategy, place.instrument, _encoder.encode(entry))


def _insert_execution(entry: FillRecorded | FillCorrected) -> str:
    """A correction by an operator has the id of the report that it corrects, and takes its place."""
    if isinstance(entry, FillRecorded):
        return _INSERT_NEW
    replaces = entry.execution.exec_id == entry.previous.exec_id
    return f"{'REPLACE' if replaces else 'INSERT'} INTO executions VALUES (?, ?, ?, ?, ?)"


def _execution(row: tuple[bytes] | None) -> FillRecorded | FillCorrected | None:
    if row is None:
        return None
    entry = _entry.decode(row[0])
    assert isinstance(entry, FillRecorded | FillCorrected), f"entry {entry.seq} is not an execution"
    return entry
