"""A connection to a simulated broker: what the rest of the system sees is what a connection to IB would show.

The broker itself, `mats.venue.brokerage.Brokerage`, is told the market by its owner and outlives every connection, as
a gateway does. What is on the line in either direction is lost when the connection ends. For virtual time only: the
broker speaks to all its connections in the caller's turn.
"""

import msgspec

from actors.broker import (
    FollowAccount,
    HistoryLoaded,
    InstrumentResolved,
    PositionsTaken,
    RequestHistory,
    ResolveInstrument,
    SubmitOrder,
    SubscribeMarket,
    TakePositions,
    Unresolved,
)
from actors.connection import Connection, Desks, Replayed
from mats.model.broker import AccountValue, BrokerError, BrokerOrder, BrokerPosition, BrokerStatus
from mats.model.executions import Commission, Execution
from mats.model.instrument import InstrumentId
from mats.model.market import Bar, Quote
from mats.model.orders import AccountId, OrderIntent
from mats.model.timestamp import SECOND
from mats.runtime import Ref
from mats.venue.brokerage import Brokerage, News

ACCOUNT_SECONDS = 60.0


class LineLost(Exception):
    """The broker hung up."""


class VenueLine(msgspec.Struct, frozen=True):
    """The line to a simulated broker; each way takes `latency` seconds."""

    broker: Brokerage
    latency: float = 0.0


class Arrive(msgspec.Struct, frozen=True):
    """What was sent is at the broker now."""

    request: object


class Hear(msgspec.Struct, frozen=True):
    """A packet of the broker is here now; none is the end of the line."""

    news: tuple[News, ...] | None


class Ask(msgspec.Struct, frozen=True):
    epoch: int
    asked_at: float


class Modify(msgspec.Struct, frozen=True):
    order_id: int
    intent: OrderIntent


class Cancel(msgspec.Struct, frozen=True):
    order_id: int


class ValueAccounts(msgspec.Struct, frozen=True):
    pass


class BacktestBroker(Connection):
    """One client id at the simulated broker."""

    def __init__(self, client_id: int, listeners: tuple[Ref, ...], timing: VenueLine, desks: Desks) -> None:
        super().__init__(client_id, listeners, desks)
        self._broker, self._latency = timing.broker, timing.latency

    def on_start(self) -> None:
        self._open = False
        self._bars: set[InstrumentId] = set()
        self._quotes: set[InstrumentId] = set()
        self._accounts_followed: set[AccountId] = set()
        super().on_start()
        self.every(ACCOUNT_SECONDS, ValueAccounts())

    def on_receive(self, message: object) -> object:
        match message:
            case Arrive(request=request):
                self._serve(request)
            case Hear(news=news):
                self._hear(news)
            case Replayed():
                self.merge(message)
            case FollowAccount(account=account):
                self._accounts_followed.add(account)
                self._value_accounts()
            case ValueAccounts():
                self._value_accounts()
            case SubscribeMarket(instrument=instrument, quotes=quotes):
                self._bars.add(instrument.id)
                if quotes:
                    self._quotes.add(instrument.id)
            case TakePositions() | ResolveInstrument() | RequestHistory():
                self._send(message)
            case _:
                return super().on_receive(message)
        return None

    # The near end of the line

    @property
    def connected(self) -> bool:
        return self._open

    def ask(self, epoch: int) -> None:
        """The first question opens the line."""
        if not self._open:
            self._broker.connect(self.client_id, self._listen)
            self._open = True
            self.up(self._broker.accounts, self._broker.next_order_id(self.client_id))
        self._send(Ask(epoch, self.clock.monotonic()))

    def place(self, order: SubmitOrder) -> None:
        self._send(order)

    def modify(self, order_id: int, intent: OrderIntent) -> None:
        self._send(Modify(order_id, intent))

    def cancel(self, order_id: int) -> None:
        self._send(Cancel(order_id))

    def _send(self, request: object) -> None:
        self.after(self._latency, Arrive(request))

    def _listen(self, news: tuple[News, ...] | None) -> None:
        """Called by the broker, in whosever turn it is: nothing happens here before the packet has travelled."""
        self.after(self._latency, Hear(news))

    def _value_accounts(self) -> None:
        for account in sorted(self._accounts_followed):
            self._listen(self._broker.account_values(account))

    # The far end of the line: what a request is to the broker, in this actor's turn

    def _serve(self, request: object) -> None:
        broker, client_id = self._broker, self.client_id
        match request:
            case SubmitOrder(order_id=order_id, intent=intent):
                broker.place(client_id, order_id, intent)
            case Modify(order_id=order_id, intent=intent):
                broker.modify(client_id, order_id, intent)
            case Cancel(order_id=order_id):
                broker.cancel(client_id, order_id)
            case Ask(epoch=epoch, asked_at=asked_at):
                self.after(self._latency, Replayed(broker.replay(client_id), epoch, asked_at))
            case TakePositions(reply_to=reply_to):
                reply_to.tell(PositionsTaken(broker.positions()))
            case ResolveInstrument(instrument=asked, reply_to=reply_to):
                found = broker.resolve(asked)
                unknown = Unresolved(asked.id, f"the simulated broker does not list {asked.id}; list it or drop it")
                reply_to.tell(unknown if found is None else InstrumentResolved(asked.id, found))
            case RequestHistory():
                request.reply_to.tell(self._history(request))

    def _history(self, request: RequestHistory) -> HistoryLoaded:
        """As many whole bars before now as there are."""
        name, end = request.instrument.id, self.clock.now()
        start = end - 2 * request.bar_seconds * request.count * SECOND
        bars = self._broker.bars(name, start, end, request.bar_seconds)
        return HistoryLoaded(name, tuple(bars[-request.count :]), complete=True)

    # A packet of the broker

    def _hear(self, news: tuple[News, ...] | None) -> None:
        if news is None:
            raise LineLost(f"{self.name} lost the simulated broker")
        packet = self.packet
        for item in news:
            match item:
                case Execution():
                    packet.executions.append(item)
                case Commission():
                    packet.commissions.append(item)
                case BrokerOrder() | BrokerStatus() | BrokerError():
                    packet.orders.append(item)
                case BrokerPosition():
                    packet.positions.append(item)
                case AccountValue():
                    packet.values.append(item)
                case Bar() if item.instrument in self._bars:
                    packet.bars.append(item)
                case Quote() if item.instrument in self._quotes:
                    packet.quotes.append(item)
        self.pass_on()

    def on_stop(self) -> None:
        self._broker.disconnect(self.client_id, self._listen)

    def on_failure(self, error: BaseException) -> None:
        self._broker.disconnect(self.client_id, self._listen)
