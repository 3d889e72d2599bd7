"""Hosts one strategy: turns messages into its callbacks and its orders into messages, and keeps its book."""

from collections import deque
from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import MissedBars, Subscription
from actors.messages.addresses import (
    MarketDataMessage,
    OrderManagerMessage,
    PortfolioManagerMessage,
    RiskManagerMessage,
    StrategyManagerMessage,
    StrategyMessage,
)
from actors.messages.broker import HistoryLoaded, HistoryProgressed
from actors.messages.market_data import (
    BarArrived,
    BarsInterrupted,
    BarsOver,
    InstrumentNamed,
    InstrumentUnnamed,
    LoadHistory,
    QuoteArrived,
    SubscribeInstruments,
)
from actors.messages.order_manager import OrderChanged, SubscribeOrders, WorkingOrders
from actors.messages.portfolio_manager import BookState, EquityChanged, PositionUpdated, SubscribeBook, SubscribeEquity
from actors.messages.risk_manager import OrderDenied, RequestHandled
from actors.messages.strategy import StopTrading, StrategyLoaded, StrategyStarted, StrategyWaits
from actors.messages.subscription import AskToResubscribe, Change, Snapshot, Unsubscribe, Unsubscribed, Version
from mats.errors import StrategyError
from mats.model import (
    Bar,
    CancelRequest,
    InstrumentId,
    IntentId,
    OrderModification,
    OrderRequest,
    OrderView,
    Signal,
    StrategyRecord,
    refused_view,
)
from mats.risk import RejectionCode, reject
from mats.runtime import Actor, Down, MailboxSpec, Ref, SystemClock
from mats.sessions import load_usual
from mats.strategy import LogLevel
from mats.strategy.hosting import (
    FILL_SECONDS,
    BarHole,
    Credit,
    LocalHost,
    OrderCommand,
    WrittenNames,
    make_runner,
)

CLOCK_SECONDS = 1.0
CREDIT, CREDIT_SECONDS = 1_000, 10.0
"""So many requests may be under way at the risk manager; what it lost in a crash is given up after these seconds."""
BUSY = reject(RejectionCode.BUSY, "the risk manager has too many requests to handle; nothing was sent")


def before_forks() -> None:
    """Load what the processes of strategies share, so that no bar waits for it; the server that forks them calls it."""
    load_usual(SystemClock().now())


class ClockTick(msgspec.Struct, frozen=True):
    pass


HISTORY_SECONDS = 30.0
"""Until history that was not complete is requested again."""


MAX_EARLY = 20_000
"""Bars that are kept while the history is loaded: an hour of 27 instruments."""


class RequestHistoryAgain(msgspec.Struct, frozen=True):
    """Once more ask for the history of an instrument."""

    instrument: InstrumentId


class FillOverdue(msgspec.Struct, frozen=True):
    """What a hole lacks was not loaded in time."""

    hole: BarHole


class RefusalsEnded(msgspec.Struct, frozen=True):
    """The callback is over in which requests were refused."""


def _newest_quote(message: object) -> InstrumentId | None:
    return message.quote.instrument if isinstance(message, QuoteArrived) else None


State = BookState | EquityChanged | WorkingOrders
StateChange = PositionUpdated | OrderChanged
Followed = Subscription[State, StateChange]


def _contract_of(name: InstrumentId) -> str:
    return f"the contract of {name}"


OwnMessage = ClockTick | RequestHistoryAgain | FillOverdue | RefusalsEnded | Down


class StrategyActor(Actor[StrategyMessage | OwnMessage]):
    """One strategy, isolated: what it raises, or how long it takes, affects no other actor."""

    mailbox = MailboxSpec(
        capacity=20_000,
        conflate=_newest_quote,
        never_full=(Change, OrderDenied, Unsubscribed, StopTrading),
    )

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        record: StrategyRecord
        folder: Path
        intent_prefix: str
        market_data: Ref[MarketDataMessage]
        risk: Ref[RiskManagerMessage]
        orders: Ref[OrderManagerMessage]
        portfolio: Ref[PortfolioManagerMessage]
        manager: Ref[StrategyManagerMessage]

    def __init__(self, args: Args) -> None:
        self._record, self._folder, self._intent_prefix = args.record, args.folder, args.intent_prefix
        self._market_data, self._risk, self._orders = args.market_data, args.risk, args.orders
        self._portfolio, self._manager = args.portfolio, args.manager

    def on_start(self) -> None:
        self._credit = Credit(CREDIT, CREDIT_SECONDS, self.clock.monotonic)
        self._refused = 0
        self._desk = LocalHost(self._send, self._mint, self.clock.now, self._note)
        self._history: dict[InstrumentId, dict[int, tuple[Bar, ...]]] = {}
        self._needed: dict[InstrumentId, dict[int, int]] = {}
        self._names = WrittenNames()
        self._running = False
        self._leaving: set[str] = set()
        self._loading: dict[InstrumentId, str] = {}
        self._early: deque[Bar] = deque(maxlen=MAX_EARLY)
        self._reported = ""
        try:
            self._runner = make_runner(self._record, self._folder, self._desk)
        except StrategyError as error:
            self._manager.tell(StrategyLoaded(self._record.name, str(error)))
            self.stop()
            return
        self._missed = MissedBars(
            self._runner, self._load, lambda hole: self.after(FILL_SECONDS, FillOverdue(hole)), self.log
        )
        self._manager.tell(StrategyLoaded(self._record.name))
        self._subscribe()

    def _subscribe(self) -> None:
        instruments = self._runner.instruments
        self._missing: set[str] = {"book", "orders"} | set(map(_contract_of, instruments))
        self._missing |= set(instruments)
        self._loading = {name: _contract_of(name) for name in instruments}
        self._followed = {
            "book": Followed(self, self._portfolio, self._subscribe_book),
            "equity": Followed(self, self._portfolio, self._subscribe_equity),
            "orders": Followed(self, self._orders, self._subscribe_orders),
        }
        for followed in self._followed.values():
            followed.renew()
        self._subscribe_market()
        self.every(CLOCK_SECONDS, ClockTick())

    def on_receive(self, message: StrategyMessage | OwnMessage) -> None:
        match message:
            case BarArrived(bar=bar) if not self._running:
                self._early.append(bar)
            case BarArrived() | BarsInterrupted() | BarsOver():
                if self._running:
                    self._on_bars(message)
            case QuoteArrived(quote=quote):
                if self._running:
                    self._runner.quote(self._names.inward(quote))
            case FillOverdue(hole=hole):
                self._missed.overdue(hole)
            case Snapshot() | Change():
                self._take(self._followed[message.feed].take(message))
            case OrderDenied(order=order):
                if self._running:
                    self._runner.order_status(self._names.inward(order))
            case RequestHandled():
                self._credit.hand_back()
            case RefusalsEnded():
                self._report_refusals()
            case InstrumentNamed(name=name, instrument=instrument, contract=contract):
                if contract is not None:
                    self._runner.know(name, contract)
                self._take_name(name, instrument)
            case InstrumentUnnamed(name=name, reason=reason):
                self._loading[name] = f"{_contract_of(name)} ({reason})"
                self._report_waiting()
            case HistoryLoaded():
                self._take_history(self._names.inward(message))
            case HistoryProgressed(bars=bars):
                instrument = self._names.written(message.instrument)
                count = self._needed.get(instrument, {}).get(message.bar_seconds, self._runner.warmup)
                self._loading[instrument] = f"{bars} of {count} bars of {instrument}"
                self._report_waiting()
            case RequestHistoryAgain(instrument=instrument):
                if instrument in self._missing and not self._leaving:
                    self._request_history(instrument)
            case AskToResubscribe(service=service):
                if not self._leaving:
                    self._resubscribe(service)
            case StopTrading():
                self._unsubscribe()
            case Unsubscribed(service=service):
                self._leaving.discard(service)
                if not self._leaving:
                    self.stop()
            case ClockTick():
                self._tick()
            case Down():
                self._lose(message)
            case _:
                assert_never(message)

    def _on_bars(self, event: BarArrived | BarsInterrupted | BarsOver) -> None:
        """Under the strategy's own names."""
        if isinstance(event, BarArrived):
            bar = self._names.inward(event.bar)
            self._missed.receive(bar.instrument, event if bar is event.bar else BarArrived(bar))
        else:
            self._missed.receive(self._names.written(event.instrument), event)

    def _take(self, taken: State | StateChange | None) -> None:
        """Book, equity or orders, or a change of one of them; None where it is known."""
        match taken:
            case PositionUpdated(seq=seq, position=position, fill=fill):
                taken_up = self._desk.take_position(self._names.inward(position), seq)
                if taken_up and fill is not None and self._running:
                    self._runner.fill(self._names.fill(fill))
            case OrderChanged(order=order):
                known = self._names.inward(order)
                self._desk.take_order(known)
                if self._running:
                    self._runner.order_status(known)
            case EquityChanged(equity=equity):
                self._desk.take_equity(equity)
            case BookState(positions=positions, equity=equity, seq=seq):
                named = tuple(map(self._names.inward, positions))
                if self._desk.take_book(named, equity, seq) and self._running:
                    self._runner.book_replaced()
                self._have("book")
            case WorkingOrders(orders=orders):
                self._desk.take_orders(map(self._names.inward, orders))
                self._have("orders")

    def _tick(self) -> None:
        if self._running:
            self._runner.clock(self.clock.now())
        for followed in () if self._leaving else self._followed.values():
            followed.tick()

    def _lose(self, down: Down) -> None:
        """A publisher has ended."""
        for followed in () if self._leaving else self._followed.values():
            if followed.publisher.name == down.name:
                followed.lost(down)

    # Subscriptions

    def _subscribe_equity(self, since: Version) -> None:
        self._portfolio.offer(SubscribeEquity(self._record.name, self.ref, since))

    def _subscribe_book(self, since: Version) -> None:
        self._portfolio.offer(SubscribeBook(self._record.name, self.ref, since))

    def _subscribe_orders(self, since: Version) -> None:
        self._orders.offer(SubscribeOrders(self._record.name, self.ref, since))

    def _subscribe_market(self) -> None:
        """Market data that has restarted is asked for what was meant: a rule may mean another contract by now."""
        runner = self._runner
        meant = tuple(map(self._names.meant, runner.instruments))
        self._market_data.tell(SubscribeInstruments(instruments=meant, quotes=runner.ticks, follower=self.ref))
        for name in runner.instruments:
            if name in self._missing and _contract_of(name) not in self._missing:
                self._request_history(name)

    def _take_name(self, name: InstrumentId, instrument: InstrumentId) -> None:
        """The contract of a name is known; from then on everything of it is delivered under that name."""
        if _contract_of(name) not in self._missing:
            return
        if fault := self._names.learn(name, instrument):
            self._manager.tell(StrategyLoaded(self._record.name, f"strategy {self._record.name}: {fault}"))
            self.stop()
            return
        if name != instrument:
            self._missing |= {"book", "orders"}
            for followed in self._followed.values():
                followed.renew()  # what came before was under the other name
        self._loading.pop(name, None)
        if name in self._missing:
            self._request_history(name)
        self._have(_contract_of(name))

    def _resubscribe(self, service: str) -> None:
        """A service has restarted; the strategy manager only needs to know that this strategy runs."""
        if service == self._market_data.name:
            for name in self._runner.instruments if self._running else ():
                self._runner.interrupt(name)  # what came meanwhile was passed on by nobody
            self._subscribe_market()
        elif self._running:
            self._manager.tell(StrategyStarted(self._record.name))

    # History: the strategy starts when it is whole

    def _request_history(self, instrument: InstrumentId) -> None:
        """The warm-up, larger bars, and what makes up the bars that are under way."""
        needed = self._needed.get(instrument)
        if needed is None:
            needed = self._needed[instrument] = self._runner.needs(instrument)
        if not needed:
            self._have(instrument)
            return
        self._loading.setdefault(instrument, f"0 of {next(iter(needed.values()))} bars of {instrument}")
        for seconds, count in needed.items():
            self._load(instrument, seconds, count)
        self._report_waiting()

    def _take_history(self, loaded: HistoryLoaded) -> None:
        """Whole, which is all that the broker has; otherwise it is asked again, unless the record settles for less."""
        loaded = msgspec.structs.replace(loaded, bars=tuple(map(self._names.inward, loaded.bars)))
        instrument = loaded.instrument
        if instrument in self._missed:
            self._missed.take(loaded)
            return
        needed = self._needed.get(instrument, {})
        seconds = loaded.bar_seconds or next(iter(needed), 0)
        if (count := needed.get(seconds)) is None:
            return
        if not loaded.complete and not self._record.trade_before_warm and instrument in self._missing:
            self.log.warning("history not loaded; it is requested again", instrument=instrument, reason=loaded.reason)
            self._loading[instrument] = f"{len(loaded.bars)} of {count} bars of {instrument} ({loaded.reason})"
            self._report_waiting()
            self.after(HISTORY_SECONDS, RequestHistoryAgain(instrument))
            return
        if len(loaded.bars) < count and seconds >= self._runner.bar_seconds:
            reason = loaded.reason or "the broker has no earlier ones"
            self.log.warning(
                "history is shorter than the warm-up", instrument=instrument, bars=len(loaded.bars), warmup=count,
                reason=reason,
            )  # fmt: skip
        del needed[seconds]
        self._history.setdefault(instrument, {})[seconds] = loaded.bars
        if needed:
            return
        self._loading.pop(instrument, None)
        self._have(instrument)
        self._report_waiting()

    def _report_waiting(self) -> None:
        """Tell the strategy manager what is missing, once for each change."""
        reason = f"waits for {', '.join(self._loading.values())}" if self._loading and not self._running else ""
        if reason and reason != self._reported:
            self._manager.tell(StrategyWaits(self._record.name, reason))
        self._reported = reason

    def _have(self, part: str) -> None:
        """Start when the last missing part is there; parts that come again only refresh the state."""
        self._missing.discard(part)
        if not self._missing and not self._running:
            self._running = True
            sizes = self._history.items()
            self._runner.start({name: [bar for bars in loaded.values() for bar in bars] for name, loaded in sizes})
            self._manager.tell(StrategyStarted(self._record.name))
            self._take_early()

    def _take_early(self) -> None:
        """The bars that came while history was loaded, where they continue a bar that is under way."""
        begun = {name for name, loaded in self._history.items() if min(loaded) < self._runner.bar_seconds}
        early, self._early = self._early, deque()
        for bar in map(self._names.inward, early):
            if bar.instrument in begun:
                self._runner.bar(bar)

    def _load(self, instrument: InstrumentId, seconds: int, count: int) -> None:
        self._market_data.tell(
            LoadHistory(
                instrument=self._names.meant(instrument),
                bar_seconds=seconds,
                count=count,
                hours=self._runner.hours,
                reply_to=self.ref,
            )
        )

    def _unsubscribe(self) -> None:
        """The actor ends when every service has confirmed."""
        if self._running:
            self._runner.stop()
            self._running = False
        services: tuple[Ref[Unsubscribe], ...] = (self._market_data, self._risk, self._orders, self._portfolio)
        self._leaving = {service.name for service in services}
        for service in services:
            service.tell(Unsubscribe(self.ref))

    def on_stop(self) -> None:
        if self._running:
            self._runner.stop()

    # Commands of the strategy

    def _send(self, command: OrderCommand) -> None:
        """A cancel is always sent; anything else is refused beyond the credit, or when the risk manager has no room."""
        if isinstance(command, CancelRequest):
            self._orders.tell(command)
        elif not self._credit.take() or not self._risk.offer(self._names.outward(command)):
            self._refuse(command)

    def _refuse(self, command: Signal | OrderRequest | OrderModification) -> None:
        """The strategy is in a callback now, so it gets the rejection in a later turn, like any other.

        As many of one callback are rejected as may be under way; what it requests beyond that is only counted.
        """
        self._refused += 1
        if self._refused == 1:
            self.ref.tell(RefusalsEnded())
        if self._refused <= CREDIT and (order := self._dropped(command)) is not None:
            self.ref.tell(OrderDenied(order, BUSY))

    def _report_refusals(self) -> None:
        silent = max(0, self._refused - CREDIT)
        self.log.warning(
            "requests refused: too many under way at the risk manager", refused=self._refused, not_answered=silent
        )
        self._refused = 0

    def _dropped(self, command: Signal | OrderRequest | OrderModification) -> OrderView | None:
        """The rejected order; for a modification the unchanged one, None where there is none."""
        note = f"{BUSY.code}: {BUSY.text}"
        if isinstance(command, OrderModification):
            order = self._desk.working_orders().get(command.intent_id)
            return None if order is None else msgspec.structs.replace(order, note=note, code=str(BUSY.code))
        return refused_view(command, self._record.account, note, self.clock.now(), str(BUSY.code))

    def _mint(self) -> IntentId:
        return f"{self._intent_prefix}-{self.runtime.next_id()}"

    def _note(self, level: LogLevel, text: str) -> None:
        getattr(self.log, level)(text)
