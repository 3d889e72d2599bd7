"""What every connection to a broker does alike, whichever broker is behind it.

A new epoch from the fill log, then the broker's complete answer, merged by the fill log; then the connection is ready
and says so. When the fill log was lost on the way, reports may have been lost with it: all of this begins anew, over
the same line.
"""

import msgspec

from actors.messages.broker import (
    AccountChanged,
    AmendOrder,
    CancelOrder,
    MarketNews,
    NotSent,
    OrderNews,
    PositionsChanged,
    Ready,
    Resync,
    SubmitOrder,
)
from actors.messages.fill_log import EpochOpened, OpenEpoch, ReplayMerged, ReportExecutions, ReportReplay
from mats.model.broker import AccountValue, BrokerError, BrokerOrder, BrokerPosition, BrokerStatus, Replay
from mats.model.executions import Commission, Execution
from mats.model.market import Bar, Quote
from mats.model.orders import AccountId, OrderIntent
from mats.runtime import Actor, Down, MailboxSpec, Ref, chaos

LOOK_SECONDS = 1.0
LOG_PATIENCE = 5.0
"""Seconds after which an unanswered fill log is asked again, under a new epoch."""


class Desks(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants which part of what the broker says."""

    fill_log: Ref
    orders: Ref
    portfolio: Ref
    market_data: Ref
    risk: Ref


class Replayed(msgspec.Struct, frozen=True):
    """The broker's complete answer to a question asked at `asked_at` (monotonic seconds) in `epoch`."""

    replay: Replay
    epoch: int
    asked_at: float


class LookAtLog(msgspec.Struct, frozen=True):
    pass


class Packet:
    """What one packet brought, sorted by who wants it."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        self.commissions: list[Commission] = []
        self.orders: list[BrokerOrder | BrokerStatus | BrokerError] = []
        self.positions: list[BrokerPosition] = []
        self.values: list[AccountValue] = []
        self.bars: list[Bar] = []
        self.quotes: list[Quote] = []


class Connection(Actor):
    """Base of the connections: a subclass owns the line to its broker.

    It calls `up` when the line is open, `merge` with each complete answer, and `pass_on` when `packet` is full.
    """

    mailbox = MailboxSpec(capacity=20_000, never_full=(SubmitOrder, AmendOrder, CancelOrder))

    def __init__(self, client_id: int, listeners: tuple[Ref, ...], desks: Desks) -> None:
        self.client_id, self.desks, self._listeners = client_id, desks, listeners

    # What a subclass provides

    def ask(self, epoch: int) -> None:
        """Open the line if that was not done yet, then ask the broker for everything; `merge` gets the answer."""
        raise TypeError(f"{type(self).__name__} does not say how it asks its broker")

    def place(self, order: SubmitOrder) -> None:
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
        self._merging: list[Replayed] = []
        self._waiting: list[ReportExecutions] | None = []
        self._asked_log: float | None = None
        self._open_epoch()
        self.every(LOOK_SECONDS, LookAtLog())

    def on_receive(self, message: object) -> object:
        match message:
            case SubmitOrder(session=session, intent=intent, reply_to=reply_to):
                if self._current(session):
                    self.place(message)
                else:
                    reply_to.tell(NotSent(intent.intent_id, "its connection was lost before it was sent"))
            case AmendOrder(session=session, order_id=order_id, intent=intent):
                if self._current(session):
                    self.modify(order_id, intent)
            case CancelOrder(session=session, order_id=order_id):
                if self._current(session):
                    self.cancel(order_id)
            case EpochOpened(epoch=epoch):
                self._enter(epoch)
            case ReplayMerged(epoch=epoch, through=through):
                if epoch == self._epoch:
                    self._announce(through)
            case Resync():
                if self._announced:
                    self.ask(self._epoch)
            case Down(name=self.desks.fill_log.name):
                self._open_epoch()
            case LookAtLog():
                self._look_at_log()
            case _:
                return super().on_receive(message)
        return None

    def _open_epoch(self) -> None:
        """Nothing that was reported so far is sure to be in the log: orders wait for a complete answer."""
        self._epoch = 0
        self._announced = False
        self._merging.clear()
        self._waiting = []
        self._asked_log = self.clock.monotonic()
        self.desks.fill_log.tell(OpenEpoch(self.name, self.ref))

    def _enter(self, epoch: int) -> None:
        self._asked_log = None
        if epoch > self._epoch:
            self._epoch = epoch
            self.watch(self.desks.fill_log)
            self.ask(epoch)

    def _look_at_log(self) -> None:
        if self._asked_log is not None and self.clock.monotonic() - self._asked_log >= LOG_PATIENCE:
            self._open_epoch()

    def up(self, accounts: tuple[AccountId, ...], next_order_id: int) -> None:
        """The line is open."""
        self._accounts, self._next_order_id = accounts, next_order_id

    def merge(self, replayed: Replayed) -> None:
        """Hand an answer to the log; one of an older epoch may lack what was reported, in vain, since it was asked."""
        if replayed.epoch != self._epoch:
            if self._epoch:
                self.ask(self._epoch)
            return
        self._merging.append(replayed)
        self._asked_log = self._asked_log or self.clock.monotonic()
        report = self._report(replayed.replay.executions, replayed.replay.commissions)
        chaos.point("connection: before the replay is reported")
        self.desks.fill_log.tell(ReportReplay(report=report, reply_to=self.ref))
        waiting, self._waiting = self._waiting or [], None
        for live in waiting:
            self.desks.fill_log.tell(live)

    def _announce(self, through: int) -> None:
        """Everything the broker knew is in the log: orders may come."""
        replayed = self._merging.pop(0)
        self._announced = True
        self._asked_log = self.clock.monotonic() if self._merging else None
        ready = Ready(
            connection=self.name,
            ref=self.ref,
            client_id=self.client_id,
            session=str(self._epoch),
            accounts=self._accounts,
            next_order_id=self._next_order_id,
            replay=replayed.replay,
            through=through,
            asked_at=replayed.asked_at,
        )
        for listener in self._listeners:
            listener.tell(ready)

    def _current(self, session: str) -> bool:
        return self._announced and session == str(self._epoch) and self.connected

    # What the broker says

    def pass_on(self) -> None:
        """Executions before order news: facts before hints."""
        packet, desks = self.packet, self.desks
        self.packet = Packet()
        if packet.executions or packet.commissions:
            chaos.point("connection: before executions are reported")
            self._tell_log(self._report(tuple(packet.executions), tuple(packet.commissions)))
        if packet.orders:
            chaos.point("connection: before order news")
            desks.orders.tell(OrderNews(self.client_id, str(self._epoch), tuple(packet.orders)))
        if packet.positions:
            desks.portfolio.tell(PositionsChanged(tuple(packet.positions)))
        if packet.values:
            desks.portfolio.tell(AccountChanged(tuple(packet.values)))
        if packet.bars:
            self.clock.advance(packet.bars[-1].end)
        if packet.bars or packet.quotes:
            desks.market_data.tell(MarketNews(tuple(packet.bars), tuple(packet.quotes)))

    def _tell_log(self, live: ReportExecutions) -> None:
        """What happens before the first answer of an epoch is there comes after it in the log, too."""
        if self._waiting is None:
            self.desks.fill_log.tell(live)
        elif self._epoch:
            self._waiting.append(live)

    def _report(self, executions: tuple[Execution, ...], commissions: tuple[Commission, ...]) -> ReportExecutions:
        return ReportExecutions(connection=self.name, epoch=self._epoch, executions=executions, commissions=commissions)
