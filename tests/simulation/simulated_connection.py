"""A connection to a simulated broker: what the rest of the system sees is what a connection to IB would show.

The broker itself, `tests.simulation.brokerage.Brokerage`, is told the market by its owner and outlives every
connection, as a gateway does. What is on the line in either direction is lost when the connection ends. For virtual
time only: the broker speaks to all its connections in the caller's turn.
"""

from collections.abc import Callable

import msgspec

from actors.base import BaseMessage, BrokerConnection, Refs, Replayed
from actors.messages.addresses import ORDERS
from actors.messages.broker import (
    CancelOrder,
    HistoryLoaded,
    InstrumentResolved,
    ModifyOrder,
    OrderAction,
    Ready,
    RequestHistory,
    RequestSnapshot,
    ResolveInstrument,
    ResubscribeMarket,
    SubmitOrder,
    SubscribeAccount,
    SubscribeMarket,
    TakePositions,
    Unresolved,
)
from actors.messages.ib_pool import connection_name
from actors.tree import RECONNECT
from mats.model import SECOND, AccountId, Bar, BrokerEvent, Instrument, InstrumentId, OrderIntent, Quote
from mats.runtime import ChildSpec, Ref, Spec
from tests.simulation.brokerage import LinkNotice, News
from tests.simulation.line import LineLost, VenueLine

ACCOUNT_SECONDS = 60.0


class Arrive(msgspec.Struct, frozen=True):
    """What was sent is at the broker now: let it act."""

    act: Callable[[], object]


class Hear(msgspec.Struct, frozen=True):
    """A packet of the broker is here now; none is the end of the line."""

    news: tuple[News, ...] | None


class Late(msgspec.Struct, frozen=True):
    """An action whose sender was preempted before it was sent; an incarnation that has ended sends nothing more."""

    action: OrderAction
    sender: int | None


class ValueAccounts(msgspec.Struct, frozen=True):
    pass


VenueMessage = (
    Arrive
    | Hear
    | ValueAccounts
    | Late
    | Replayed
    | SubscribeAccount
    | SubscribeMarket
    | ResubscribeMarket
    | TakePositions
    | ResolveInstrument
    | RequestHistory
)


class SimulatedConnection(BrokerConnection[VenueMessage]):
    """One client id at the simulated broker."""

    class Args(BrokerConnection.Args, frozen=True, kw_only=True):
        timing: VenueLine

    def __init__(self, args: Args) -> None:
        super().__init__(args)
        self._line, self._broker = args.timing, args.timing.broker

    def on_start(self) -> None:
        self._open = self._cut_off = False
        self._out_until = self._in_until = 0.0
        self._link_notice = 0
        self.defer(self._hang_up)
        self._bars: set[InstrumentId] = set()
        self._quotes: set[InstrumentId] = set()
        self._accounts_followed: set[AccountId] = set()
        super().on_start()
        self.every(ACCOUNT_SECONDS, ValueAccounts())

    def on_receive(self, message: VenueMessage | BaseMessage) -> None:
        match message:
            case Arrive(act=act):
                act()
            case Hear(news=news):
                self._hear(news)
            case Replayed():
                self.merge(message)
            case SubscribeAccount(account=account):
                self._accounts_followed.add(account)
                self._value_accounts()
            case ValueAccounts():
                self._value_accounts()
            case SubscribeMarket(instrument=instrument, quotes=quotes):
                self._bars.add(instrument.id)
                if quotes:
                    self._quotes.add(instrument.id)
            case ResubscribeMarket():
                return  # a simulated stream never ends before its connection
            case TakePositions():
                self._send(lambda: self.answer_positions(message.reply_to, self._broker.positions()))
            case ResolveInstrument():
                self._send(lambda: message.reply_to.tell(self._resolve(message.instrument)))
            case RequestHistory():
                self._send(lambda: message.reply_to.tell(self._history(message)))
            case SubmitOrder() | ModifyOrder() | CancelOrder() if self._line.preemption:
                self.after(self._line.preemption, Late(message, self.runtime.ref(ORDERS).incarnation))
            case SubmitOrder() | ModifyOrder() | CancelOrder():
                self._act(message)
            case Late(action=action, sender=sender):
                if sender == self.runtime.ref(ORDERS).incarnation:
                    self._act(action)
            case _:
                self.on_base_message(message)

    def _act(self, action: OrderAction) -> None:
        self._action = action
        self.on_base_message(action)

    # The near end of the line

    @property
    def connected(self) -> bool:
        return self._open

    @property
    def degraded(self) -> bool:
        return self._cut_off

    def ask(self, epoch: int) -> None:
        """The first question opens the line."""
        if not self._open:
            self._broker.connect(self.client_id, self._listen)
            self._open = True
            if not self._broker.degraded:
                self.report_link(up=True, reason="connected")
            self.up(self._broker.accounts, self._broker.next_order_id(self.client_id))
        asked_at = self.clock.monotonic()
        self._send(lambda: self._answer(epoch, asked_at))

    def place(self, order_id: int, intent: OrderIntent) -> None:
        self._send_action(lambda: self._broker.place(self.client_id, order_id, intent))

    def modify(self, order_id: int, intent: OrderIntent, parent_id: int) -> None:
        self._send_action(lambda: self._broker.modify(self.client_id, order_id, intent))

    def cancel(self, order_id: int) -> None:
        self._send_action(lambda: self._broker.cancel(self.client_id, order_id))

    def _send_action(self, act: Callable[[], object]) -> None:
        self._line.going_out(self.client_id, str(self._client.epoch), self._action)
        if self._line.delay(self.client_id) is not None:
            self._send(self._line.leave(self.client_id, act))

    def _send(self, act: Callable[[], object]) -> None:
        """What was sent first arrives first."""
        if (delay := self._line.delay(self.client_id)) is not None:
            self._out_until = max(self._out_until, self.clock.monotonic() + delay)
            self.after(self._out_until - self.clock.monotonic(), Arrive(act))

    def _listen(self, news: tuple[News, ...] | None) -> None:
        """Called by the broker, in whosever turn it is: nothing happens here before the packet has travelled."""
        if news is None:
            self.after(0.0, Hear(None))
            return
        for more in self._line.delays(self.client_id):
            self._receive(Hear(news), more)

    def _receive(self, message: Hear | Replayed, more: float = 0.0) -> None:
        """It comes after what came before; `more` seconds later still, if others overtake it."""
        if (delay := self._line.delay(self.client_id)) is not None:
            self._in_until = max(self._in_until, self.clock.monotonic() + delay)
            self.after(self._in_until - self.clock.monotonic() + more, message)

    def _value_accounts(self) -> None:
        for account in sorted(self._accounts_followed):
            self._listen(self._broker.account_values(account))

    # The far end of the line: what the broker answers, in this actor's turn

    def _answer(self, epoch: int, asked_at: float) -> None:
        linked = not self._broker.degraded
        self._receive(Replayed(self._broker.replay(self.client_id), epoch, asked_at, linked))

    def _resolve(self, asked: Instrument) -> InstrumentResolved | Unresolved:
        found = self._broker.resolve(asked)
        if found is None:
            return Unresolved(asked.id, f"the simulated broker does not list {asked.id}; list it or drop it")
        return InstrumentResolved(asked.id, found)

    def _history(self, request: RequestHistory) -> HistoryLoaded:
        """As many whole bars before now as there are."""
        name, end = request.instrument.id, self.clock.now()
        start = end - 2 * request.bar_seconds * request.count * SECOND
        bars = self._broker.bars(name, start, end, request.bar_seconds)
        return HistoryLoaded(
            name,
            tuple(bars[-request.count :]),
            complete=True,
            bar_seconds=request.bar_seconds,
            count=request.count,
        )

    # A packet of the broker

    def _hear(self, news: tuple[News, ...] | None) -> None:
        if news is None:
            raise LineLost(f"{self.name} lost the simulated broker")
        for item in news:
            if isinstance(item, LinkNotice):
                self._on_link(item)
            elif self._wanted(item):
                self.packet.add(item)
        self.pass_on()

    def _on_link(self, notice: LinkNotice) -> None:
        """As at a connection to IB; a state that a newer one has overtaken is over."""
        if notice.number <= self._link_notice:
            return
        self._link_notice = notice.number
        self._cut_off = not notice.up
        self.report_link(up=notice.up, reason="restored" if notice.up else "the simulated link is down")
        if notice.up:
            self.ref.tell(RequestSnapshot())

    def _wanted(self, news: BrokerEvent) -> bool:
        match news:
            case Bar(instrument=instrument):
                return instrument in self._bars
            case Quote(instrument=instrument):
                return instrument in self._quotes
        return True

    def _hang_up(self) -> None:
        self._broker.disconnect(self.client_id, self._listen)
        self._line.forget(self.client_id)


def simulated_connection(line: VenueLine, refs: Refs, listeners: tuple[Ref[Ready], ...], client_id: int) -> Spec:
    """The spec of a connection to a simulated broker; with `line` bound it is a `MakeConnection`."""
    args = SimulatedConnection.Args(
        timing=line,
        client_id=client_id,
        listeners=listeners,
        fill_log=refs.fill_log,
        orders=refs.orders,
        portfolio=refs.portfolio,
        market_data=refs.market_data,
        risk=refs.risk,
    )
    return ChildSpec(
        name=connection_name(client_id), actor=SimulatedConnection, args=args, backoff=RECONNECT, over_limit="keep"
    )
