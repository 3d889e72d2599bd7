"""The journal: all facts that must never be lost, read by recovery. SQLite, write-ahead log, one flush per commit.

Each actor that writes here opens its own instance in its own thread; several may share the file. A call that returned
is on the disk, but for those inside `unflushed`; a call that was interrupted left no change.
"""

from collections.abc import Collection

import msgspec

from mats.model import Nanos, StrategyName
from mats.store.journal.audit import AuditTable
from mats.store.journal.breaks import BreakTable
from mats.store.journal.fill_log import FillLogTables
from mats.store.journal.journal_file import JournalError
from mats.store.journal.orders import OrderTables

FIRST_STRATEGY_CLIENT = 1
LAST_STRATEGY_CLIENT = 98


class Boot(msgspec.Struct, frozen=True):
    """One start of the daemon: `tag` is the journal's own four characters, `number` counts the starts from 1."""

    tag: str
    number: int


class StoredHalt(msgspec.Struct, frozen=True):
    """Why a scope may not trade, and since when."""

    reason: str
    time: Nanos


class Journal(FillLogTables, OrderTables, AuditTable, BreakTable):
    """The fill log and the orders, and the marks, cursors and halts that a restart must find again."""

    def open_boot(self) -> Boot:
        """Count one more start, durably. Tag and number together never repeat, so ids made of them do not either."""
        with self._transaction() as db:
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'boots'")
            return self.boot()

    def boot(self) -> Boot:
        """The last start."""
        (tag,) = self._db.execute("SELECT value FROM meta WHERE key = 'tag'").fetchone()
        return Boot(tag, self._meta("boots"))

    def order_id_mark(self, client_id: int) -> int:
        """The highest order id this client may have used, 0 if none."""
        row = self._db.execute("SELECT value FROM order_id_marks WHERE client_id = ?", (client_id,)).fetchone()
        return row[0] if row else 0

    def raise_order_id_mark(self, client_id: int, value: int) -> None:
        """Lift the mark to `value`; a lower value changes nothing."""
        query = (
            "INSERT INTO order_id_marks VALUES (?, ?)"
            " ON CONFLICT (client_id) DO UPDATE SET value = max(value, excluded.value)"
        )
        with self._transaction() as db:
            db.execute(query, (client_id, value))

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

    def client_id(self, strategy: StrategyName) -> int:
        """The IB client id of a strategy: the lowest free one of 1..98 at first, the same one from then on."""
        known = "SELECT client_id FROM clients WHERE strategy = ?"
        if row := self._db.execute(known, (strategy,)).fetchone():
            return int(row[0])
        with self._transaction() as db:
            if row := db.execute(known, (strategy,)).fetchone():  # another actor has just assigned it
                return int(row[0])
            taken = {row[0] for row in db.execute("SELECT client_id FROM clients")}
            free = (i for i in range(FIRST_STRATEGY_CLIENT, LAST_STRATEGY_CLIENT + 1) if i not in taken)
            client_id = next(free, None)
            if client_id is None:
                raise JournalError(
                    f"strategy {strategy} gets no client id: all of {FIRST_STRATEGY_CLIENT} to"
                    f" {LAST_STRATEGY_CLIENT} are assigned; run it in a second daemon with its own data directory"
                )
            db.execute("INSERT INTO clients VALUES (?, ?)", (strategy, client_id))
            return client_id

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

    def counts(self) -> dict[str, int]:
        """Rows per table, for status pages and tests; its cost grows with the file."""
        names = [name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        return {name: self._db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
