"""The risk manager: turns requests into sized, checked intents or rejections; second stage of every fill."""

from functools import partial
from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import Stage, Subscription, Trial
from actors.messages.addresses import (
    ConnectionMessage,
    FillLogMessage,
    OrderManagerMessage,
    RiskManagerMessage,
    strategy_at,
)
from actors.messages.broker import LinkChanged, Ready, RequestSnapshot
from actors.messages.fill_log import ApplyEntries, ReportCursor, StagesBehind
from actors.messages.market_data import DataStale, InstrumentCompleted, PriceMarked
from actors.messages.order_manager import (
    ALL,
    AllOrders,
    ModifyIntent,
    OrderChanged,
    OrderOrRouteChanged,
    RouteChanged,
    SubmitIntent,
    SubscribeAllOrders,
)
from actors.messages.portfolio_manager import BreaksChanged, EquityChanged, RatesChanged, SetWeights
from actors.messages.quarantine import QuarantineChanged
from actors.messages.risk_manager import Halt, OrderDenied, PlaceOrder, ReadHalts, RequestHandled, Resume
from actors.messages.subscription import Change, Republish, Snapshot, Unsubscribe, Unsubscribed
from mats.model import AccountId, Entry, Nanos, OrderIntent, OrderModification, OrderRequest, Signal, StrategyName
from mats.orders import PreTrade, Rejected
from mats.risk import Limits, MarketState, RiskState
from mats.runtime import Down, MailboxSpec, Ref
from mats.runtime.testing import chaos
from mats.store.journal import Journal

SNAPSHOT_SECONDS = 5.0
CHECK_SECONDS = 1.0
NO_CLIENT = -1
"""Of a strategy whose client id could not be recorded: no connection has it."""


CONTROL = (
    ApplyEntries,
    ReportCursor,
    Snapshot,
    Change,
    StagesBehind,
    QuarantineChanged,
    BreaksChanged,
    LinkChanged,
    Ready,
    DataStale,
    InstrumentCompleted,
    PriceMarked,
    EquityChanged,
    RatesChanged,
    SetWeights,
    Halt,
    Resume,
    ReadHalts,
    PlaceOrder,
)
"""All that is true of the world, and all that an operator wants, overtakes the requests of strategies.

Fills, orders and what halts trading keep their order among each other. A request is judged by what is known when its
turn comes, never by less than when it was sent. `Unsubscribe` waits behind the requests of its strategy.
"""


MarketFact = (
    PriceMarked
    | EquityChanged
    | RatesChanged
    | InstrumentCompleted
    | DataStale
    | SetWeights
    | StagesBehind
    | QuarantineChanged
    | BreaksChanged
    | LinkChanged
    | Ready
)


class Save(msgspec.Struct, frozen=True):
    pass


class CheckOrders(msgspec.Struct, frozen=True):
    """Time to see whether a change of an order was missed."""


class RiskManager(Stage[RiskManagerMessage | Save | CheckOrders | Down]):
    """Second stage. Every order of every strategy passes here before it exists."""

    stage = "risk"
    mailbox = MailboxSpec(
        capacity=20_000,
        urgent=CONTROL,
        conflate=lambda message: message.instrument if isinstance(message, PriceMarked) else None,
    )

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`publishers` publish what checks need to know: equities and rates, prices, weights."""

        journal_path: Path
        limits: Limits
        base_currency: str
        live_accounts: tuple[AccountId, ...]
        fill_log: Ref[FillLogMessage]
        orders: Ref[OrderManagerMessage]
        broker: Ref[ConnectionMessage]
        publishers: tuple[Ref[Republish], ...]

    def __init__(self, args: Args) -> None:
        self._path, self.fill_log, self._orders = args.journal_path, args.fill_log, args.orders
        self._broker, self._publishers = args.broker, args.publishers
        self._limits, self._base, self._live = args.limits, args.base_currency, args.live_accounts

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        self.defer(self._journal.release)
        self.recall()
        saved = self._journal.load_snapshot(self.stage)
        self._state = RiskState.load(saved[1]) if saved else RiskState()
        self.resume_at(self._state.seq)
        self._market = MarketState(self._limits, self._base, self._live)
        self._market.halts = {scope: halt.reason for scope, halt in self._journal.halts().items()}
        self._unrecorded: dict[StrategyName, Nanos] = {}
        self._routes: dict[StrategyName, int] = {}
        self._pretrade = PreTrade(self._state, self._market, self._limits, self._route)
        self.report_cursor()
        self._order_feed = Subscription[AllOrders, OrderOrRouteChanged](
            self, self._orders, lambda since: self._orders.offer(SubscribeAllOrders(ALL, self.ref, since))
        )
        self._order_feed.renew()
        self._broker.tell(RequestSnapshot())
        for publisher in self._publishers:
            publisher.tell(Republish())
        self.every(SNAPSHOT_SECONDS, Save())
        self.every(CHECK_SECONDS, CheckOrders())

    def on_receive(self, message: RiskManagerMessage | Save | CheckOrders | Down) -> object:
        match message:
            case ApplyEntries():
                self.receive_entries(message)
            case PriceMarked() | EquityChanged() | RatesChanged() | InstrumentCompleted() | DataStale() | SetWeights():
                self._learn(message)
            case StagesBehind() | QuarantineChanged() | BreaksChanged() | LinkChanged() | Ready():
                self._learn(message)
            case Snapshot() | Change():
                self._take_orders(self._order_feed.take(message))
            case Down():
                self._order_feed.lost(message)
            case CheckOrders():
                self._order_feed.tick()
            case Signal() | OrderRequest():
                self._decide(message)
                self._handled(message.strategy)
            case PlaceOrder(request=request):
                return message.answer(self._decide(request))
            case OrderModification():
                self._decide_change(message)
                self._handled(message.strategy)
            case Halt() | Resume():
                self._halt(message)
            case Unsubscribe(follower=follower):
                follower.tell(Unsubscribed(self.name))
            case ReadHalts():
                return message.answer(dict(self._market.halts))
            case Save():
                self._save()
            case ReportCursor():
                self.report_cursor()
            case _:
                assert_never(message)
        self._pursue_targets()
        return None

    def _learn(self, fact: MarketFact) -> None:
        """What checks and sizes need to know of the world."""
        market = self._market
        match fact:
            case PriceMarked(instrument=instrument, price=price):
                market.mark(instrument, price, self.clock.monotonic())
            case EquityChanged(strategy=strategy, equity=equity):
                market.equities[strategy] = equity
            case InstrumentCompleted(instrument=instrument):
                market.know(instrument)
            case DataStale(instruments=instruments):
                market.silent = instruments
            case StagesBehind(stages=stages, store=store):
                market.behind, market.store = stages, store
            case QuarantineChanged(places=places):
                market.quarantine = places
            case RatesChanged(rates=rates):
                market.rates = rates
            case BreaksChanged(differences=differences):
                market.broken = frozenset(differences)
                self._state.differ(differences)
            case LinkChanged(connection=connection, up=up, reason=reason):
                market.links_down = {**market.links_down, connection: reason}
                if up:
                    del market.links_down[connection]
            case Ready(accounts=accounts):
                market.accounts = accounts
            case SetWeights(records=records):
                market.homes = {record.name: record.account for record in records if record.account}
            case _:
                assert_never(fact)

    def apply(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self._state.apply(entry)

    def rehearse(self) -> Trial:
        return RiskState.load(self._state.dump()).apply

    def skip(self, seq: int) -> None:
        self._state.skip(seq)

    def _take_orders(self, taken: AllOrders | OrderOrRouteChanged | None) -> None:
        """How orders stand, and whose can be sent; None where that is known."""
        routes = self._market.routes
        match taken:
            case OrderChanged(order=order):
                self._state.observe(order)
            case RouteChanged(client_id=client_id, open=is_open):
                (routes.add if is_open else routes.discard)(client_id)
            case AllOrders(orders=orders):
                self._state.replace_orders(orders)
                self._market.routes = set(taken.routes)

    # From request to intent

    def _decide(self, request: Signal | OrderRequest) -> OrderIntent | Rejected | None:
        """The intent is passed on; a rejection is sent to the strategy. Returned for an operator's request."""
        decision = self._pretrade.decide(request, self.clock.now(), self.clock.monotonic())
        if decision is not None:
            self._pass_on(decision)
        return decision

    def _pass_on(self, decision: OrderIntent | Rejected) -> None:
        if isinstance(decision, Rejected):
            self._reject(decision)
        else:
            chaos.point("risk: after approval, before the intent is passed on")
            self._orders.tell(SubmitIntent(decision))

    def _pursue_targets(self) -> None:
        """Targets that wait for the end of orders go on; what a new target replaces is cancelled."""
        if self._state.moved:
            for decision in self._pretrade.pursue(self.clock.now(), self.clock.monotonic()):
                self._pass_on(decision)
        cancels = self._pretrade.cancels
        while cancels:
            self._orders.tell(cancels.pop(0))

    def _decide_change(self, change: OrderModification) -> None:
        decision = self._pretrade.decide_change(change, self.clock.now(), self.clock.monotonic())
        if isinstance(decision, Rejected):
            self._reject(decision)
        elif decision is None:
            self.log.warning("order modification discarded: no such working order", intent=change.intent_id)
        else:
            self._orders.tell(ModifyIntent(decision))

    def _handled(self, strategy: StrategyName) -> None:
        self.runtime.ref(strategy_at(strategy)).offer(RequestHandled())

    def _route(self, strategy: StrategyName) -> int:
        if strategy not in self._routes:
            self.writes.attempt(lambda: self._routes.update({strategy: self._journal.client_id(strategy)}))
        return self._routes.get(strategy, NO_CLIENT)

    def _reject(self, rejected: Rejected) -> None:
        """Tell the strategy."""
        order, rejection = rejected.order, rejected.rejection
        self.log.info(
            "order rejected",
            strategy=order.strategy,
            instrument=order.instrument,
            code=rejection.code,
            text=rejection.text,
        )
        self.runtime.ref(strategy_at(order.strategy)).offer(OrderDenied(order, rejection))

    # What a crash must not lose

    def _halt(self, command: Halt | Resume) -> None:
        """A halt, or the end of one."""
        self._unrecorded[command.scope] = self.clock.now()
        match command:
            case Halt(scope=scope, reason=reason):
                self._market.halts[scope] = reason
            case Resume(scope=scope):
                self._market.halts.pop(scope, None)
            case _:
                assert_never(command)
        self._record_halts()

    def _record_halts(self) -> None:
        """A halt is in force at once, and recorded as soon as the journal takes it."""
        for scope, time in tuple(self._unrecorded.items()):
            reason = self._market.halts.get(scope)
            if not self.writes.attempt(
                partial(self._journal.clear_halt, scope)
                if reason is None
                else partial(self._journal.set_halt, scope, reason, time)
            ):
                return
            del self._unrecorded[scope]

    def _save(self) -> None:
        self._record_halts()
        if self.save_due():
            self.save(self._state.dump())

    def on_stop(self) -> None:
        self._save()
