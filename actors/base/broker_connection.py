"""The session of every broker connection, whichever broker is behind it.

A new epoch from the fill log, then the broker's snapshot, merged by the fill log; then the connection announces that it
is ready. When the fill log fails, reports may be lost with it: the session starts over on the same socket.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar, assert_never

import msgspec

from actors.base.fill_log_client import FillLogClient, Replayed
from actors.messages.addresses import (
    FillLogMessage,
    MarketDataMessage,
    OrderManagerMessage,
    PortfolioManagerMessage,
    RiskManagerMessage,
    SessionMessage,
)
from actors.messages.broker import (
    AccountChanged,
    CancelOrder,
    LinkChanged,
    MarketEvents,
    ModifyOrder,
    NotSent,
    OrderEvents,
    PositionsChanged,
    PositionsTaken,
    Ready,
    RequestSnapshot,
    SubmitOrder,
)
from actors.messages.fill_log import EpochOpened, ReplayMerged, ReplayProgressed, ReportHeld
from actors.messages.quarantine import ReportUndecoded
from mats.model import (
    AccountId,
    BrokerPosition,
    Execution,
    IntentId,
    Nanos,
    OrderIntent,
    Packet,
    UndecodedMessage,
    is_moment,
)
from mats.runtime import Actor, Down, MailboxSpec, Ref
from mats.runtime.testing import chaos

M = TypeVar("M")

CHECK_SECONDS = 1.0


class CheckFillLog(msgspec.Struct, frozen=True):
    pass


BaseMessage = SessionMessage | CheckFillLog | Down
"""Handled by every connection."""


class BrokerConnection(Actor[BaseMessage | M], Generic[M]):
    """Base of the connections: a subclass owns the line to its broker, and handles M.

    It calls `up` when the line is open, `merge` with each complete answer, and `pass_on` when `packet` is full.
    """

    mailbox = MailboxSpec(capacity=20_000, never_full=(SubmitOrder, ModifyOrder, CancelOrder))

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`listeners` are sent each `Ready`."""

        client_id: int
        listeners: tuple[Ref[Ready], ...]
        fill_log: Ref[FillLogMessage]
        orders: Ref[OrderManagerMessage]
        portfolio: Ref[PortfolioManagerMessage]
        market_data: Ref[MarketDataMessage]
        risk: Ref[RiskManagerMessage]

    def __init__(self, args: Args) -> None:
        self.client_id, self._listeners = args.client_id, args.listeners
        self._fill_log, self._orders, self._portfolio = args.fill_log, args.orders, args.portfolio
        self._market_data, self.risk = args.market_data, args.risk

    # What a subclass provides

    @abstractmethod
    def ask(self, epoch: int) -> None:
        """Open the line if that was not done yet, then request the broker's snapshot; `merge` gets it."""

    @abstractmethod
    def place(self, order_id: int, intent: OrderIntent) -> None:
        """Send a new order, and its children under the ids that follow."""

    @abstractmethod
    def modify(self, order_id: int, intent: OrderIntent, parent_id: int) -> None:
        """Send a working order again, as a child of its parent."""

    @abstractmethod
    def cancel(self, order_id: int) -> None:
        """Ask for a cancel."""

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the line is open, as far as this end knows."""

    @property
    @abstractmethod
    def degraded(self) -> bool:
        """Whether the gateway is cut off from the broker: it answers from its memory, which may lack fills."""

    # The fill log and the broker's snapshot

    def on_start(self) -> None:
        self.packet = Packet()
        self._announced = self._clock_doubted = False
        self._accounts: tuple[AccountId, ...] = ()
        self._next_order_id = 0
        self._client = FillLogClient(self, self._fill_log)
        self.every(CHECK_SECONDS, CheckFillLog())

    def on_base_message(self, message: BaseMessage) -> None:
        match message:
            case SubmitOrder(session=session, order_id=order_id, intent=intent):
                if self._current(session):
                    self.place(order_id, intent)
                else:
                    self.not_sent(intent.intent_id, "its connection was lost before it was sent")
            case ModifyOrder(session=session, order_id=order_id, intent=intent, parent_id=parent_id):
                if self._current(session):
                    self.modify(order_id, intent, parent_id)
            case CancelOrder(session=session, order_id=order_id):
                if self._current(session):
                    self.cancel(order_id)
            case EpochOpened(epoch=epoch):
                self._enter(epoch)
            case ReplayMerged(epoch=epoch, through=through):
                if epoch == self._client.epoch:
                    self._announce(through)
            case ReportHeld():
                self._client.held()
            case RequestSnapshot():
                if self._announced:
                    self.ask(self._client.epoch)
            case Down():  # the fill log
                self._start_over()
            case CheckFillLog():
                if self._client.silent:
                    self._start_over()
            case _:
                assert_never(message)

    def _start_over(self) -> None:
        """Reports may be missing in the log: no orders until it has merged a new snapshot."""
        self._announced = False
        self._client.open()

    def _enter(self, epoch: int) -> None:
        if self._client.enter(epoch):
            self.watch(self._fill_log)
            self.ask(epoch)

    def up(self, accounts: tuple[AccountId, ...], next_order_id: int) -> None:
        """The line is open."""
        self._accounts, self._next_order_id = accounts, next_order_id

    def merge(self, replayed: Replayed) -> None:
        """Report a snapshot to the log; one that was requested in an older epoch may lack executions, so ask again."""
        epoch = self._client.epoch
        if replayed.epoch == epoch:
            self._client.report_answer(replayed)
        elif epoch:
            self.ask(epoch)

    def report_progress(self, executions: int) -> None:
        """So many have come of a snapshot that is under way: for people, who look at the log's progress."""
        self._fill_log.offer(ReplayProgressed(self.name, executions))

    def keep(self, executions: Sequence[Execution]) -> None:
        """The line is lost with a snapshot that is not finished: the executions that have come of it are not."""
        self._client.keep(executions)

    def _announce(self, through: int) -> None:
        """The snapshot is in the log: orders may be sent."""
        replayed = self._client.pop_acknowledged()
        self._announced = True
        if self.degraded:  # risk may have started anew, and not know it
            self.report_link(up=False, reason="the gateway is cut off from the broker")
        ready = Ready(
            connection=self.name,
            ref=self.ref,
            client_id=self.client_id,
            session=str(self._client.epoch),
            accounts=self._accounts,
            next_order_id=self._next_order_id,
            replay=replayed.replay,
            through=through,
            asked_at=replayed.asked_at,
            linked=replayed.linked and not self.degraded,
            unsent=replayed.unsent,
        )
        for listener in self._listeners:
            listener.tell(ready)

    def _current(self, session: str) -> bool:
        return self._announced and session == str(self._client.epoch) and self.connected

    def not_sent(self, intent_id: IntentId, reason: str) -> None:
        """An order that did not leave this process, and never will; nor will its children."""
        self._orders.tell(NotSent(intent_id, reason))

    # The gateway's own link to the broker

    def report_link(self, *, up: bool, reason: str) -> None:
        """Tell risk: while the link is down no new risk is taken."""
        self.risk.tell(LinkChanged(self.name, up, reason))

    def answer_positions(self, reply_to: Ref[PositionsTaken], positions: tuple[BrokerPosition, ...]) -> None:
        """What a gateway remembers that is cut off from the broker may lack fills: that is no answer."""
        if not self.degraded:
            reply_to.tell(PositionsTaken(positions))

    # Events of the broker

    def pass_on(self) -> None:
        """Executions before order events: those carry no quantities that count."""
        packet, self.packet = self.packet, Packet()
        if packet.executions or packet.commissions:
            chaos.point("connection: before executions are reported")
            self._client.report(tuple(packet.executions), tuple(packet.commissions))
        if packet.orders:
            chaos.point("connection: before order events")
            self._orders.tell(OrderEvents(self.client_id, str(self._client.epoch), tuple(packet.orders)))
        if packet.positions:
            self._portfolio.tell(PositionsChanged(tuple(packet.positions)))
        if packet.values:
            self._portfolio.tell(AccountChanged(tuple(packet.values)))
        bars = tuple(bar for bar in packet.bars if self.advance_clock(bar.end))
        if bars or packet.quotes:
            self._market_data.tell(MarketEvents(bars, tuple(packet.quotes)))

    def advance_clock(self, told: Nanos) -> bool:
        """Follow the broker's clock, which never goes back; whether this can be an instant: far ahead is a mistake.

        A bar that was taken from the far future would make every later one a late one.
        """
        plausible = is_moment(told, self.clock.now())
        if plausible:
            self.clock.advance(told)
        elif not self._clock_doubted:
            self._clock_doubted = True
            self.log.error("the broker's clock is far ahead and is not followed; set the gateway's clock", time=told)
        return plausible

    def report_undecoded(self, message: UndecodedMessage) -> None:
        """What cannot be used goes into quarantine."""
        self._fill_log.tell(ReportUndecoded(self.name, message))
