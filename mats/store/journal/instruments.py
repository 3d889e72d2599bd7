"""The registry of instruments on disk: the contract id, the one name, and the known terms of each contract."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from sqlite3 import Connection

import msgspec

from mats.instruments import KnownInstrument
from mats.model import InstrumentId
from mats.store.journal.journal_file import JournalFile

NOBODY = -1
"""In place of a contract id: the name was used for several contracts, and none of them gets it."""


class NameInUse(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which books were kept before names were assigned; 0 and empty is what they do not say.

    `con_id` is `NOBODY` where the books were of several contracts.
    """

    name: InstrumentId
    con_id: int = 0
    multiplier: str = ""
    currency: str = ""

    def may_be(self, known: KnownInstrument) -> bool:
        """Whether the books can be those of this contract."""
        terms = known.instrument
        return (
            self.con_id in (0, terms.con_id)
            and (not self.multiplier or Decimal(self.multiplier) == terms.multiplier)
            and self.currency in ("", terms.currency)
        )


class InstrumentTable(JournalFile):
    """A contract keeps its name; what else is known of it may change."""

    def known_instrument(self, con_id: int) -> KnownInstrument | None:
        """What is known of a contract."""
        return _decoded(self._db.execute("SELECT payload FROM instruments WHERE con_id = ?", (con_id,)).fetchone())

    def instrument_named(self, name: InstrumentId) -> KnownInstrument | None:
        """The contract of a name."""
        return _decoded(self._db.execute("SELECT payload FROM instruments WHERE name = ?", (name,)).fetchone())

    def instruments(self, after: int = 0) -> list[tuple[int, KnownInstrument]]:
        """Every contract whose terms were recorded after change `after`, each with the number of its change."""
        rows = self._db.execute("SELECT change, payload FROM instruments WHERE change > ? ORDER BY change", (after,))
        return [(change, msgspec.msgpack.decode(payload, type=KnownInstrument)) for change, payload in rows]

    def name_instrument(
        self, known: KnownInstrument, names: Sequence[InstrumentId], earlier: InstrumentId
    ) -> KnownInstrument:
        """Record a contract under the first of `names` that no other has, or under the `earlier` name of its books."""
        con_id = known.instrument.con_id
        with self._transaction() as db:
            if found := db.execute("SELECT payload FROM instruments WHERE con_id = ?", (con_id,)).fetchone():
                return msgspec.msgpack.decode(found[0], type=KnownInstrument)
            name = _inherited(db, known, earlier) or next(name for name in names if _is_free(db, name))
            named = msgspec.structs.replace(known, instrument=msgspec.structs.replace(known.instrument, id=name))
            db.execute(
                "INSERT INTO instruments VALUES (?, ?, (SELECT coalesce(max(change), 0) + 1 FROM instruments), ?)",
                (con_id, name, msgspec.msgpack.encode(named)),
            )
            return named

    def save_instrument(self, known: KnownInstrument) -> None:
        """Record other terms of a contract that has a name."""
        query = (
            "UPDATE instruments SET payload = ?, change = (SELECT max(change) + 1 FROM instruments) WHERE con_id = ?"
        )
        with self._transaction() as db:
            db.execute(query, (msgspec.msgpack.encode(known), known.instrument.con_id))

    def names_in_use(self) -> list[NameInUse]:
        """Names that earlier versions gave, and that no contract has taken over yet."""
        rows = self._db.execute("SELECT name, con_id, multiplier, currency FROM earlier_names ORDER BY name")
        return [NameInUse(name=n, con_id=c, multiplier=m, currency=u) for n, c, m, u in rows]

    def record_names_in_use(self, names: Iterable[NameInUse]) -> None:
        """Names of books of an earlier version, all at once."""
        rows = [(used.name, used.con_id, used.multiplier, used.currency) for used in names]
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO earlier_names VALUES (?, ?, ?, ?)", rows)

    def unassigned_names(self) -> list[InstrumentId]:
        """Names of entries that belong to no contract: an earlier version booked them."""
        query = """
        SELECT instrument FROM entries
        EXCEPT SELECT name FROM instruments EXCEPT SELECT name FROM earlier_names ORDER BY 1
        """
        return [name for (name,) in self._db.execute(query)]


def _inherited(db: Connection, known: KnownInstrument, earlier: InstrumentId) -> InstrumentId:
    """The name of the books of this contract, which nobody else inherits then; empty where there are none."""
    row = db.execute(
        "SELECT name, con_id, multiplier, currency FROM earlier_names WHERE name = ?", (earlier,)
    ).fetchone()
    if row is None or not NameInUse(name=row[0], con_id=row[1], multiplier=row[2], currency=row[3]).may_be(known):
        return ""
    db.execute("DELETE FROM earlier_names WHERE name = ?", (earlier,))
    taken = db.execute("SELECT 1 FROM instruments WHERE name = ?", (earlier,)).fetchone()
    return "" if taken else earlier


def _is_free(db: Connection, name: InstrumentId) -> bool:
    query = "SELECT 1 FROM instruments WHERE name = ? UNION SELECT 1 FROM earlier_names WHERE name = ?"
    return db.execute(query, (name, name)).fetchone() is None


def _decoded(row: tuple[bytes] | None) -> KnownInstrument | None:
    return None if row is None else msgspec.msgpack.decode(row[0], type=KnownInstrument)
