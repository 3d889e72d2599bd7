"""What every connection to a broker does alike, whichever broker is behind it.

A new epoch from the fill log, then the broker's complete answer, merged by the fill log; then the connection is ready
and says so. When the fill log was lost on the way, reports may have been lost with it: all of this begins anew, over
the same line.
"""

import msgspec

from actors.base.fill_log_client import FillLogClient, Replayed
from actors.messages.broker import (
    AccountChanged,
    CancelOrder,
    MarketEvents,
    ModifyOrder,
    NotSent,
    OrderEvents,
    PositionsChanged,
    Ready,
    RequestSnapshot,
    SubmitOrder,
)
from actors.messages.fill_log import EpochOpened, ReplayMerged
from mats.model import AccountId, IntentId, OrderIntent, Packet
from mats.runtime import Actor, Down, MailboxSpec, Ref, chaos

LOOK_SECONDS = 1.0


class ConnectionRefs(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants which part of what the broker says."""

    fill_log: Ref
    orders: Ref
    portfolio: Ref
    market_data: Ref
    risk: Ref


class LookAtLog(msgspec.Struct, frozen=True):
    pass


class BrokerConnection(Actor):
    """Base of the connections: a subclass owns the line to its broker.

    It calls `up` when the line is open, `merge` with each complete answer, and `pass_on` when `packet` is full.
    """

    mailbox = MailboxSpec(capacity=20_000, never_full=(SubmitOrder, ModifyOrder, CancelOrder))

    def __init__(self, client_id: int, listeners: tuple[Ref, ...], desks: ConnectionRefs) -> None:
        self.client_id, self.desks, self._listeners = client_id, desks, listeners

    # What a subclass provides

    def ask(self, epoch: int) -> None:
        """Open the line if that was not done yet, then ask the broker for everything; `merge` gets the answer."""
        raise TypeError(f"{type(self).__name__} does not say how it asks its broker")

    def place(self, order_id: int, intent: OrderIntent) -> None:
        """Send a new order."""
        raise TypeError(f"{type(self).__name__} does not say how it places orders")

    def modify(self, order_id: int, intent: OrderIntent) -> None:
        """Send a working order again."""
        raise TypeError(f"{type(self).__name__} does not say how it changes orders")

    def cancel(self, order_id: int) -> None:
        """Ask for a cancel."""
        raise TypeError(f"{type(self).__name__} does not say how it cancels orders")

    @property
    def connected(self) -> bool:
        """Whether the line stands, as far as this end knows."""
        raise TypeError(f"{type(self).__name__} does not say whether it is connected")

    # The fill log and the broker's complete answer

    def on_start(self) -> None:
        self.packet = Packet()
        self._announced = False
        self._accounts: tuple[AccountId, ...] = ()
        self._next_order_id = 0
        self._log_link = FillLogClient(self, self.desks.fill_log)
        self.every(LOOK_SECONDS, LookAtLog())

    def on_receive(self, message: object) -> object:
        match message:
            case SubmitOrder(session=session, order_id=order_id, intent=intent):
                if self._current(session):
                    self.place(order_id, intent)
                else:
                    self.not_sent(intent.intent_id, "its connection was lost before it was sent")
            case ModifyOrder(session=session, order_id=order_id, intent=intent):
                if self._current(session):
                    self.modify(order_id, intent)
            case CancelOrder(session=session, order_id=order_id):
                if self._current(session):
                    self.cancel(order_id)
            case EpochOpened(epoch=epoch):
                self._enter(epoch)
            case ReplayMerged(epoch=epoch, through=through):
                if epoch == self._log_link.epoch:
                    self._announce(through)
            case RequestSnapshot():
                if self._announced:
                    self.ask(self._log_link.epoch)
            case Down(name=self.desks.fill_log.name):
                self._begin_anew()
            case LookAtLog():
                if self._log_link.silent:
                    self._begin_anew()
            case _:
                return super().on_receive(message)
        return None

    def _begin_anew(self) -> None:
        """The log may lack what was reported so far: orders wait for a complete answer."""
        self._announced = False
        self._log_link.open()

    def _enter(self, epoch: int) -> None:
        if self._log_link.enter(epoch):
            self.watch(self.desks.fill_log)
            self.ask(epoch)

    def up(self, accounts: tuple[AccountId, ...], next_order_id: int) -> None:
        """The line is open."""
        self._accounts, self._next_order_id = accounts, next_order_id

    def merge(self, replayed: Replayed) -> None:
        """Hand an answer to the log; one of an older epoch may lack what was reported, in vain, since it was asked."""
        epoch = self._log_link.epoch
        if replayed.epoch == epoch:
            self._log_link.report_answer(replayed)
        elif epoch:
            self.ask(epoch)

    def _announce(self, through: int) -> None:
        """Everything the broker knew is in the log: orders may come."""
        replayed = self._log_link.take_merged()
        self._announced = True
        ready = Ready(
            connection=self.name,
            ref=self.ref,
            client_id=self.client_id,
            session=str(self._log_link.epoch),
            accounts=self._accounts,
            next_order_id=self._next_order_id,
            replay=replayed.replay,
            through=through,
            asked_at=replayed.asked_at,
        )
        for listener in self._listeners:
            listener.tell(ready)

    def _current(self, session: str) -> bool:
        return self._announced and session == str(self._log_link.epoch) and self.connected

    def not_sent(self, intent_id: IntentId, reason: str) -> None:
        """An order that did not leave this process, and never will."""
        self.desks.orders.tell(NotSent(intent_id, reason))

    # What the broker says

    def pass_on(self) -> None:
        """Executions before order news: facts before hints."""
        packet, desks = self.packet, self.desks
        self.packet = Packet()
        if packet.executions or packet.commissions:
            chaos.point("connection: before executions are reported")
            self._log_link.report(tuple(packet.executions), tuple(packet.commissions))
        if packet.orders:
            chaos.point("connection: before order news")
            desks.orders.tell(OrderEvents(self.client_id, str(self._log_link.epoch), tuple(packet.orders)))
        if packet.positions:
            desks.portfolio.tell(PositionsChanged(tuple(packet.positions)))
        if packet.values:
            desks.portfolio.tell(AccountChanged(tuple(packet.values)))
        if packet.bars:
            self.clock.advance(packet.bars[-1].end)
        if packet.bars or packet.quotes:
            desks.market_data.tell(MarketEvents(tuple(packet.bars), tuple(packet.quotes)))
