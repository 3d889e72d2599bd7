"""Hosts one strategy: messages become callbacks, wishes become messages, and its book is kept at hand."""

from pathlib import Path

import msgspec

from actors.messages.broker import HistoryLoaded
from actors.messages.market_data import BarArrived, LoadHistory, QuoteArrived, SubscribeInstruments
from actors.messages.order_manager import OrderChanged, SubscribeOrders, WorkingOrders
from actors.messages.portfolio_manager import BookState, EquityChanged, PositionUpdated, SubscribeBook
from actors.messages.risk_manager import OrderDenied
from actors.messages.strategy import StopTrading, StrategyStarted
from actors.messages.subscription import AskToResubscribe, Unsubscribe, Unsubscribed
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
from mats.runtime import Actor, MailboxSpec, Ref
from mats.strategy import LogLevel
from mats.strategy.hosting import LocalHost, OrderCommand, make_runner

CLOCK_SECONDS = 1.0
BUSY = reject(RejectionCode.BUSY, "the risk manager has too much to do to look at it; nothing was sent")


class StrategyRefs(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a strategy talks to."""

    market_data: Ref
    risk: Ref
    orders: Ref
    portfolio: Ref


class LookAtClock(msgspec.Struct, frozen=True):
    pass


def _newest_quote(message: object) -> InstrumentId | None:
    return message.quote.instrument if isinstance(message, QuoteArrived) else None


class StrategyActor(Actor):
    """One strategy, isolated: what it raises, or how long it takes, is its own matter."""

    mailbox = MailboxSpec(
        capacity=20_000,
        conflate=_newest_quote,
        never_full=(PositionUpdated, OrderChanged, OrderDenied, BookState, WorkingOrders, Unsubscribed, StopTrading),
    )

    def __init__(
        self, record: StrategyRecord, folder: Path, services: StrategyRefs, manager: Ref, intent_prefix: str
    ) -> None:
        self._record, self._folder, self._services = record, folder, services
        self._manager, self._intent_prefix = manager, intent_prefix

    def on_start(self) -> None:
        self._desk = LocalHost(self._send, self._mint, self.clock.now, self._note)
        self._runner = make_runner(self._record, self._folder, self._desk)
        self._history: dict[InstrumentId, tuple[Bar, ...]] = {}
        self._missing: set[str] = {"book", "orders"} | set(self._runner.instruments if self._runner.warmup else ())
        self._running = False
        self._parting: set[str] = set()
        for service in (self._services.portfolio, self._services.orders, self._services.market_data):
            self._follow(service.name)
        self.every(CLOCK_SECONDS, LookAtClock())

    def on_receive(self, message: object) -> object:
        match message:
            case BarArrived(bar=bar):
                if self._running:
                    self._runner.bar(bar)
            case QuoteArrived(quote=quote):
                if self._running:
                    self._runner.quote(quote)
            case PositionUpdated(seq=seq, position=position, fill=fill):
                if self._desk.take_position(position, seq) and fill is not None and self._running:
                    self._runner.fill(fill)
            case OrderChanged(order=order):
                self._desk.take_order(order)
                if self._running:
                    self._runner.order_status(order)
            case OrderDenied(order=order):
                if self._running:
                    self._runner.order_status(order)
            case EquityChanged(equity=equity):
                self._desk.take_equity(equity)
            case BookState(positions=positions, equity=equity, seq=seq):
                if self._desk.take_book(positions, equity, seq) and self._running:
                    self._runner.book_replaced()
                self._have("book")
            case WorkingOrders(orders=orders):
                self._desk.take_orders(orders)
                self._have("orders")
            case HistoryLoaded():
                self._take_history(message)
            case AskToResubscribe(service=service):
                if not self._parting:
                    self._follow(service)
            case StopTrading():
                self._part()
            case Unsubscribed(service=service):
                self._parting.discard(service)
                if not self._parting:
                    self.stop()
            case LookAtClock():
                if self._running:
                    self._runner.clock(self.clock.now())
            case _:
                return super().on_receive(message)
        return None

    def _follow(self, service: str) -> None:
        """Follow a service, or say again what a service that restarted has forgotten."""
        services, runner = self._services, self._runner
        if service == services.portfolio.name:
            services.portfolio.tell(SubscribeBook(self._record.name, self.ref))
        elif service == services.orders.name:
            services.orders.tell(SubscribeOrders(self._record.name, self.ref))
        elif service == services.market_data.name:
            follow = SubscribeInstruments(instruments=runner.instruments, quotes=runner.ticks, follower=self.ref)
            services.market_data.tell(follow)
            self._ask_history()
        elif self._running:
            self._manager.tell(StrategyStarted(self._record.name))

    def _ask_history(self) -> None:
        for instrument in [name for name in self._runner.instruments if name in self._missing]:
            self._services.market_data.tell(
                LoadHistory(
                    instrument=instrument,
                    bar_seconds=self._runner.bar_seconds,
                    count=self._runner.warmup,
                    reply_to=self.ref,
                )
            )

    def _take_history(self, loaded: HistoryLoaded) -> None:
        if not loaded.complete:
            self.log.warning("starts without history", instrument=loaded.instrument, reason=loaded.reason)
        self._history[loaded.instrument] = loaded.bars
        self._have(loaded.instrument)

    def _have(self, part: str) -> None:
        """Start when the last missing part is there; parts that come again only refresh the desk."""
        self._missing.discard(part)
        if not self._missing and not self._running:
            self._running = True
            self._runner.start(self._history)
            self._manager.tell(StrategyStarted(self._record.name))

    def _part(self) -> None:
        if self._running:
            self._runner.stop()
            self._running = False
        services = self._services
        farewells = (services.market_data, services.risk, services.orders, services.portfolio)
        self._parting = {service.name for service in farewells}
        for service in farewells:
            service.tell(Unsubscribe(self.ref))

    def on_stop(self) -> None:
        if self._running:
            self._runner.stop()

    # What the desk sends out

    def _send(self, wish: OrderCommand) -> None:
        """A cancel always goes; a wish that takes risk is void when the risk manager is too busy to take it.

        The strategy is in a callback now, so it hears of that in a later turn, as of any other denial.
        """
        if isinstance(wish, CancelRequest):
            self._services.orders.tell(wish)
        elif not self._services.risk.offer(wish):
            self.log.warning("the risk manager is busy; the wish is void", intent=wish.intent_id)
            if (order := self._void(wish)) is not None:
                self.ref.tell(OrderDenied(order, BUSY))

    def _void(self, wish: Signal | OrderRequest | OrderModification) -> OrderView | None:
        """The order that never came to be; or the one that stays as it is, None where there is none to change."""
        note = f"{BUSY.code}: {BUSY.text}"
        if isinstance(wish, OrderModification):
            order = self._desk.working_orders().get(wish.intent_id)
            return None if order is None else msgspec.structs.replace(order, note=note)
        return refused_view(wish, self._record.account, note, self.clock.now())

    def _mint(self) -> IntentId:
        return f"{self._intent_prefix}-{self.runtime.next_id()}"

    def _note(self, level: LogLevel, text: str) -> None:
        getattr(self.log, level)(text)
