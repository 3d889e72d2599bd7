"""Orders, executions and id counters, stored record by record."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from mats.gateway.persistence import GatewayState
from mats.model import DAY, SECOND, AccountId, InstrumentId, Nanos, Side
from mats.random_ids import random_number
from mats.venue.matching import VenueOrder

KEPT_DAYS = 7
"""Days for which executions and completed orders are reported, as TWS does when its trade log shows a week."""

MAX_PERM_ID = 2**31 - 1

LEAP = 10_000
DRAW_BITS = 24
"""Each start leaves out up to so many permanent ids, and draws so many bits of execution ids.

A state that is rolled back to an earlier one does not know what was assigned since.
"""


class OrderFill(msgspec.Struct, frozen=True, kw_only=True):
    """An execution with its commission. `realized` is None if it closed nothing."""

    exec_id: str
    perm_id: int
    client_id: int
    order_id: int
    account: AccountId
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal
    time: Nanos
    cumulative: Decimal
    average: Decimal
    order_ref: str
    commission: Decimal
    realized: Decimal | None = None


class Counters(msgspec.Struct):
    """Ids assigned so far. `era` is the second in which the state was opened: ids of one start are not another's."""

    era: int
    perm_id: int
    execution: int = 0


class StoreSnapshot(msgspec.Struct, frozen=True):
    """The content of a store, for checkpoints."""

    next_ids: dict[int, int]
    orders: list[VenueOrder]
    fills: list[OrderFill]


class OrderStore:
    """Orders by permanent id and by (client id, order id); executions by id."""

    def __init__(self, state: GatewayState, era: int) -> None:
        self._state = state
        self._next_ids = {int(key): number for key, number in state.load("client", int).items()}
        known = state.load("counter", Counters).get("ids")
        self._counters = Counters(era, max(known.perm_id if known else 0, first_perm_id(era)) + random_number(LEAP))
        self._draw = random_number(1 << DRAW_BITS)
        self._orders = {order.perm_id: order for order in state.load("order", VenueOrder).values()}
        self._by_key = {(order.client_id, order.order_id): order for order in self._orders.values()}
        self._fills = state.load("execution", OrderFill)

    def order(self, client_id: int, order_id: int) -> VenueOrder | None:
        return self._by_key.get((client_id, order_id))

    def order_by_perm_id(self, perm_id: int) -> VenueOrder | None:
        return self._orders.get(perm_id)

    def orders(self) -> Iterator[VenueOrder]:
        return iter(self._orders.values())

    def fill(self, exec_id: str) -> OrderFill | None:
        return self._fills.get(exec_id)

    def fills(self) -> Iterator[OrderFill]:
        return iter(self._fills.values())

    def next_order_id(self, client_id: int) -> int:
        """The lowest order id that this client may use for a new order."""
        return self._next_ids.get(client_id, 1)

    def new_perm_id(self) -> int:
        self._counters.perm_id += 1
        if self._counters.perm_id > MAX_PERM_ID:
            raise OverflowError("no permanent ids left; start with a new state file")
        self._state.put("counter", "ids", self._counters)
        return self._counters.perm_id

    def new_exec_id(self) -> str:
        """`65f3c2b1.4b9d2e0000e1a7.01.01`: era, what this start has drawn and a number, leg, revision."""
        self._counters.execution += 1
        self._state.put("counter", "ids", self._counters)
        return f"{self._counters.era:08x}.{self._draw:06x}{self._counters.execution:08x}.01.01"

    def save_order(self, order: VenueOrder) -> None:
        """Stores an order, new or changed."""
        self._orders[order.perm_id] = order
        self._by_key[order.client_id, order.order_id] = order
        self._state.put("order", str(order.perm_id), order)
        if order.order_id >= self.next_order_id(order.client_id):
            self._next_ids[order.client_id] = order.order_id + 1
            self._state.put("client", str(order.client_id), order.order_id + 1)

    def save_fill(self, fill: OrderFill) -> None:
        self._fills[fill.exec_id] = fill
        self._state.put("execution", fill.exec_id, fill)

    def rewind(self, count: int) -> None:
        """Reissues this many order ids of every client; the orders that have them lose them."""
        for client_id, number in tuple(self._next_ids.items()):
            lowered = max(1, number - count)
            for order_id in range(lowered, number):
                self._by_key.pop((client_id, order_id), None)
            self._next_ids[client_id] = lowered
            self._state.put("client", str(client_id), lowered)

    def remove_fills(self, before: Nanos) -> None:
        """Drops the executions before an instant, as a gateway does at its midnight."""
        for exec_id in [fill.exec_id for fill in self._fills.values() if fill.time < before]:
            del self._fills[exec_id]
            self._state.remove("execution", exec_id)

    def snapshot(self) -> bytes:
        """Orders, executions and next order ids, encoded."""
        return msgspec.json.encode(
            StoreSnapshot(self._next_ids, list(self._orders.values()), list(self._fills.values()))
        )

    def restore(self, snapshot: bytes) -> None:
        """Restores a snapshot; permanent and execution ids are never assigned twice."""
        for kind, table in (("order", self._orders), ("execution", self._fills), ("client", self._next_ids)):
            for key in table:
                self._state.remove(kind, str(key))
        kept = msgspec.json.decode(snapshot, type=StoreSnapshot)
        self._next_ids = kept.next_ids
        self._orders, self._by_key, self._fills = {}, {}, {}
        for client_id, number in kept.next_ids.items():
            self._state.put("client", str(client_id), number)
        for order in kept.orders:
            self.save_order(order)
        for fill in kept.fills:
            self.save_fill(fill)

    def prune(self, now: Nanos) -> None:
        """Drops executions and completed orders older than `KEPT_DAYS`."""
        horizon = now - KEPT_DAYS * DAY
        self.remove_fills(horizon)
        for order in [o for o in self._orders.values() if not o.working and o.completed < horizon]:
            del self._orders[order.perm_id]
            if self._by_key.get((order.client_id, order.order_id)) is order:
                del self._by_key[order.client_id, order.order_id]
            self._state.remove("order", str(order.perm_id))


def new_era(now: Nanos) -> int:
    """The era of a state opened at this instant."""
    return now // SECOND


def first_perm_id(era: int) -> int:
    """Permanent ids of this era begin here, above those of eras before: 100 for each second, until they wrap."""
    return 100_000_000 + era % 20_000_000 * 100
