"""The simulated broker with the habits of real gateways: repeated, late and missing news, corrections, hang-ups."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from random import Random

from msgspec.structs import replace

from mats.model.broker_reports import BrokerPosition, BrokerSnapshot, BrokerStatus
from mats.model.executions import Commission, Execution
from mats.model.market_data import Bar, Quote
from mats.model.money import exact
from mats.model.orders import IntentId, OrderIntent, OrderType, Side, TimeInForce
from mats.model.timestamp import SECOND, Nanos
from mats.venue.markets import default_universe
from mats.venue.matching.orders import VenueOrder
from tests.simulation.brokerage import MASTER, Brokerage, Listener, News

ACCOUNT = "DU1"
INSTRUMENTS = ("SPY", "BAC", "EURUSD")
BAR: Nanos = 5 * SECOND


REMEMBERED = 4
"""How many seconds old the positions are that a gateway remembers when it is cut off."""

NOTHING = BrokerSnapshot(executions=(), commissions=(), open_orders=(), completed_orders=(), positions=())


class FaultyBroker(Brokerage):
    """`noise` is the probability of each fault of the news; `arriving` is asked about each order that arrives."""

    def __init__(self, seed: int, now: Callable[[], Nanos]) -> None:
        super().__init__(default_universe(), {ACCOUNT: Decimal(10_000_000)}, now)
        self._random = Random(f"broker/{seed}")
        self._prices = {name: default_universe().listing(name).price for name in INSTRUMENTS}
        self._late: list[tuple[int, Commission]] = []
        self._overtaken: dict[str, tuple[int, Execution]] = {}
        self._memory = NOTHING
        self._positions_before: deque[tuple[BrokerPosition, ...]] = deque(maxlen=REMEMBERED)
        self._kept: list[Callable[[], object]] = []
        self._kept_orders: set[IntentId] = set()
        self._bars_until: Nanos = 0
        self.transfers: list[tuple[str, Decimal]] = []
        self.noise = 0.0
        self.frozen = False
        self.arriving: Callable[[OrderIntent], None] = lambda intent: None

    def place(self, client_id: int, order_id: int, intent: OrderIntent) -> None:
        for one in intent.family:
            self.arriving(one)
            if self.degraded:
                self._kept_orders.add(one.intent_id)
        self._carry_out(partial(super().place, client_id, order_id, intent))

    def modify(self, client_id: int, order_id: int, intent: OrderIntent) -> None:
        self._carry_out(partial(super().modify, client_id, order_id, intent))

    def cancel(self, client_id: int, order_id: int) -> None:
        self._carry_out(partial(super().cancel, client_id, order_id))

    # The gateway, cut off from the broker

    def _carry_out(self, act: Callable[[], object]) -> None:
        """A gateway keeps what it cannot pass on."""
        if self.degraded:
            self._kept.append(act)
        else:
            act()

    def keeps(self, intent_id: IntentId) -> bool:
        """Whether a new order of the intent waits at the gateway for the link to the broker."""
        return intent_id in self._kept_orders

    def cut_off(self) -> None:
        """From now on the gateway knows what it knew, its positions from a moment ago; trading goes on without it.

        Prices still come: strategies may have them from elsewhere, and must be kept from acting on them.
        """
        if not self.degraded:
            self._memory = replace(super().replay(MASTER), positions=self.remembered_positions())
            self._tell_all(self.link_notice(up=False))
            self.degraded = True

    def restore(self) -> None:
        """The link is back: what the gateway has kept goes out. What has happened meanwhile nobody is told."""
        if self.degraded:
            self.degraded = False
            kept, self._kept = self._kept, []
            self._kept_orders.clear()
            for act in kept:
                act()
            self._tell_all(self.link_notice(up=True))

    def connect(self, client_id: int, listener: Listener) -> None:
        super().connect(client_id, listener)
        if self.degraded:
            listener((self.link_notice(up=False),))

    def remembered_positions(self) -> tuple[BrokerPosition, ...]:
        return self._positions_before[0] if self._positions_before else super().positions()

    def positions(self) -> tuple[BrokerPosition, ...]:
        return self._memory.positions if self.degraded else super().positions()

    def true_positions(self) -> tuple[BrokerPosition, ...]:
        """Whatever the gateway knows."""
        return super().positions()

    def replay(self, client_id: int) -> BrokerSnapshot:
        return _of_client(self._memory, client_id) if self.degraded else super().replay(client_id)

    # The market, one second at a time

    def tick(self) -> None:
        """New quotes; bars when five seconds are full; commissions that are late come now and then."""
        if self.frozen:
            return
        self._positions_before.append(super().positions())
        quotes = [self._quote(name) for name in INSTRUMENTS]
        full = self._now() // BAR * BAR
        bars = [self._bar(quote, full - BAR) for quote in quotes] if full > self._bars_until else []
        self._bars_until = full
        self.on_market(quotes, bars)
        if self._late and not self.degraded and (self._random.random() < 0.3 or not self.noise):
            late, self._late = self._late, []
            for client_id, commission in late:
                super()._tell(client_id, self._keep(commission))

    def _quote(self, name: str) -> Quote:
        step = self._random.choice((-2, -1, -1, 0, 1, 1, 2))
        tick = float(self._universe.instrument(name).tick_size)
        self._prices[name] = bid = round(max(self._prices[name] + step * tick, tick), 8)
        size = float(self._random.choice((0, 50, 100, 400)))
        return Quote(name, self._now(), bid, round(bid + tick, 8), size, size, bid)

    def _bar(self, quote: Quote, start: Nanos) -> Bar:
        return Bar(quote.instrument, start, BAR // SECOND, quote.mid, quote.mid, quote.mid, quote.mid, 100.0)

    # Faults

    def _tell_all(self, *news: News) -> None:
        if not self.degraded:
            super()._tell_all(*news)

    def _tell(self, client_id: int, *news: News) -> None:
        if self.degraded:
            return
        match news:
            case (Commission() as commission,):
                self._tell_commission(client_id, commission)
            case (Execution() as execution,):
                self._tell_execution(client_id, execution)
            case _:
                told = [item for item in news if not (isinstance(item, BrokerStatus) and self._is_faulty())]
                if told:
                    super()._tell(client_id, *told)

    def _is_faulty(self) -> bool:
        return bool(self.noise) and self._random.random() < self.noise

    def _tell_commission(self, client_id: int, commission: Commission) -> None:
        """Late, or before its execution, or as it should be."""
        overtaken = self._overtaken.pop(commission.exec_id, None)
        if overtaken is None and self._is_faulty():
            del self.commissions[commission.exec_id]
            self._late.append((client_id, commission))
            return
        super()._tell(client_id, commission)
        if overtaken is not None:
            super()._tell(*overtaken)

    def _tell_execution(self, client_id: int, execution: Execution) -> None:
        """Once, or twice, or after its commission."""
        if execution.exec_id in self.commissions and self._is_faulty():
            self._overtaken[execution.exec_id] = (client_id, execution)
            return
        super()._tell(client_id, execution)
        if self._is_faulty():
            super()._tell(client_id, execution)

    def be_quiet(self) -> None:
        """No more noise."""
        self.noise = 0.0

    def trade_by_hand(self, reference: str) -> None:
        """A person trades at the gateway, with an orderRef of any kind."""
        order = VenueOrder(
            perm_id=next(self.perm_ids),
            client_id=MASTER,
            order_id=-len(self.orders) - 1,
            account=ACCOUNT,
            instrument=self._random.choice(INSTRUMENTS),
            side=self._random.choice((Side.BUY, Side.SELL)),
            quantity=Decimal(self._random.randint(1, 100)),
            order_type=OrderType.MARKET,
            tif=TimeInForce.DAY,
            order_ref=reference,
            submitted=self._now(),
        )
        self.orders[MASTER, order.order_id] = order
        self.submit(order)

    def correct_something(self) -> None:
        """The broker takes an execution of a completed order back, or changes its price or quantity."""
        working = {order.perm_id for order in self.orders.values() if order.working}
        newest = {execution.family: execution for execution in self.executions}
        held = [execution for execution in newest.values() if execution.perm_id not in working]
        if not held:
            return
        old = self._random.choice(held)
        head, _, tail = old.exec_id.rpartition(".")
        quantity = self._random.choice((Decimal(0), old.quantity, max(old.quantity - 1, Decimal(0))))
        price = old.price + exact(self._random.choice((0, 1)))
        self.correct(old, replace(old, exec_id=f"{head}.{int(tail) + 1:02d}", quantity=quantity, price=price))

    def transfer_something(self) -> None:
        """Shares come in from another broker, or leave, and no execution says so."""
        instrument = self._random.choice(("SPY", "BAC"))
        quantity = Decimal(self._random.choice((-40, -3, 5, 60)))
        self._books[ACCOUNT].transfer(instrument, quantity, exact(self._prices[instrument]))
        self.transfers.append((instrument, quantity))
        self._tell_all(self._position(self._books[ACCOUNT], instrument))

    def hang_up_on_everybody(self) -> None:
        """All connections break; what is on the lines is lost."""
        for client_id in sorted(self._listeners):
            self.hang_up(client_id)

    def forget_clients(self) -> None:
        """All clients are gone at once, with their machine."""
        self._listeners.clear()


def _of_client(snapshot: BrokerSnapshot, client_id: int) -> BrokerSnapshot:
    """What a client may know of what client id 0 knows."""
    if client_id == MASTER:
        return snapshot
    executions = tuple(e for e in snapshot.executions if e.client_id == client_id)
    known = {execution.exec_id for execution in executions}
    return replace(
        snapshot,
        executions=executions,
        commissions=tuple(c for c in snapshot.commissions if c.exec_id in known),
        open_orders=tuple(order for order in snapshot.open_orders if order.client_id == client_id),
    )
