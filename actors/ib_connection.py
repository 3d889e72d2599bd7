"""One connection to TWS or IB Gateway: one client id, one socket, one asyncio loop.

A lost or silent gateway is a failure: the supervisor makes the next incarnation, later.
"""

import msgspec

from actors.base import BrokerConnection, ConnectionRefs, Replayed
from actors.messages.broker import (
    HistoryLoaded,
    InstrumentResolved,
    LinkChanged,
    PositionsTaken,
    ReadBroker,
    RequestHistory,
    RequestSnapshot,
    ResolveInstrument,
    SubscribeAccount,
    SubscribeMarket,
    TakePositions,
    Unresolved,
)
from mats.ib import (
    FIRST_REQUEST_ID,
    MASTER,
    ORDER_MESSAGES,
    ConnectionLostError,
    ExecutionsEnd,
    IbSession,
    Opened,
    RequestFailed,
)
from mats.ib import events as ib
from mats.model import BrokerError, BrokerSnapshot, Instrument, OrderIntent
from mats.runtime import Ref, Reply


async def resolve(session: IbSession, instrument: Instrument) -> InstrumentResolved | Unresolved:
    """The one contract that a description means, or why there is none."""
    try:
        return InstrumentResolved(instrument.id, await session.resolve(instrument))
    except RequestFailed as error:
        return Unresolved(instrument.id, str(error))


async def load(session: IbSession, request: RequestHistory) -> HistoryLoaded:
    """The span is asked for twice over, because markets close; what is too much is cut off."""
    name, span = request.instrument.id, 2 * request.bar_seconds * request.count
    try:
        history = await session.history(request.instrument, request.bar_seconds, span)
    except (RequestFailed, ValueError) as error:
        return HistoryLoaded(name, (), complete=False, reason=str(error))
    return HistoryLoaded(name, history.bars[-request.count :], complete=True)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway is, and how long it may take; seconds."""

    host: str
    port: int
    connect_timeout: float
    replay_timeout: float
    heartbeat: float


class Beat(msgspec.Struct, frozen=True):
    pass


class Connected(msgspec.Struct, frozen=True):
    opened: Opened
    replayed: Replayed


class IbConnection(BrokerConnection):
    """Owns one `IbSession`. What it announces and streams depends on what it is asked for, not on who it is."""

    host = "loop"

    def __init__(self, client_id: int, listeners: tuple[Ref, ...], timing: Timing, desks: ConnectionRefs) -> None:
        super().__init__(client_id, listeners, desks)
        self._timing = timing

    def on_start(self) -> None:
        self._opening = self._opened = self._ending = False
        # Updates of an order come to the client that placed it; the master's copy would be decoded for nothing.
        skipped = ORDER_MESSAGES if self.client_id == MASTER else frozenset[int]()
        now, monotonic = self.clock.now, self.clock.monotonic
        self._session = IbSession(self.client_id, self._hear, clock=now, monotonic=monotonic, skipped=skipped)
        super().on_start()

    def on_receive(self, message: object) -> object:
        match message:
            case Connected(opened=opened, replayed=replayed):
                self._opened = True
                self.up(opened.accounts, opened.next_order_id)
                if not self._session.degraded:
                    self._tell_link(up=True, reason="connected")
                self.every(self._timing.heartbeat, Beat())
                self.merge(replayed)
            case Replayed():
                self.merge(message)
            case SubscribeMarket(instrument=instrument, quotes=quotes):
                self._subscribe(instrument, quotes)
            case SubscribeAccount(account=account):
                self._session.unsubscribe_account(account)  # asked for anew, every value comes anew
                self._session.subscribe_account(account)
            case ReadBroker():
                return self._answer_later()
            case TakePositions(reply_to=reply_to):
                self.spawn_task(self._take_positions(reply_to))
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

    def ask(self, epoch: int) -> None:
        """The first question opens the socket; one that comes while it opens is asked when it is open."""
        if self._opened:
            self.spawn_task(self._replay(epoch))
        elif not self._opening:
            self._opening = True
            self.spawn_task(self._open(epoch))

    async def _open(self, epoch: int) -> Connected:
        timing = self._timing
        opened = await self._session.connect(timing.host, timing.port, timing.connect_timeout)
        return Connected(opened, await self._replay(epoch))

    async def _replay(self, epoch: int) -> Replayed:
        asked_at = self.clock.monotonic()
        replay = await self._session.snapshot(self._timing.replay_timeout, ExecutionsEnd.SILENCE_IF_IDLE)
        return Replayed(replay, epoch, asked_at)

    def _answer_later(self) -> Reply:
        """Beside the turns of this actor, because a broker may be silent; without an open line nothing is answered."""
        reply = self.reply_later()
        if self._opened:
            self.spawn_task(self._answer(), lambda outcome: reply.set(outcome.result()))
        return reply

    async def _answer(self) -> BrokerSnapshot:
        return (await self._replay(0)).replay

    async def _take_positions(self, reply_to: Ref) -> None:
        """A gateway without a line to IB tells what it remembers, and fills are on their way: that is no answer."""
        positions = await self._session.positions(self._timing.replay_timeout)
        if not self._session.degraded:
            reply_to.tell(PositionsTaken(positions))

    async def _beat(self) -> None:
        """A gateway that does not answer is dead, whatever its socket says: the error is this actor's failure."""
        self.clock.advance(await self._session.server_time(2 * self._timing.heartbeat))

    # Orders

    @property
    def connected(self) -> bool:
        return self._session.connected

    def place(self, order_id: int, intent: OrderIntent) -> None:
        self._session.place(order_id, intent)

    def modify(self, order_id: int, intent: OrderIntent) -> None:
        self._session.modify(order_id, intent)

    def cancel(self, order_id: int) -> None:
        self._session.cancel(order_id)

    # What the session says

    def _hear(self, event: ib.SessionEvent) -> None:
        match event:
            case ib.QuoteReported(quote=news) | ib.BarReported(bar=news) | ib.CommissionReported(commission=news):
                self.packet.add(news)
            case ib.ExecutionReported(execution=news, live=True):
                self.packet.add(news)
            case ib.OrderReported(order=news) if not news.completed:
                self.packet.add(news)
            case ib.OrderStatusReported(status=news) | ib.PositionReported(position=news):
                self.packet.add(news)
            case ib.AccountValueReported(value=news):
                self.packet.add(news)
            case ib.ErrorReceived(error=error):
                self._hear_error(event, error)
            case ib.PacketEnd():
                self.pass_on()
            case ib.LinkDegraded(reason=reason):
                self._tell_link(up=False, reason=reason)
            case ib.LinkRestored(data_lost=data_lost):
                if data_lost:
                    self._session.resubscribe_all()
                self._tell_link(up=True, reason="restored")
                self.ref.tell(RequestSnapshot())
            case ib.SessionLost(reason=reason, unsent=unsent):
                self._lose(reason, unsent)
            case ib.DecodeFailed(text=text):
                self.log.error("a message of the broker could not be understood; asking for everything", text=text)
                self.ref.tell(RequestSnapshot())
            case ib.ExecutionReported() | ib.OrderReported():
                return  # part of a replay, which is merged as a whole

    def _hear_error(self, event: ib.ErrorReceived, error: BrokerError) -> None:
        """Order ids and request ids come from disjoint ranges, so an error says by its id what it is about."""
        if 0 < error.request_id < FIRST_REQUEST_ID:
            self.packet.add(error)
        else:
            self.log.info("broker notice", code=error.code, text=error.text, instrument=event.instrument)

    def _tell_link(self, *, up: bool, reason: str) -> None:
        self.desks.risk.tell(LinkChanged(self.name, up, reason))

    def _lose(self, reason: str, unsent: tuple[ib.Unsent, ...]) -> None:
        for order in unsent:
            if order.action == "place":
                self.not_sent(order.intent_id, reason)
        if not self._ending:
            self.fail(ConnectionLostError(f"{self.name} lost the gateway: {reason}"))

    # Questions of others

    def _subscribe(self, instrument: Instrument, quotes: bool) -> None:
        self._session.subscribe_bars(instrument)
        if quotes:
            self._session.subscribe_quotes(instrument)

    async def _resolve(self, instrument: Instrument, reply_to: Ref) -> None:
        reply_to.tell(await resolve(self._session, instrument))

    async def _load(self, request: RequestHistory) -> None:
        request.reply_to.tell(await load(self._session, request))

    def on_stop(self) -> None:
        self._ending = True
        self._session.close()

    def on_failure(self, error: BaseException) -> None:
        self._ending = True
        self._session.close()
