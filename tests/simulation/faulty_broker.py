"""The simulated broker with the habits of real gateways: repeated, late and missing news, corrections, hang-ups."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from msgspec.structs import replace

from mats.model.broker_reports import BrokerStatus
from mats.model.executions import Commission, Execution
from mats.model.market_data import Bar, Quote
from mats.model.money import exact
from mats.model.orders import OrderIntent, OrderType, Side, TimeInForce
from mats.model.packet import BrokerEvent
from mats.model.timestamp import SECOND, Nanos
from mats.venue.markets.universe import default_universe
from mats.venue.matching.orders import VenueOrder
from tests.simulation.brokerage import MASTER, Brokerage

ACCOUNT = "DU1"
INSTRUMENTS = ("SPY", "BAC", "EURUSD")
BAR: Nanos = 5 * SECOND


class FaultyBroker(Brokerage):
    """`faults` is the probability of each fault of the news; `arriving` is asked about each order that arrives."""

    def __init__(self, seed: int, now: Callable[[], Nanos]) -> None:
        super().__init__(default_universe(), {ACCOUNT: Decimal(10_000_000)}, now)
        self._random = Random(f"broker/{seed}")
        self._prices = {name: default_universe().listing(name).price for name in INSTRUMENTS}
        self._late: list[tuple[int, Commission]] = []
        self._bars_until: Nanos = 0
        self.transfers: list[tuple[str, Decimal]] = []
        self.faults = 0.0
        self.frozen = False
        self.arriving: Callable[[OrderIntent], None] = lambda intent: None

    def place(self, client_id: int, order_id: int, intent: OrderIntent) -> None:
        self.arriving(intent)
        super().place(client_id, order_id, intent)

    # The market, one second at a time

    def tick(self) -> None:
        """New quotes; bars when five seconds are full; commissions that are late come now and then."""
        if self.frozen:
            return
        quotes = [self._quote(name) for name in INSTRUMENTS]
        full = self._now() // BAR * BAR
        bars = [self._bar(quote, full - BAR) for quote in quotes] if full > self._bars_until else []
        self._bars_until = full
        self.on_market(quotes, bars)
        if self._late and (self._random.random() < 0.3 or not self.faults):
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

    def _tell(self, client_id: int, *news: BrokerEvent) -> None:
        chance = self._random.random
        told = [item for item in news if not (isinstance(item, BrokerStatus) and chance() < self.faults)]
        if len(told) == 1 and isinstance(told[0], Commission) and chance() < self.faults:
            del self.commissions[told[0].exec_id]
            self._late.append((client_id, told[0]))
            return
        if told:
            super()._tell(client_id, *told)
        if any(isinstance(item, Execution) for item in told) and chance() < self.faults:
            super()._tell(client_id, *told)

    def trade_by_hand(self) -> None:
        """A person trades at the gateway, without an orderRef."""
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

    def hang_up_on_somebody(self) -> None:
        """A connection breaks; what is on the line is lost."""
        if self._listeners:
            self.hang_up(self._random.choice(sorted(self._listeners)))

    def forget_clients(self) -> None:
        """All clients are gone at once, with their machine."""
        self._listeners.clear()
