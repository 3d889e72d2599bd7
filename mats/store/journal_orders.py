"""Orders on disk: no order leaves before its intent is here, and after a crash each intent is found again here."""

from decimal import Decimal

import msgspec

from mats.model.orders import IntentId, OrderIntent, OrderState, OrderTicket
from mats.model.timestamp import Nanos
from mats.store.journal_schema import JournalError, JournalFile

_encoder = msgspec.msgpack.Encoder()
_intent = msgspec.msgpack.Decoder(OrderIntent)

_ORDER = "SELECT intent_id, intent, state, filled, note, updated FROM orders"


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """One broker incarnation of an intent. The ids hold within `session` only, but for `perm_id`, 0 until known."""

    session: str
    client_id: int
    order_id: int
    perm_id: int


class JournaledOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the journal knows it: `intent` carries the quantity and ticket after the last modification."""

    intent: OrderIntent
    state: OrderState
    filled: Decimal
    note: str
    updated: Nanos
    aliases: tuple[Alias, ...]

    @property
    def created(self) -> Nanos:
        return self.intent.time


class OrderTables(JournalFile):
    """Intents, the state of their orders, and the names the broker gave them."""

    def record_intent(self, intent: OrderIntent, client_id: int, order_id: int, session: str) -> bool:
        """Make an intent durable before it is sent; False, and nothing changed, when its id is here already."""
        row = (
            intent.intent_id,
            intent.time,
            intent.time,
            _encoder.encode(intent),
            OrderState.PENDING.value,
            0,
            "0",
            "",
        )
        with self._transaction() as db:
            query = "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (intent_id) DO NOTHING"
            if db.execute(query, row).rowcount == 0:
                return False
            db.execute("INSERT INTO aliases VALUES (?, ?, ?, ?, 0)", (intent.intent_id, session, client_id, order_id))
            return True

    def record_state(self, intent_id: IntentId, state: OrderState, filled: Decimal, note: str, time: Nanos) -> None:
        query = "UPDATE orders SET state = ?, final = ?, filled = ?, note = ?, updated = ? WHERE intent_id = ?"
        with self._transaction() as db:
            row = (state.value, int(state.final), str(filled), note, time, intent_id)
            if db.execute(query, row).rowcount == 0:
                raise _unknown(intent_id)

    def record_modification(self, intent_id: IntentId, quantity: Decimal, ticket: OrderTicket, time: Nanos) -> None:
        with self._transaction() as db:
            row = db.execute("SELECT intent FROM orders WHERE intent_id = ?", (intent_id,)).fetchone()
            if row is None:
                raise _unknown(intent_id)
            intent = msgspec.structs.replace(_intent.decode(row[0]), quantity=quantity, ticket=ticket)
            query = "UPDATE orders SET intent = ?, updated = ? WHERE intent_id = ?"
            db.execute(query, (_encoder.encode(intent), time, intent_id))

    def record_alias(self, intent_id: IntentId, session: str, client_id: int, order_id: int, perm_id: int) -> None:
        """Add a broker incarnation, or the perm_id of one already known. A perm_id belongs to one intent for ever."""
        with self._transaction() as db:
            owner = self.by_perm_id(perm_id)
            if owner not in (None, intent_id):
                raise JournalError(f"perm id {perm_id} is the order of intent {owner} and cannot become {intent_id}'s")
            if not db.execute("SELECT 1 FROM orders WHERE intent_id = ?", (intent_id,)).fetchone():
                raise _unknown(intent_id)
            key = (intent_id, session, client_id, order_id)
            where = "WHERE intent_id = ? AND session = ? AND client_id = ? AND order_id = ?"
            if perm_id:
                db.execute(f"DELETE FROM aliases {where} AND perm_id = 0", key)
            elif db.execute(f"SELECT 1 FROM aliases {where}", key).fetchone():
                return
            db.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?, ?, ?, ?)", (*key, perm_id))

    def open_orders(self) -> list[JournaledOrder]:
        """Every order that is not final, oldest first: what a start must find again at the broker."""
        return self._orders(f"{_ORDER} WHERE final = 0 ORDER BY created, intent_id", ())

    def orders_since(self, time: Nanos) -> list[JournaledOrder]:
        """Every order updated at or after `time`, in the order of the updates."""
        return self._orders(f"{_ORDER} WHERE updated >= ? ORDER BY updated, intent_id", (time,))

    def order(self, intent_id: IntentId) -> JournaledOrder | None:
        found = self._orders(f"{_ORDER} WHERE intent_id = ?", (intent_id,))
        return found[0] if found else None

    def by_perm_id(self, perm_id: int) -> IntentId | None:
        """The intent behind the broker's permanent id; 0 is no id and finds nothing."""
        query = "SELECT intent_id FROM aliases WHERE perm_id = ? AND perm_id != 0 LIMIT 1"
        row = self._db.execute(query, (perm_id,)).fetchone()
        return row[0] if row else None

    def _orders(self, query: str, parameters: tuple[int | str, ...]) -> list[JournaledOrder]:
        return [
            JournaledOrder(
                intent=_intent.decode(intent),
                state=OrderState(state),
                filled=Decimal(filled),
                note=note,
                updated=updated,
                aliases=self._aliases(intent_id),
            )
            for intent_id, intent, state, filled, note, updated in self._db.execute(query, parameters).fetchall()
        ]

    def _aliases(self, intent_id: IntentId) -> tuple[Alias, ...]:
        query = "SELECT session, client_id, order_id, perm_id FROM aliases WHERE intent_id = ? ORDER BY rowid"
        rows = self._db.execute(query, (intent_id,))
        return tuple(Alias(session=s, client_id=c, order_id=o, perm_id=p) for s, c, o, p in rows)


def _unknown(intent_id: IntentId) -> JournalError:
    return JournalError(f"intent {intent_id} is not in the journal; record the intent first")
