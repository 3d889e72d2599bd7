"""The IB client id of each strategy, and the highest order id that each client may have used."""

from pathlib import Path

from mats.model import StrategyName
from mats.store.journal.journal_file import JournalError, JournalFile

FIRST_STRATEGY_CLIENT = 1
LAST_STRATEGY_CLIENT = 98


class ClientTables(JournalFile):
    """Client ids are kept forever; marks of order ids only rise."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._client_ids: dict[StrategyName, int] = {}

    def client_id(self, strategy: StrategyName) -> int:
        """The IB client id of a strategy: the lowest free one of 1..98 at first, the same one from then on."""
        if strategy not in self._client_ids:
            self._client_ids[strategy] = self._recorded_client_id(strategy)
        return self._client_ids[strategy]

    def _recorded_client_id(self, strategy: StrategyName) -> int:
        with self._transaction() as db:
            row = db.execute("SELECT client_id FROM clients WHERE strategy = ?", (strategy,)).fetchone()
            if row:
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
