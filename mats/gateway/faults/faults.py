"""What real gateways do to their clients, on demand: hooks for tests in the same process and loop, and fault plans."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data import MarketDataService
from mats.gateway.faults.actions import Actions
from mats.gateway.faults.catalog import row
from mats.gateway.faults.error_texts import WORDS
from mats.gateway.faults.plan import AnyFault
from mats.gateway.faults.recording import Recorder
from mats.gateway.faults.scheduler import FaultScheduler
from mats.gateway.faults.target import FaultTarget
from mats.gateway.faults.traffic import Event, Traffic
from mats.gateway.orders import MASTER, OrderFill, OrderService, OrderStore
from mats.gateway.protocol import Field, Fields, place_order, responses
from mats.model import ZERO, AccountId, InstrumentId, Side
from mats.venue.matching import PRE_SUBMITTED, Exchange, OrderKind, VenueOrder


class Faults:
    """The hooks. Every one takes effect at once; what it sends leaves at the end of the turn.

    `arm` takes faults of `mats.gateway.faults.plan`, `provoke` a known behaviour by its number; `disarm` ends them all.
    """

    def __init__(
        self,
        hub: ClientRegistry,
        desk: OrderService,
        blotter: OrderStore,
        exchange: Exchange,
        data: MarketDataService,
        traffic: Traffic,
        house: FaultTarget,
    ) -> None:
        self._hub, self._desk, self._blotter = hub, desk, blotter
        self._exchange, self._data, self._traffic = exchange, data, traffic
        self.actions = Actions(hub, blotter, exchange, traffic, self, house)
        traffic.performer = self.actions
        self._armory = FaultScheduler(traffic, self.actions, house.clock)
        self._manual_ids = 0

    def arm(self, *faults: AnyFault, seed: int = 1) -> None:
        """Arms faults, or does them at once where they wait for nothing. Raises ValueError or LookupError where one of
        the latter cannot be done."""
        for fault in faults:
            self._armory.arm(fault, seed)

    def provoke(self, number: int) -> None:
        """Arms a known behaviour by its number."""
        self.arm(*row(number).fault)

    def disarm(self) -> None:
        """Ends all faults that were armed; what they held back goes on its way."""
        self._armory.disarm()
        self.actions.free()

    @property
    def armed(self) -> list[AnyFault]:
        return self._armory.faults

    def record(self, path: Path) -> None:
        """Writes everything sent and received from now on to a file, as lines of JSON. Raises OSError."""
        self.stop_recording()
        self._traffic.recorder = Recorder(path, self._desk.now)

    def stop_recording(self) -> None:
        if self._traffic.recorder:
            self._traffic.recorder.close()
            self._traffic.recorder = None

    def push(self, client_id: int, *fields: Field) -> None:
        """Sends any message, as it stands."""
        self._hub.tell(client_id, fields)

    def swallow(self, requests: Iterable[int]) -> None:
        """Requests of these numbers are read and ignored; an empty list ends that."""
        self._traffic.swallowed = frozenset(requests)

    def drop(self, client_id: int, *, hard: bool = False) -> None:
        """Ends a client's connection: in order, or with a reset."""
        session = self._hub.session(client_id)
        if session:
            session.close(hard=hard)

    def connectivity(self, code: Literal[1100, 1101, 1102]) -> None:
        """1100: the line is lost and market data stops. 1102: it is back. 1101: it is back without subscriptions."""
        self._data.paused = code == 1100
        if code == 1101:
            self._data.drop_all()
        for session in self._hub:
            self._hub.tell(session.client_id, responses.error(-1, code, WORDS[code]))

    def hold_orders(self) -> None:
        """From now on orders are accepted and rest, and nothing trades but what `fill` forces."""
        self._exchange.held = True

    def release_orders(self) -> None:
        """Ends the hold; resting orders meet the present quotes."""
        self._exchange.held = False
        for order in tuple(self._exchange.working()):
            self._desk.book(self._exchange.submit(order))

    def order(self, client_id: int, order_id: int) -> VenueOrder:
        """The order a client knows by its id; raises KeyError where there is none."""
        order = self._blotter.order(client_id, order_id)
        if order is None:
            raise KeyError(f"client {client_id} has no order {order_id}")
        return order

    def fill(
        self, order: int | tuple[int, int], quantity: Decimal | int, price: Decimal | float, times: int = 1
    ) -> None:
        """Fills an order, named by permanent id or by (client id, order id): `times` executions of `quantity` each."""
        target = self.order(*order) if isinstance(order, tuple) else self._blotter.order_by_perm_id(order)
        if target is None or not target.working:
            raise KeyError(f"no working order has the id {order}")
        size, paid = Decimal(quantity), Decimal(str(price))
        if size <= 0 or size * times > target.remaining:
            raise ValueError(f"{times} fills of {size} do not fit into the remaining {target.remaining}; fill less")
        self._desk.book(event for _ in range(times) for event in self._exchange.force(target, size, paid))

    def correct(self, exec_id: str, quantity: Decimal | int, price: Decimal | float) -> str:
        """Corrects an execution: the same id with a higher last segment. Returns that id; zero quantity is a bust."""
        fill = self._blotter.fill(exec_id)
        if fill is None:
            raise KeyError(f"no execution has the id {exec_id}")
        head, _, revision = exec_id.rpartition(".")
        corrected = msgspec.structs.replace(
            fill, exec_id=f"{head}.{int(revision) + 1:02d}", quantity=Decimal(quantity), price=Decimal(str(price))
        )
        self._desk.replace_fill(fill, corrected)
        return corrected.exec_id

    def twin(self, order: VenueOrder, event: Event) -> None:
        """A change makes a second order in place of changing the first; the order id is that of the new one."""
        request = place_order(Fields(event.fields[1:]), event.session.version)
        self._desk.submit(
            msgspec.structs.replace(
                order,
                perm_id=self._blotter.new_perm_id(),
                quantity=request.quantity,
                limit_price=request.limit_price,
                stop_price=request.aux_price,
                status=PRE_SUBMITTED,
                filled=ZERO,
                value=ZERO,
                fee=ZERO,
                submitted=self._desk.now(),
            )
        )

    def cancel(self, order: VenueOrder) -> None:
        """A person at the gateway cancels an order of anybody."""
        if not order.working:
            raise ValueError(f"the order {order.perm_id} is {order.status} already; choose one that works")
        self._desk.cancel(order)

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
        """An order by a person at the gateway: client 0, no orderRef, and a negative id unless one is given."""
        self._manual_ids -= 1
        order = VenueOrder(
            perm_id=self._blotter.new_perm_id(),
            client_id=MASTER,
            order_id=self._manual_ids if order_id is None else order_id,
            account=account or self._desk.default_account,
            instrument=instrument,
            side=Side(side),
            quantity=Decimal(quantity),
            order_type=OrderKind.MARKET if price is None else OrderKind.LIMIT,
            limit_price=price,
            submitted=self._desk.now(),
        )
        self._desk.submit(order)
        return order

    def fills(self) -> list[OrderFill]:
        """Every execution the gateway reports."""
        return list(self._blotter.fills())
