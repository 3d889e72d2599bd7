"""One connection to TWS or IB Gateway: one client id, one socket, one asyncio loop.

Life of an incarnation: a new epoch from the fill log, the socket, the broker's complete answer, merged by the fill log;
then it is ready and says so. A lost or silent gateway is a failure: the supervisor makes the next incarnation, later.
"""

import msgspec

from actors.broker import (
    AccountChanged,
    AmendOrder,
    CancelOrder,
    FollowAccount,
    HistoryLoaded,
    InstrumentResolved,
    LinkChanged,
    MarketNews,
    NotSent,
    OrderNews,
    PositionsChanged,
    PositionsTaken,
    Ready,
    RequestHistory,
    ResolveInstrument,
    Resync,
    SubmitOrder,
    SubscribeMarket,
    TakePositions,
    Unresolved,
)
from actors.fill_log import EpochOpened, OpenEpoch, ReplayMerged, ReportExecutions, ReportReplay
from mats.ib import events as ib
from mats.ib.errors import ConnectionLost, RequestFailed
from mats.ib.handshake import Opened
from mats.ib.replaying import ExecutionsEnd
from mats.ib.session import Session
from mats.model.broker import AccountValue, BrokerError, BrokerOrder, BrokerPosition, BrokerStatus, Replay
from mats.model.executions import Commission, Execution
from mats.model.instrument import Instrument
from mats.model.market import Bar, Quote
from mats.runtime import Actor, MailboxSpec, Ref


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway is, and how long it may take; seconds."""

    host: str
    port: int
    connect_timeout: float
    replay_timeout: float
    heartbeat: float


class Desks(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants which part of what the broker says."""

    fill_log: Ref
    orders: Ref
    portfolio: Ref
    market_data: Ref
    risk: Ref


class ReadBroker(msgspec.Struct, frozen=True):
    """Asks for the broker's complete answer, as a `Replay`."""


class Beat(msgspec.Struct, frozen=True):
    pass


class Connected(msgspec.Struct, frozen=True):
    opened: Opened
    replay: Replay
    asked_at: float


class Replayed(msgspec.Struct, frozen=True):
    replay: Replay
    asked_at: float


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


class IbConnection(Actor):
    """Owns one `Session`. What it announces and streams depends on what it is asked for, not on who it is."""

    host = "loop"
    mailbox = MailboxSpec(capacity=20_000, never_full=(SubmitOrder, AmendOrder, CancelOrder))

    def __init__(self, client_id: int, listeners: tuple[Ref, ...], timing: Timing, desks: Desks) -> None:
        self._client_id, self._listeners, self._timing, self._desks = client_id, listeners, timing, desks

    def on_start(self) -> None:
        self._epoch = 0
        self._orders: dict[int, SubmitOrder] = {}
        self._packet = Packet()
        self._merging: list[Replayed] = []
        self._opened: Opened | None = None
        self._announced = False
        self._ending = False
        self._session = Session(self._client_id, self._hear, clock=self.clock.now, monotonic=self.clock.monotonic)
        self._desks.fill_log.tell(OpenEpoch(self.name, self.ref))

    def on_receive(self, message: object) -> object:
        match message:
            case SubmitOrder():
                self._submit(message)
            case AmendOrder(session=session, order_id=order_id, intent=intent):
                if self._current(session):
                    self._session.modify(order_id, intent)
            case CancelOrder(session=session, order_id=order_id):
                if self._current(session):
                    self._session.cancel(order_id)
            case EpochOpened(epoch=epoch):
                self._epoch = epoch
                self.spawn_task(self._open())
            case Connected():
                self._opened = message.opened
                self._merge(Replayed(message.replay, message.asked_at))
                self.every(self._timing.heartbeat, Beat())
            case Replayed():
                self._merge(message)
            case ReplayMerged(epoch=epoch, through=through):
                if epoch == self._epoch:
                    self._announce(through)
            case Resync():
                if self._announced:
                    self.spawn_task(self._replay())
            case SubscribeMarket(instrument=instrument, quotes=quotes):
                self._subscribe(instrument, quotes)
            case FollowAccount(account=account):
                self._session.subscribe_account(account)
            case ReadBroker():
                return self._answer()
            case TakePositions(reply_to=reply_to):
                self.spawn_task(self._positions(), lambda o: reply_to.tell(o.result()))
            case ResolveInstrument(instrument=instrument, reply_to=reply_to):
                self.spawn_task(self._resolve(instrument, reply_to))
            case RequestHistory():
                self.spawn_task(self._load(message))
            case Beat():
                self.spawn_task(self._beat())
            case _:
                return super().on_receive(message)
        return None

    # Opening, and the broker's complete answer

    async def _open(self) -> Connected:
        timing = self._timing
        opened = await self._session.connect(timing.host, timing.port, timing.connect_timeout)
        replayed = await self._replay()
        return Connected(opened, replayed.replay, replayed.asked_at)

    async def _replay(self) -> Replayed:
        asked_at = self.clock.monotonic()
        replay = await self._session.replay(self._timing.replay_timeout, ExecutionsEnd.SILENCE_IF_IDLE)
        return Replayed(replay, asked_at)

    async def _answer(self) -> Replay:
        return (await self._replay()).replay

    async def _positions(self) -> PositionsTaken:
        return PositionsTaken(await self._session.positions(self._timing.replay_timeout))

    def _merge(self, replayed: Replayed) -> None:
        self._merging.append(replayed)
        replay = replayed.replay
        self._desks.fill_log.tell(
            ReportReplay(report=self._report(replay.executions, replay.commissions), reply_to=self.ref)
        )

    def _announce(self, through: int) -> None:
        """Everything the broker knew is in the log: orders may come."""
        replayed = self._merging.pop(0)
        assert self._opened is not None, "a replay was merged before the session was open"
        self._announced = True
        ready = Ready(
            connection=self.name,
            ref=self.ref,
            client_id=self._client_id,
            session=str(self._epoch),
            accounts=self._opened.accounts,
            next_order_id=self._opened.next_order_id,
            replay=replayed.replay,
            through=through,
            asked_at=replayed.asked_at,
        )
        for listener in self._listeners:
            listener.tell(ready)

    async def _beat(self) -> None:
        """A gateway that does not answer is dead, whatever its socket says: the error is this actor's failure."""
        self.clock.advance(await self._session.server_time(2 * self._timing.heartbeat))

    # Orders

    def _current(self, session: str) -> bool:
        return self._announced and session == str(self._epoch) and self._session.connected

    def _submit(self, order: SubmitOrder) -> None:
        if not self._current(order.session):
            order.reply_to.tell(NotSent(order.intent.intent_id, "its connection was lost before it was sent"))
            return
        self._orders[order.order_id] = order
        self._session.place(order.order_id, order.intent)

    # What the session says

    def _hear(self, event: ib.SessionEvent) -> None:
        packet = self._packet
        match event:
            case ib.QuoteReported(quote=quote):
                packet.quotes.append(quote)
            case ib.BarReported(bar=bar):
                packet.bars.append(bar)
            case ib.ExecutionReported(execution=execution, live=True):
                packet.executions.append(execution)
            case ib.CommissionReported(commission=commission):
                packet.commissions.append(commission)
            case ib.OrderReported(order=order):
                packet.orders.append(order)
            case ib.OrderStatusReported(status=status):
                packet.orders.append(status)
            case ib.ErrorReported(error=error):
                self._hear_error(event, error)
            case ib.PositionReported(position=position):
                packet.positions.append(position)
            case ib.AccountValueReported(value=value):
                packet.values.append(value)
            case ib.PacketEnd():
                self._pass_on()
            case ib.LinkDegraded(reason=reason):
                self._tell_link(up=False, reason=reason)
            case ib.LinkRestored(data_lost=data_lost):
                if data_lost:
                    self._session.resubscribe_all()
                self._tell_link(up=True, reason="restored")
                self.ref.tell(Resync())
            case ib.SessionLost(reason=reason, unsent=unsent):
                self._lose(reason, unsent)
            case ib.DecodeFailed(text=text):
                self.log.error("a message of the broker could not be understood; asking for everything", text=text)
                self.ref.tell(Resync())
            case ib.ExecutionReported():
                return  # part of a replay, which is merged as a whole

    def _hear_error(self, event: ib.ErrorReported, error: BrokerError) -> None:
        if error.request_id in self._orders:
            self._packet.orders.append(error)
        else:
            self.log.info("broker notice", code=error.code, text=error.text, instrument=event.instrument)

    def _pass_on(self) -> None:
        """Executions before order news: facts before hints."""
        packet, desks = self._packet, self._desks
        self._packet = Packet()
        if packet.executions or packet.commissions:
            desks.fill_log.tell(self._report(tuple(packet.executions), tuple(packet.commissions)))
        if packet.orders:
            desks.orders.tell(OrderNews(self._client_id, str(self._epoch), tuple(packet.orders)))
        if packet.positions:
            desks.portfolio.tell(PositionsChanged(tuple(packet.positions)))
        if packet.values:
            desks.portfolio.tell(AccountChanged(tuple(packet.values)))
        if packet.bars:
            self.clock.advance(packet.bars[-1].end)
        if packet.bars or packet.quotes:
            desks.market_data.tell(MarketNews(tuple(packet.bars), tuple(packet.quotes)))

    def _report(self, executions: tuple[Execution, ...], commissions: tuple[Commission, ...]) -> ReportExecutions:
        return ReportExecutions(connection=self.name, epoch=self._epoch, executions=executions, commissions=commissions)

    def _tell_link(self, *, up: bool, reason: str) -> None:
        self._desks.risk.tell(LinkChanged(self.name, up, reason))

    def _lose(self, reason: str, unsent: tuple[ib.Unsent, ...]) -> None:
        for order in unsent:
            if order.action == "place" and order.order_id in self._orders:
                submitted = self._orders[order.order_id]
                submitted.reply_to.tell(NotSent(submitted.intent.intent_id, reason))
        if not self._ending:
            self.fail(ConnectionLost(f"{self.name} lost the gateway: {reason}"))

    # Questions of others

    def _subscribe(self, instrument: Instrument, quotes: bool) -> None:
        self._session.subscribe_bars(instrument)
        if quotes:
            self._session.subscribe_quotes(instrument)

    async def _resolve(self, instrument: Instrument, reply_to: Ref) -> None:
        try:
            reply_to.tell(InstrumentResolved(instrument.id, await self._session.resolve(instrument)))
        except RequestFailed as error:
            reply_to.tell(Unresolved(instrument.id, str(error)))

    async def _load(self, request: RequestHistory) -> None:
        """The span is asked for twice over, because markets close; what is too much is cut off."""
        span = 2 * request.bar_seconds * request.count
        try:
            history = await self._session.history(request.instrument, request.bar_seconds, span)
            loaded = HistoryLoaded(request.instrument.id, history.bars[-request.count :], complete=True)
        except (RequestFailed, ValueError) as error:
            loaded = HistoryLoaded(request.instrument.id, (), complete=False, reason=str(error))
        request.reply_to.tell(loaded)

    def on_stop(self) -> None:
        self._ending = True
        self._session.close()

    def on_failure(self, error: BaseException) -> None:
        self._ending = True
        self._session.close()
