"""The risk manager: turns requests into sized, checked intents or rejections; second stage of every fill."""

from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import Stage
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
    AllOrders,
    ModifyIntent,
    OrderChanged,
    RouteChanged,
    SubmitIntent,
    SubscribeAllOrders,
)
from actors.messages.portfolio_manager import BreaksChanged, EquityChanged, RatesChanged, SetWeights
from actors.messages.risk_manager import Halt, OrderDenied, PlaceOrder, ReadHalts, Resume
from actors.messages.subscription import Republish, Unsubscribe, Unsubscribed
from mats.model import AccountId, Entry, OrderIntent, OrderModification, OrderRequest, Signal, StrategyName
from mats.risk import Denied, Limits, RiskDesk, RiskState, World
from mats.runtime import MailboxSpec, Ref
from mats.runtime.testing import chaos
from mats.store.journal import Journal

SNAPSHOT_SECONDS = 5.0


class Save(msgspec.Struct, frozen=True):
    pass


class RiskManager(Stage[RiskManagerMessage | Save]):
    """Second stage. Every order of every strategy passes here before it exists."""

    stage = "risk"
    mailbox = MailboxSpec(
        capacity=20_000,
        never_full=(ApplyEntries, OrderChanged, RouteChanged, StagesBehind, BreaksChanged, Halt, Resume),
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
        saved = self._journal.load_snapshot(self.stage)
        self._state = RiskState.load(saved[1]) if saved else RiskState()
        self.resume_at(self._state.seq)
        self._world = World(self._limits, self._base, self._live)
        self._world.halts = {scope: halt.reason for scope, halt in self._journal.halts().items()}
        self._routes: dict[StrategyName, int] = {}
        self._desk = RiskDesk(self._state, self._world, self._limits, self._route)
        self.report_cursor()
        self._orders.tell(SubscribeAllOrders(self.ref))
        self._broker.tell(RequestSnapshot())
        for publisher in self._publishers:
            publisher.tell(Republish())
        self.every(SNAPSHOT_SECONDS, Save())

    def on_receive(self, message: RiskManagerMessage | Save) -> object:
        world = self._world
        match message:
            case ApplyEntries():
                self.receive_entries(message)
            case PriceMarked(instrument=instrument, price=price):
                world.mark(instrument, price, self.clock.monotonic())
            case OrderChanged(order=order):
                self._state.observe(order)
            case Signal() | OrderRequest():
                self._decide(message)
            case PlaceOrder(request=request):
                return message.answer(self._decide(request))
            case OrderModification():
                self._decide_change(message)
            case AllOrders(orders=orders):
                self._state.replace_orders(orders)
            case EquityChanged(strategy=strategy, equity=equity):
                world.equities[strategy] = equity
            case InstrumentCompleted(instrument=instrument):
                world.know(instrument)
            case DataStale(instruments=instruments):
                world.silent = instruments
            case RouteChanged(client_id=client_id, open=is_open):
                (world.routes.add if is_open else world.routes.discard)(client_id)
            case StagesBehind(stages=stages):
                world.behind = stages
            case RatesChanged(rates=rates):
                world.rates = rates
            case BreaksChanged(places=places):
                world.broken = places
            case LinkChanged(connection=connection, up=up, reason=reason):
                world.links_down = {**world.links_down, connection: reason}
                if up:
                    del world.links_down[connection]
            case Ready(accounts=accounts):
                world.accounts = accounts
            case SetWeights(records=records):
                world.homes = {record.name: record.account for record in records if record.account}
            case Halt(scope=scope, reason=reason):
                self._journal.set_halt(scope, reason, self.clock.now())
                world.halts[scope] = reason
            case Resume(scope=scope):
                self._journal.clear_halt(scope)
                world.halts.pop(scope, None)
            case Unsubscribe(follower=follower):
                follower.tell(Unsubscribed(self.name))
            case ReadHalts():
                return message.answer(dict(world.halts))
            case Save():
                self._save()
            case ReportCursor():
                self.report_cursor()
            case _:
                assert_never(message)
        return None

    def apply(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self._state.apply(entry)

    # From request to intent

    def _decide(self, wish: Signal | OrderRequest) -> OrderIntent | Denied | None:
        """The intent is passed on; a rejection is sent to the strategy. Returned for an operator's request."""
        decision = self._desk.decide(wish, self.clock.now(), self.clock.monotonic())
        if isinstance(decision, Denied):
            self._deny(decision)
        elif decision is not None:
            chaos.point("risk: after approval, before the intent is passed on")
            self._orders.tell(SubmitIntent(decision))
        return decision

    def _decide_change(self, change: OrderModification) -> None:
        decision = self._desk.decide_change(change, self.clock.now(), self.clock.monotonic())
        if isinstance(decision, Denied):
            self._deny(decision)
        elif decision is None:
            self.log.warning("order modification discarded: no such working order", intent=change.intent_id)
        else:
            self._orders.tell(ModifyIntent(decision))

    def _route(self, strategy: StrategyName) -> int:
        if strategy not in self._routes:
            self._routes[strategy] = self._journal.client_id(strategy)
        return self._routes[strategy]

    def _deny(self, denied: Denied) -> None:
        """Tell the strategy."""
        order, denial = denied.order, denied.denial
        self.log.info(
            "order rejected", strategy=order.strategy, instrument=order.instrument, code=denial.code, text=denial.text
        )
        self.runtime.ref(strategy_at(order.strategy)).offer(OrderDenied(order, denial))

    # What a crash must not lose

    def _save(self) -> None:
        if self.save_due():
            self.save(self._state.dump())

    def on_stop(self) -> None:
        self._save()
        self._journal.close()
