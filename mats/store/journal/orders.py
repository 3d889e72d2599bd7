"""Orders on disk: an intent is recorded before its order is sent, so that recovery finds every order."""

from collections.abc import Sequence

import msgspec

from mats.model import InstrumentId, IntentId, OrderIntent, OrderView, StrategyName
from mats.store.journal.journal_file import JournalError, JournalFile

_encoder = msgspec.msgpack.Encoder()
_intent = msgspec.msgpack.Decoder(OrderIntent)
_view = msgspec.msgpack.Decoder(OrderView)


class _Contract(msgspec.Struct):
    id: InstrumentId
    con_id: int = 0


class _Ordered(msgspec.Struct):
    """The part of an intent that says what was ordered."""

    instrument: _Contract


_ordered = msgspec.msgpack.Decoder(_Ordered)

_ORDER = "SELECT intent_id, intent, view FROM orders"

_PASSED = "DELETE FROM aliases WHERE intent_id = ? AND session != ? AND client_id = ? AND perm_id IN (0, ?)"


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """One broker incarnation of an intent. The ids hold within `session` only, but for `perm_id`, 0 until known."""

    session: str
    client_id: int
    order_id: int
    perm_id: int


class JournaledOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order in the journal: the intent as it was approved, and the order as it was last seen."""

    intent: OrderIntent
    view: OrderView
    aliases: tuple[Alias, ...]

    @property
    def session(self) -> str:
        """The session in which the ids of the view are valid; empty when it is not known."""
        ids = self.view.client_id, self.view.order_id
        return next((a.session for a in reversed(self.aliases) if (a.client_id, a.order_id) == ids), "")


class OrderTables(JournalFile):
    """Intents, the states of their orders, and the ids the broker gave them."""

    def record_intent(self, intent: OrderIntent, view: OrderView, session: str) -> bool:
        """Make an intent durable before it is sent; False, without a change, when its id is recorded already.

        `view` is the order as it is about to be sent, under the client id and order id that it names.
        """
        return self.record_intents(((intent, view),), session)

    def record_intents(self, orders: Sequence[tuple[OrderIntent, OrderView]], session: str) -> bool:
        """The same for orders that go out in one: all of them or none. False when the first one is recorded already.

        Raises JournalError where another one is.
        """
        query = "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (intent_id) DO NOTHING"
        with self._transaction() as db:
            for number, (intent, view) in enumerate(orders):
                times = intent.time, view.updated
                row = (intent.intent_id, intent.strategy, *times, 0, _encoder.encode(intent), _encoder.encode(view))
                if db.execute(query, row).rowcount == 0:
                    if number:
                        raise JournalError(
                            f"intent {intent.intent_id} is recorded already, without the one it goes with"
                        )
                    return False
                alias = (intent.intent_id, session, view.client_id, view.order_id)
                db.execute("INSERT INTO aliases VALUES (?, ?, ?, ?, 0)", alias)
            return True

    def record_views(self, views: Sequence[OrderView]) -> None:
        """Record the present state of orders, all of them or none."""
        query = "UPDATE orders SET updated = ?, final = ?, view = ? WHERE intent_id = ?"
        with self._transaction() as db:
            for view in views:
                row = (view.updated, int(view.state.final), _encoder.encode(view), view.intent_id)
                if db.execute(query, row).rowcount == 0:
                    raise _unknown(view.intent_id)

    def record_alias(self, intent_id: IntentId, session: str, client_id: int, order_id: int, perm_id: int) -> None:
        """Add a broker incarnation, or the perm_id of one already known. A perm_id belongs to one intent forever.

        It takes the place of that of an earlier session, unless the broker had another perm_id then: so an order that
        rests for a year has one row, and not one for each start.
        """
        with self._transaction() as db:
            owner = self.intent_by_perm_id(perm_id)
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
            db.execute(_PASSED, (intent_id, session, client_id, perm_id))

    def open_orders(self) -> list[JournaledOrder]:
        """Every order that is not final, oldest first: a start looks for them at the broker."""
        return self._orders(f"{_ORDER} WHERE final = 0 ORDER BY created, intent_id", ())

    def recent_orders(self, limit: int) -> list[JournaledOrder]:
        """The orders that changed last, newest first."""
        return self._orders(f"{_ORDER} ORDER BY updated DESC, intent_id LIMIT ?", (limit,))

    def order(self, intent_id: IntentId) -> JournaledOrder | None:
        found = self._orders(f"{_ORDER} WHERE intent_id = ?", (intent_id,))
        return found[0] if found else None

    def strategy_of(self, intent_id: IntentId) -> StrategyName | None:
        """The strategy of an intent, None where the journal has no such intent."""
        row = self._db.execute("SELECT strategy FROM orders WHERE intent_id = ?", (intent_id,)).fetchone()
        return row[0] if row else None

    def intent_by_perm_id(self, perm_id: int) -> IntentId | None:
        """The intent of the broker's permanent id; None for 0, which is no id."""
        query = "SELECT intent_id FROM aliases WHERE perm_id = ? AND perm_id != 0 LIMIT 1"
        row = self._db.execute(query, (perm_id,)).fetchone()
        return row[0] if row else None

    def contract_ids_of_intents(self) -> dict[InstrumentId, set[int]]:
        """The contracts that were ordered under each name; it reads every intent."""
        ordered: dict[InstrumentId, set[int]] = {}
        for (payload,) in self._db.execute("SELECT intent FROM orders"):
            instrument = _ordered.decode(payload).instrument
            if instrument.con_id:
                ordered.setdefault(instrument.id, set()).add(instrument.con_id)
        return ordered

    def totals(self) -> tuple[int, int]:
        """How many intents and executions (each family once) there are; it counts rows, so not for hot paths."""
        (orders,) = self._db.execute("SELECT count(*) FROM orders").fetchone()
        (fills,) = self._db.execute("SELECT count(*) FROM (SELECT DISTINCT account, family FROM executions)").fetchone()
        return orders, fills

    def _orders(self, query: str, parameters: tuple[int | str, ...]) -> list[JournaledOrder]:
        return [
            JournaledOrder(intent=_intent.decode(intent), view=_view.decode(view), aliases=self._aliases(intent_id))
            for intent_id, intent, view in self._db.execute(query, parameters).fetchall()
        ]

    def _aliases(self, intent_id: IntentId) -> tuple[Alias, ...]:
        query = "SELECT session, client_id, order_id, perm_id FROM aliases WHERE intent_id = ? ORDER BY rowid"
        rows = self._db.execute(query, (intent_id,))
        return tuple(Alias(session=s, client_id=c, order_id=o, perm_id=p) for s, c, o, p in rows)


def _unknown(intent_id: IntentId) -> JournalError:
    return JournalError(f"intent {intent_id} is not in the journal; record the intent first")
