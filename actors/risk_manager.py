"""The risk manager: wishes become sized intents, or denials with a code; and the second stage of every fill."""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from actors.messages.broker import LinkChanged, Ready, Resync
from actors.messages.fill_log import Apply, SayHello, StagesBehind
from actors.messages.following import Inform, Leave, Left
from actors.messages.market_data import DataStale, InstrumentKnown, PriceMarked
from actors.messages.order_manager import (
    AllOrders,
    AmendIntent,
    FollowAllOrders,
    OrderChanged,
    RouteChanged,
    SubmitIntent,
)
from actors.messages.portfolio_manager import BreaksChanged, EquityChanged, RatesChanged, SetWeights
from actors.messages.risk_manager import Halt, OrderDenied, ReadHalts, Resume
from actors.stage import Stage
from mats.ledger.orders import changed_view, opening_view, refused_view
from mats.model.executions import Entry
from mats.model.money import ZERO
from mats.model.orders import (
    AccountId,
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderState,
    OrderView,
    Side,
    Signal,
    StrategyName,
)
from mats.risk.checks import check_order
from mats.risk.denial import Denial
from mats.risk.limits import Limits
from mats.risk.sizing import fraction_quantity, order_quantity, target_quantity
from mats.risk.state import RiskState
from mats.risk.world import World
from mats.runtime import MailboxSpec, Ref, chaos
from mats.store.journal import Journal

SNAPSHOT_SECONDS = 5.0


class Save(msgspec.Struct, frozen=True):
    pass


class RiskManager(Stage):
    """Second stage. Every order of every strategy passes here before it exists."""

    stage = "risk"
    mailbox = MailboxSpec(
        capacity=20_000,
        never_full=(Apply, OrderChanged, RouteChanged, StagesBehind, BreaksChanged, Halt, Resume),
        conflate=lambda message: message.instrument if isinstance(message, PriceMarked) else None,
    )

    def __init__(
        self,
        journal_path: Path,
        fill_log: Ref,
        orders: Ref,
        broker: Ref,
        informants: tuple[Ref, ...],
        limits: Limits,
        base_currency: str,
        live_accounts: tuple[AccountId, ...],
    ) -> None:
        self.fill_log = fill_log
        self._path, self._orders, self._limits = journal_path, orders, limits
        self._broker, self._informants = broker, informants
        self._base, self._live = base_currency, live_accounts

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        saved = self._journal.load_snapshot(self.stage)
        self._state = RiskState.load(saved[1]) if saved else RiskState()
        self.cursor = self._saved = self._state.seq
        self._world = World(self._limits, self._base, self._live)
        self._world.halts = {scope: halt.reason for scope, halt in self._journal.halts().items()}
        self._routes: dict[StrategyName, int] = {}
        self.say_hello()
        self._orders.tell(FollowAllOrders(self.ref))
        self._broker.tell(Resync())
        for informant in self._informants:
            informant.tell(Inform())
        self.every(SNAPSHOT_SECONDS, Save())

    def on_receive(self, message: object) -> object:
        world = self._world
        match message:
            case Apply():
                self.receive_entries(message)
            case PriceMarked(instrument=instrument, price=price):
                world.mark(instrument, price, self.clock.monotonic())
            case OrderChanged(order=order):
                self._state.observe(order)
            case Signal():
                self._size_signal(message)
            case OrderRequest():
                self._size_request(message)
            case OrderModification():
                self._modify(message)
            case AllOrders(orders=orders):
                self._state.replace_orders(orders)
            case EquityChanged(strategy=strategy, equity=equity):
                world.equities[strategy] = equity
            case InstrumentKnown(instrument=instrument):
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
            case Leave(follower=follower):
                follower.tell(Left(self.name))
            case ReadHalts():
                return dict(world.halts)
            case Save():
                self._save()
            case SayHello():
                self.say_hello()
            case _:
                return super().on_receive(message)
        return None

    def apply(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self._state.apply(entry)

    # From wish to intent

    def _size_signal(self, signal: Signal) -> None:
        """The difference between the position wished for and what is held and on its way; none is no order."""
        world, instrument = self._world, self._world.instrument(signal.instrument)
        account = world.account_of(signal.strategy)
        target = target_quantity(
            instrument, signal.strength, world.basis(signal.strategy, instrument, self.clock.now())
        )
        if isinstance(target, Denial):
            return self._deny_wish(signal, account, target)
        held = self._state.exposure(account, instrument.id, signal.strategy)
        quantity = order_quantity(target, held.position, held.pending, instrument.size_increment)
        if not quantity:
            return None
        return self._decide(
            OrderIntent(
                intent_id=signal.intent_id,
                strategy=signal.strategy,
                account=account,
                instrument=instrument,
                side=Side.of(quantity),
                quantity=abs(quantity),
                ticket=signal.ticket,
                time=signal.time,
                reason=signal.reason,
            )
        )

    def _size_request(self, request: OrderRequest) -> None:
        world, instrument = self._world, self._world.instrument(request.instrument)
        account = world.account_of(request.strategy)
        quantity = request.quantity
        if request.size is not None:
            basis = world.basis(request.strategy, instrument, self.clock.now())
            sized = fraction_quantity(instrument, request.size, basis)
            if isinstance(sized, Denial):
                return self._deny_wish(request, account, sized)
            quantity = sized
        return self._decide(
            OrderIntent(
                intent_id=request.intent_id,
                strategy=request.strategy,
                account=account,
                instrument=instrument,
                side=request.side,
                quantity=quantity or ZERO,
                ticket=request.ticket,
                time=request.time,
                reason=request.reason,
            )
        )

    def _decide(self, intent: OrderIntent) -> None:
        """The order counts as exposure from the moment it is approved."""
        denial = self._objection(intent)
        if denial is not None:
            return self._deny(replace(opening_view(intent), state=OrderState.REJECTED), denial)
        self._state.submitted(intent.strategy, self.clock.now())
        self._state.observe(opening_view(intent))
        chaos.point("risk: after approval, before the intent is passed on")
        self._orders.tell(SubmitIntent(intent))
        return None

    def _modify(self, change: OrderModification) -> None:
        """A changed order is checked like a new one of what would be left of it; a larger one counts at once."""
        order = self._state.order(change.intent_id)
        if order is None:
            self.log.warning("no such order to change", intent=change.intent_id)
            return
        changed = changed_view(order, change)
        rest = OrderIntent(
            intent_id=order.intent_id,
            strategy=order.strategy,
            account=order.account,
            instrument=self._world.instrument(order.instrument),
            side=order.side,
            quantity=changed.remaining,
            ticket=changed.ticket,
            time=change.time,
        )
        denial = self._objection(rest)
        if denial is not None:
            self._deny(order, denial)
            return
        self._state.observe(replace(order, quantity=max(order.quantity, changed.quantity)))
        self._orders.tell(AmendIntent(change))

    def _objection(self, intent: OrderIntent) -> Denial | None:
        clock, route = self.clock, self._route(intent.strategy)
        world = self._world.meets(intent, self._state, route, clock.now(), clock.monotonic())
        return check_order(intent, world, self._limits)

    def _route(self, strategy: StrategyName) -> int:
        if strategy not in self._routes:
            self._routes[strategy] = self._journal.client_id(strategy)
        return self._routes[strategy]

    # Denials

    def _deny_wish(self, wish: Signal | OrderRequest, account: AccountId, denial: Denial) -> None:
        self._deny(refused_view(wish, account, "", self.clock.now()), denial)

    def _deny(self, order: OrderView, denial: Denial) -> None:
        """Tell the strategy; `order` is as it stands without what was denied."""
        self.log.info(
            "denied", strategy=order.strategy, instrument=order.instrument, code=denial.code, text=denial.text
        )
        note = f"{denial.code}: {denial.text}"
        denied = OrderDenied(replace(order, note=note, updated=self.clock.now()), denial)
        self.runtime.ref(f"strategies/{order.strategy}").offer(denied)

    # What a crash must not lose

    def _save(self) -> None:
        if self.cursor != self._saved:
            self._journal.save_snapshot(self.stage, self.cursor, self._state.dump())
            self._saved = self.cursor

    def on_stop(self) -> None:
        self._save()
        self._journal.close()
