"""One connection to TWS or IB Gateway: one client id, one socket, one asyncio loop.

A lost or silent gateway is a failure: the supervisor starts the next incarnation after a backoff.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.base import BaseMessage, BrokerConnection, Replayed
from actors.messages.broker import (
    HistoryLoaded,
    HistoryProgressed,
    InstrumentResolved,
    PositionsTaken,
    ReadBroker,
    ReadHistoryUse,
    RequestHistory,
    RequestSnapshot,
    ResolveInstrument,
    ResubscribeMarket,
    SubscribeAccount,
    SubscribeMarket,
    TakePositions,
    Unresolved,
)
from mats.ib import (
    FILL_MESSAGES,
    FIRST_REQUEST_ID,
    FRACTION_REFUSED,
    MASTER,
    ORDER_MESSAGES,
    ConnectionLostError,
    ExecutionsEnd,
    IBError,
    IbSession,
    Opened,
    QueueFull,
    RequestFailed,
    TimeZones,
    UnvaluedExecutions,
    is_kept,
    is_valued,
    valued,
)
from mats.ib import events as ib
from mats.ib.history import BackwardPager, HistoricalBudget, PacedHistory
from mats.instruments import InstrumentRecords, InstrumentRegistry, MemoryRecords
from mats.model import (
    BrokerError,
    BrokerPosition,
    BrokerSnapshot,
    Execution,
    Instrument,
    InstrumentId,
    Nanos,
    OrderIntent,
    StreamMeaning,
    StreamNotice,
    UndecodedMessage,
)
from mats.runtime import Ref, Reply
from mats.sessions import calendar_of
from mats.store.journal import Journal


async def resolve(session: IbSession, instrument: Instrument) -> InstrumentResolved | Unresolved:
    """The one contract that a description means, or why there is none."""
    try:
        return InstrumentResolved(instrument.id, await session.resolve(instrument))
    except RequestFailed as error:
        return Unresolved(instrument.id, str(error))


async def load(history: PacedHistory, request: RequestHistory, now: Callable[[], Nanos]) -> HistoryLoaded | None:
    """The newest bars, as many as were asked for; None where the connection was lost: its successor is asked again."""
    instrument, seconds, count, hours = request.instrument, request.bar_seconds, request.count, request.hours
    calendar = calendar_of(instrument)

    def progress(bars: int) -> None:
        request.reply_to.tell(HistoryProgressed(instrument.id, seconds, bars))

    try:
        pager = BackwardPager(history.bars, instrument, seconds, count, now(), calendar, hours=hours, progress=progress)
        bars = (await pager.run()).bars
    except ConnectionLostError:
        return None
    except (IBError, ValueError) as error:
        return HistoryLoaded(instrument.id, (), False, str(error), seconds, count)
    return HistoryLoaded(instrument.id, bars, True, "", seconds, count)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway is, and how long it may take; seconds. `replay_timeout` is of silence.

    `time_zone`: the IANA zone of times whose own zone says nothing. `delayed`: delayed data are asked for where the
    account has no live ones.
    """

    host: str
    port: int
    connect_timeout: float
    replay_timeout: float
    heartbeat: float
    time_zone: str = ""
    delayed: bool = False


TERMS_AT_ONCE = 20
"""Contracts whose details are asked for at one time."""
TERMS_RETRY_SECONDS = 60.0
"""Until details that did not come are asked for again."""
PROGRESS_SECONDS = 1.0
"""Between two reports about a replay that goes on."""


class Beat(msgspec.Struct, frozen=True):
    pass


class ReportProgress(msgspec.Struct, frozen=True):
    pass


class CompleteTerms(msgspec.Struct, frozen=True):
    """Ask for the details of a contract whose executions wait for them."""

    con_id: int
    name: InstrumentId


class TermsAnswered(msgspec.Struct, frozen=True):
    """The details are known, or why they are not."""

    asked: CompleteTerms
    fault: str


class Connected(msgspec.Struct, frozen=True):
    opened: Opened
    replayed: Replayed


IbMessage = (
    TakePositions
    | ReadBroker
    | SubscribeAccount
    | ResolveInstrument
    | SubscribeMarket
    | ResubscribeMarket
    | RequestHistory
    | ReadHistoryUse
    | Connected
    | Replayed
    | Beat
    | ReportProgress
    | CompleteTerms
    | TermsAnswered
)


class IbConnection(BrokerConnection[IbMessage]):
    """Owns one `IbSession`. What it streams depends on the requests it gets, not on its client id."""

    host = "loop"

    class Args(BrokerConnection.Args, frozen=True, kw_only=True):
        """`registry` is the journal that names contracts; without it names end with this connection.

        `fractional`: the account takes fractions of shares over the API.
        """

        timing: Timing
        registry: Path | None = None
        fractional: bool = False

    def __init__(self, args: Args) -> None:
        super().__init__(args)
        self._timing, self._registry, self._fractional = args.timing, args.registry, args.fractional

    def on_start(self) -> None:
        self._opening = self._opened = self._ending = False
        self._left_out = Counter[str]()
        self._replayed: list[Execution] = []
        self._progress = 0
        self._fractions: dict[int, Instrument] = {}
        self._streams = False
        self._notices: list[StreamNotice] = []
        self._early: list[SubscribeMarket | SubscribeAccount | TakePositions] = []
        # Order events go to the client that placed the order; the master's copy would be decoded for nothing. Its copy
        # of a fill counts where that client's connection has died, and gives way to it.
        self._instruments = InstrumentRegistry(self._records(), fractional=self._fractional)
        nothing = frozenset[int]()
        skipped, at_once = (ORDER_MESSAGES, nothing) if self.client_id == MASTER else (nothing, FILL_MESSAGES)
        self._unvalued, self._asking = UnvaluedExecutions(self._instruments), asyncio.Semaphore(TERMS_AT_ONCE)
        self._session = IbSession(
            self.client_id,
            self._on_event,
            clock=self.clock.now,
            monotonic=self.clock.monotonic,
            zones=TimeZones(self._timing.time_zone),
            skipped=skipped,
            at_once=at_once,
            instruments=self._instruments,
        )
        self._history = PacedHistory(self._session, HistoricalBudget(self.clock.monotonic))
        self.defer(self._session.cut)
        super().on_start()
        self.every(PROGRESS_SECONDS, ReportProgress())

    def _records(self) -> InstrumentRecords:
        if self._registry is None:
            return MemoryRecords()
        journal = Journal(self._registry)
        self.defer(journal.release)
        return journal

    def on_receive(self, message: IbMessage | BaseMessage) -> object:
        match message:
            case Connected(opened=opened, replayed=replayed):
                self._opened = True
                self.up(opened.accounts, opened.next_order_id)
                if not self.degraded:
                    self.report_link(up=True, reason="connected")
                self.every(self._timing.heartbeat, Beat())
                self.merge(replayed)
                early, self._early = self._early, []
                for request in early:
                    self.on_receive(request)
            case Replayed():
                self.merge(message)
            case SubscribeMarket() | SubscribeAccount() | TakePositions() if not self._opened:
                self._early.append(message)  # an earlier life has announced itself to whoever asks
            case SubscribeMarket(instrument=instrument, quotes=quotes):
                self._subscribe(instrument, quotes)
            case ResubscribeMarket(instrument=instrument, stream=stream):
                self._session.resubscribe(instrument, stream)
            case SubscribeAccount(account=account):
                self._session.unsubscribe_account(account)  # a new subscription starts with every value
                self._session.subscribe_account(account)
            case ReadBroker():
                return self._answer_later()
            case TakePositions():
                self.spawn_task(self._take_positions(message.reply_to))
            case ResolveInstrument():
                self.spawn_task(self._resolve(message))
            case RequestHistory():
                self.spawn_task(self._load(message))
            case ReadHistoryUse():
                use = self._history.use()
                return message.answer(str(use) if use.used else "")
            case Beat():
                self.spawn_task(self._beat())
            case ReportProgress():
                self._report_progress()
            case CompleteTerms():
                self.spawn_task(self._complete_terms(message))
            case TermsAnswered(asked=asked, fault=fault):
                self._report_valued(asked, fault)
            case _:
                self.on_base_message(message)
        return None

    # Opening, and the broker's snapshot

    def ask(self, epoch: int) -> None:
        """The first request opens the socket; one that comes meanwhile is answered when it is open."""
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
        session = self._session
        asked_at, linked, unsent = self.clock.monotonic(), not self.degraded, session.unsent_orders
        replay = await session.snapshot(self._timing.replay_timeout, ExecutionsEnd.SILENCE_IF_IDLE)
        replay = msgspec.structs.replace(
            replay,
            executions=await self._valued_executions(replay.executions),
            positions=await self._valued_positions(replay.positions),
        )
        self._replayed, self._progress = [], 0
        return Replayed(replay, epoch, asked_at, linked and not self.degraded, unsent)

    def _report_progress(self) -> None:
        if (replayed := len(self._replayed)) > self._progress:
            self._progress = replayed
            self.log.info("the broker replays executions", so_far=replayed)
            self.report_progress(replayed)

    def _answer_later(self) -> Reply:
        """In a task, because the broker may not answer; without an open socket there is no answer."""
        reply = self.reply_later()
        if self._opened:
            self.spawn_task(self._answer(), lambda outcome: reply.set(outcome.result()))
        return reply

    async def _answer(self) -> BrokerSnapshot:
        return (await self._replay(0)).replay

    async def _take_positions(self, reply_to: Ref[PositionsTaken]) -> None:
        positions = await self._session.positions(self._timing.replay_timeout)
        self.answer_positions(reply_to, await self._valued_positions(positions))

    async def _beat(self) -> None:
        """A gateway that does not answer is dead, whatever its socket says: the error is this actor's failure."""
        if (told := await self._session.server_time(2 * self._timing.heartbeat)) is not None:
            self.advance_clock(told)

    # Orders

    @property
    def connected(self) -> bool:
        return self._session.connected

    @property
    def degraded(self) -> bool:
        return self._session.degraded

    def place(self, order_id: int, intent: OrderIntent) -> None:
        if intent.quantity % 1:
            self._fractions[order_id] = intent.instrument
        try:
            self._session.place(order_id, intent)
        except QueueFull as full:
            self.not_sent(intent.intent_id, str(full))

    def modify(self, order_id: int, intent: OrderIntent, parent_id: int) -> None:
        try:
            self._session.modify(order_id, intent, parent_id)
        except QueueFull as full:
            self.log.warning("order modification discarded", intent=intent.intent_id, reason=str(full))

    def cancel(self, order_id: int) -> None:
        if withdrawn := self._session.cancel(order_id):
            self.not_sent(withdrawn, "it was cancelled before it was sent")

    # Events of the session

    def _on_event(self, event: ib.SessionEvent) -> None:
        match event:
            case ib.QuoteReported(quote=item) | ib.BarReported(bar=item) | ib.CommissionReported(commission=item):
                self.packet.add(item)
            case ib.ExecutionReported(execution=item, live=True):
                if is_valued(item):
                    self.packet.add(item)
                else:
                    self._let_wait(item)
            case ib.OrderReported(order=item) if not item.completed:
                self.packet.add(item)
            case ib.OrderStatusReported(status=item) | ib.PositionReported(position=item):
                self.packet.add(item)
            case ib.AccountValueReported(value=item):
                self.packet.add(item)
            case ib.ErrorReceived(error=error):
                self._on_error(event, error)
            case ib.PacketEnd():
                self.pass_on()
                self._pass_notices_on()
            case ib.LinkDegraded(reason=reason):
                self._notices.append(StreamNotice(StreamMeaning.LINK_DOWN, reason))
                self.report_link(up=False, reason=reason)
            case ib.LinkRestored(reason=reason, data_lost=data_lost):
                if data_lost:
                    self._session.resubscribe_all()
                meaning = StreamMeaning.STREAMS_LOST if data_lost else StreamMeaning.LINK_UP
                self._notices.append(StreamNotice(meaning, reason))
                self.report_link(up=True, reason="restored")
                self.ref.tell(RequestSnapshot())
            case ib.SessionLost(reason=reason, unsent=unsent):
                self._lose(reason, unsent)
            case ib.DecodeFailed(message=message):
                self._on_undecoded(message)
            case ib.ExecutionReported(execution=item):
                self._replayed.append(item)  # the snapshot is merged as a whole, or what came of it is kept
            case ib.OrderReported():
                return  # part of a snapshot

    # What is traded without the details of its contract being known

    def _let_wait(self, execution: Execution) -> None:
        """Reports do not state what prices are magnified by, so it is not booked before the details are known."""
        if self._unvalued.add(execution):
            self.ref.tell(CompleteTerms(execution.con_id, execution.instrument))

    async def _complete_terms(self, asked: CompleteTerms) -> TermsAnswered:
        return TermsAnswered(asked, await self._terms_fault(asked.con_id, asked.name))

    async def _terms_fault(self, con_id: int, name: InstrumentId) -> str:
        """Why the details of a contract did not come; empty where they are known."""
        async with self._asking:
            try:
                if self._instruments.terms(con_id) is None:
                    await self._session.complete(con_id, name)
            except RequestFailed as error:
                return str(error)
        return ""

    def _report_valued(self, asked: CompleteTerms, fault: str) -> None:
        """What waited is reported. Without details it goes into quarantine, and is booked when they come after all."""
        for execution in self._unvalued.valued(asked.con_id):
            self.packet.add(execution)
        self.pass_on()
        if fault:
            self.log.warning("the details of a contract did not come; they are asked for again", reason=fault)
            self.after(TERMS_RETRY_SECONDS, asked)

    async def _valued_executions(self, executions: tuple[Execution, ...]) -> tuple[Execution, ...]:
        """Those of a snapshot; what cannot be valued goes into quarantine with it, and is asked for again."""
        await self._complete_all({e.con_id: e.instrument for e in executions if not is_valued(e)})
        found = tuple(valued(execution, self._instruments) for execution in executions)
        for execution in found:
            if not is_valued(execution) and self._unvalued.add(execution):
                self.after(TERMS_RETRY_SECONDS, CompleteTerms(execution.con_id, execution.instrument))
        return found

    async def _valued_positions(self, positions: tuple[BrokerPosition, ...]) -> tuple[BrokerPosition, ...]:
        """Books are compared with the master's positions only. One that cannot be valued is compared and not booked."""
        if self.client_id != MASTER:
            return positions
        await self._complete_all({p.con_id: p.instrument for p in positions if not is_valued(p)})
        return tuple(valued(position, self._instruments) for position in positions)

    async def _complete_all(self, names: dict[int, InstrumentId]) -> None:
        for fault in await asyncio.gather(*(self._terms_fault(con_id, name) for con_id, name in names.items())):
            if fault:
                self.log.warning("the details of a contract did not come; they are asked for again", reason=fault)

    def _on_error(self, event: ib.ErrorReceived, error: BrokerError) -> None:
        """Order ids and request ids come from disjoint ranges, so the id of an error shows what it is about."""
        if 0 < error.request_id < FIRST_REQUEST_ID:
            self.packet.add(error)
            if error.code == FRACTION_REFUSED and (ordered := self._fractions.pop(error.request_id, None)):
                self._require_whole_units(ordered)
            return
        if event.notice is not None:
            self._notices.append(event.notice)
        if event.notice is None or not event.notice.instrument:  # what is said of one stream is in its state
            self.log.info("broker notice", code=error.code, text=error.text)

    def _pass_notices_on(self) -> None:
        """After the data of their packet, which came before what they say or beside it; from who has streams."""
        notices, self._notices = self._notices, []
        for notice in notices if self._streams else ():
            self._market_data.tell(notice)

    def _require_whole_units(self, instrument: Instrument) -> None:
        """A refused fraction is ordered once: from now on, and in later starts, the instrument has whole units."""
        self._instruments.require_whole_units(instrument.con_id)
        if (whole := self._instruments.find(instrument.id)) is not None:
            self.log.warning("the broker takes no fractions of it; it is ordered in whole units", instrument=whole.id)
            self._market_data.tell(InstrumentResolved(whole.id, whole))

    def _on_undecoded(self, message: UndecodedMessage) -> None:
        """It goes into quarantine, or is counted; to ask for it again would bring it again."""
        if is_kept(message):
            self.report_undecoded(message)
            return
        kind = message.fields[0]
        if kind not in self._left_out:
            self.log.warning("broker message left out; more of its kind are only counted", text=message.text[:500])
        self._left_out[kind] += 1

    def _lose(self, reason: str, unsent: tuple[ib.Unsent, ...]) -> None:
        for order in unsent:
            if order.action == "place":
                self.not_sent(order.intent_id, reason)
        if not self._ending:
            self.fail(ConnectionLostError(f"{self.name} lost the gateway: {reason}"))

    # Requests for market data

    def _subscribe(self, instrument: Instrument, quotes: bool) -> None:
        if not self._streams and self._timing.delayed:
            self._session.allow_delayed_data()
        self._streams = True
        self._session.subscribe_bars(instrument)
        if quotes:
            self._session.subscribe_quotes(instrument)

    async def _resolve(self, request: ResolveInstrument) -> None:
        request.reply_to.tell(await resolve(self._session, request.instrument))

    async def _load(self, request: RequestHistory) -> None:
        if (loaded := await load(self._history, request, self.clock.now)) is not None:
            request.reply_to.tell(loaded)

    def on_stop(self) -> None:
        self._ending = True
        self._history.close()
        self._session.close()

    def on_failure(self, error: BaseException) -> None:
        """What the broker has replayed is in the log before the next incarnation asks for everything again."""
        self._ending = True
        self._history.close()
        self._session.close()
        self.keep(self._replayed)
