"""The journal: all facts that must never be lost, read by recovery. SQLite, write-ahead log, one flush per commit.

Each actor that writes here opens its own instance in its own thread; several may share the file. A call that returned
is on the disk, but for those inside `unflushed`; a call that was interrupted left no change.
"""

from mats.store.journal.audit import AuditTable
from mats.store.journal.boots_and_epochs import CounterTables
from mats.store.journal.breaks import BreakTable
from mats.store.journal.client_ids import ClientTables
from mats.store.journal.halts import HaltTable
from mats.store.journal.instruments import InstrumentTable
from mats.store.journal.joined_log import JoinedLogTables
from mats.store.journal.orders import OrderTables
from mats.store.journal.quarantine import QuarantineTables


class Journal(
    JoinedLogTables,
    OrderTables,
    ClientTables,
    CounterTables,
    HaltTable,
    BreakTable,
    AuditTable,
    QuarantineTables,
    InstrumentTable,
):
    """All tables in one file; a fact is found in the module of its table."""

    def counts(self) -> dict[str, int]:
        """Rows per table, for status pages and tests; its cost grows with the file."""
        names = [name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        return {name: self._db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
