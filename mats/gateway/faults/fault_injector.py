"""Fault injection: hooks for tests in the same process and event loop, and fault plans."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data import MarketDataService
from mats.gateway.faults.actions import FaultActions
from mats.gateway.faults.error_texts import ERROR_TEXTS
from mats.gateway.faults.fault_matching import TrafficEvent
from mats.gateway.faults.fault_types import AnyFault
from mats.gateway.faults.known_behaviors import known_behavior
from mats.gateway.faults.recording import Recorder
from mats.gateway.faults.scheduler import FaultScheduler
from mats.gateway.faults.target import FaultTarget
from mats.gateway.faults.traffic import Traffic
from mats.gateway.orders import MASTER, OrderFill, OrderService, OrderStore
from mats.gateway.protocol import Field, Fields, place_order, responses
from mats.model import ZERO, AccountId, InstrumentId, Side
from mats.venue.matching import PRE_SUBMITTED, Exchange, OrderKind, VenueOrder


class FaultInjector:
    """The hooks. Each takes effect at once; its messages are sent at the next flush.

    `arm` takes faults of `mats.gateway.faults.fault_types`, `provoke` a known behavior by its number; `disarm` ends
    them all.
    """

    def __init__(
        self,
        clients: ClientRegistry,
        orders: OrderService,
        store: OrderStore,
        exchange: Exchange,
        data: MarketDataService,
        traffic: Traffic,
        target: FaultTarget,
    ) -> None:
        self._clients, self._orders, self._store = clients, orders, store
        self._exchange, self._data, self._traffic = exchange, data, traffic
        self.actions = FaultActions(clients, store, exchange, traffic, self, target)
        traffic.performer = self.actions
        self._scheduler = FaultScheduler(traffic, self.actions, target.clock)
        self._manual_ids = 0

    def arm(self, *faults: AnyFault, seed: int = 1) -> None:
        """Arms faults; those that wait for nothing are performed at once. Raises ValueError or LookupError if one of
        the latter cannot be performed."""
        for fault in faults:
            self._scheduler.arm(fault, seed)

    def provoke(self, number: int) -> None:
        """Arms a known behavior by its number."""
        self.arm(*known_behavior(number).fault)

    def disarm(self) -> None:
        """Disarms all faults; delayed traffic is delivered."""
        self._scheduler.disarm()
        self.actions.release_reserved()

    @property
    def armed(self) -> list[AnyFault]:
        return self._scheduler.faults

    def record(self, path: Path) -> None:
        """Records everything sent and received from now on to a file, as JSON lines. Raises OSError."""
        self.stop_recording()
        self._traffic.recorder = Recorder(path, self._orders.now)

    def stop_recording(self) -> None:
        if self._traffic.recorder:
            self._traffic.recorder.close()
            self._traffic.recorder = None

    def push(self, client_id: int, *fields: Field) -> None:
        """Sends any message unchanged."""
        self._clients.send(client_id, fields)

    def swallow(self, requests: Iterable[int]) -> None:
        """Ignores requests with these numbers; an empty list ends that."""
        self._traffic.swallowed = frozenset(requests)

    def drop(self, client_id: int, *, hard: bool = False) -> None:
        """Closes a client's connection, or resets it."""
        session = self._clients.session(client_id)
        if session:
            session.close(hard=hard)

    def connectivity(self, code: Literal[1100, 1101, 1102]) -> None:
        """1100: connectivity lost, market data stops. 1102: restored. 1101: restored without subscriptions."""
        self._data.paused = code == 1100
        if code == 1101:
            self._data.drop_all()
        for session in self._clients:
            self._clients.send(session.client_id, responses.error(-1, code, ERROR_TEXTS[code]))

    def hold_orders(self) -> None:
        """From now on orders are accepted and rest; only `fill` trades them."""
        self._exchange.held = True

    def release_orders(self) -> None:
        """Ends the hold; resting orders are matched with the current quotes."""
        self._exchange.held = False
        for order in tuple(self._exchange.working()):
            self._orders.process(self._exchange.submit(order))

    def order(self, client_id: int, order_id: int) -> VenueOrder:
        """The order with this client id and order id; raises KeyError if there is none."""
        order = self._store.order(client_id, order_id)
        if order is None:
            raise KeyError(f"client {client_id} has no order {order_id}")
        return order

    def fill(
        self, order: int | tuple[int, int], quantity: Decimal | int, price: Decimal | float, times: int = 1
    ) -> None:
        """Fills an order, given by permanent id or (client id, order id): `times` executions of `quantity` each."""
        target = self.order(*order) if isinstance(order, tuple) else self._store.order_by_perm_id(order)
        if target is None or not target.working:
            raise KeyError(f"no working order has the id {order}")
        size, paid = Decimal(quantity), Decimal(str(price))
        if size <= 0 or size * times > target.remaining:
            raise ValueError(f"{times} fills of {size} do not fit into the remaining {target.remaining}; fill less")
        self._orders.process(event for _ in range(times) for event in self._exchange.force_fill(target, size, paid))

    def correct(self, exec_id: str, quantity: Decimal | int, price: Decimal | float) -> str:
        """Corrects the newest revision of an execution. Returns the id of the next one; zero quantity is a bust."""
        fill = self._store.fill(exec_id)
        if fill is None:
            raise KeyError(f"no execution has the id {exec_id}")
        head, _, number = exec_id.rpartition(".")
        revision = int(number) + 1
        while (newer := self._store.fill(f"{head}.{revision:02d}")) is not None:
            fill, revision = newer, revision + 1
        corrected = msgspec.structs.replace(
            fill, exec_id=f"{head}.{revision:02d}", quantity=Decimal(quantity), price=Decimal(str(price))
        )
        self._orders.replace_fill(fill, corrected)
        return corrected.exec_id

    def twin(self, order: VenueOrder, event: TrafficEvent) -> None:
        """Handles a modification by creating a second order; the order id then belongs to the new one."""
        request = place_order(Fields(event.fields[1:]), event.session.version)
        self._orders.submit(
            msgspec.structs.replace(
                order,
                perm_id=self._store.new_perm_id(),
                quantity=request.quantity,
                limit_price=request.limit_price,
                stop_price=request.aux_price,
                status=PRE_SUBMITTED,
                filled=ZERO,
                value=ZERO,
                fee=ZERO,
                submitted=self._orders.now(),
            )
        )

    def cancel(self, order: VenueOrder) -> None:
        """Cancels an order of any client, as an operator of the gateway can."""
        if not order.working:
            raise ValueError(f"order {order.perm_id} is already {order.status}; choose a working one")
        self._orders.cancel(order)

    def manual_order(
        self,
        instrument: InstrumentId,
        side: Side,
        quantity: Decimal | int,
        *,
        price: Decimal | None = None,
        account: AccountId = "",
        order_id: int | None = None,
    ) -> VenueOrder:
        """A manual order entered at the gateway: client 0, no orderRef, and a negative id unless one is given."""
        self._manual_ids -= 1
        order = VenueOrder(
            perm_id=self._store.new_perm_id(),
            client_id=MASTER,
            order_id=self._manual_ids if order_id is None else order_id,
            account=account or self._orders.default_account,
            instrument=instrument,
            side=Side(side),
            quantity=Decimal(quantity),
            order_type=OrderKind.MARKET if price is None else OrderKind.LIMIT,
            limit_price=price,
            submitted=self._orders.now(),
        )
        self._orders.submit(order)
        return order

    def fills(self) -> list[OrderFill]:
        """Every execution the gateway reports."""
        return list(self._store.fills())
