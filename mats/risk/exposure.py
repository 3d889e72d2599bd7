"""Exposure: positions by the log, the rest of every working order, and how many orders came within a minute."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.ledger.books import book_key
from mats.model import (
    DISCRETIONARY,
    MINUTE,
    ZERO,
    AccountId,
    AdjustmentRecorded,
    CommissionRecorded,
    Entry,
    FillCorrected,
    FillRecorded,
    InstrumentId,
    IntentId,
    Nanos,
    OrderIntent,
    OrderState,
    OrderView,
    PositionKey,
    Side,
    StrategyName,
    opening_view,
)
from mats.risk.open_orders import Families, KnownOrder, OrderInProgress, is_conditional, remaining
from mats.risk.targets import Target

BUY = Side.BUY


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """A position and what working orders may still add to it: `buying` and `selling` are unsigned.

    `buy_stops` and `sell_stops` are the parts of them that wait for a price and may never come. `supported` is how much
    of the position can still be closed before the account would hold what no strategy wants; None where that is all.
    """

    position: Decimal = ZERO
    buying: Decimal = ZERO
    selling: Decimal = ZERO
    buy_stops: Decimal = ZERO
    sell_stops: Decimal = ZERO
    supported: Decimal | None = None

    @property
    def pending(self) -> Decimal:
        """Signed rest of all working orders."""
        return self.buying - self.selling

    def worst(self, side: Side, quantity: Decimal) -> Decimal:
        """The signed position if all orders on `side`, and one more of `quantity`, fill and none on the other."""
        if side is BUY:
            return self.position + (self.buying + quantity)
        return self.position - (self.selling + quantity)

    def closable(self, side: Side) -> Decimal:
        """How much an order on `side` can close, whatever fills of the other orders; 0 where it would open."""
        room = -self.position - self.buying if side is BUY else self.position - self.selling
        if self.supported is not None and self.supported < room:
            room = self.supported
        return max(room, ZERO)

    def reduced_by(self, side: Side, quantity: Decimal) -> bool:
        """Whether an order of `quantity`, above 0, leads towards flat and, with those on their way, not through it.

        Stops that protect the position may stand beside its exit, as long as nothing larger can come of all together.
        """
        if side is BUY:
            held, closing, stops = -self.position, self.buying + quantity, self.buy_stops
        else:
            held, closing, stops = self.position, self.selling + quantity, self.sell_stops
        return closing <= held or (closing - stops <= held and closing <= 2 * held)


class Position(msgspec.Struct):
    """What an account holds of an instrument, in all and by strategy, and the orders that may change it.

    `targets` are those that stand, as long as orders of their strategy are open; see `mats.risk.targets`. `difference`
    is what the broker holds beyond all books while there is a break, `unowned` what it holds that no strategy has
    traded: Discretionary's book and the difference. `reducing` are the orders that only reduce, or protect.
    """

    net: Decimal = ZERO
    held: dict[StrategyName, Decimal] = {}
    orders: dict[IntentId, KnownOrder] = {}
    targets: dict[StrategyName, Target] = {}
    difference: Decimal = ZERO
    unowned: Decimal = ZERO
    reducing: set[IntentId] = set()


class _Snapshot(msgspec.Struct, frozen=True):
    seq: int
    positions: tuple[tuple[AccountId, StrategyName, InstrumentId, Decimal], ...]
    orders: tuple[OrderView, ...]


class RiskState:
    """Positions up to entry `seq` of the log, and orders that fit them.

    A view of an order may run ahead of the log here (its `applied` is above `seq`). It waits until the log has caught
    up, so that a fill is never counted twice, as position and as rest, nor not at all.
    """

    def __init__(self, seq: int = 0) -> None:
        self.seq = seq
        self.positions: defaultdict[PositionKey, Position] = defaultdict(Position)
        """What is held and working at each place; a position goes on showing that as it changes."""
        self.working: dict[IntentId, Position] = {}
        """Orders that were not final at entry `seq`, by where they count."""
        self._ahead: dict[IntentId, OrderView] = {}
        self.moved: list[Position] = []
        """Places with targets where something has happened to an order or to what is held."""
        self.unknown: dict[IntentId, OrderView] = {}
        """Orders whose outcome is not known, by the view that says so."""
        self._differing: tuple[PositionKey, ...] = ()
        self._submitted: defaultdict[StrategyName, deque[Nanos]] = defaultdict(deque)

    # Exposure

    def exposure(
        self, account: AccountId, instrument: InstrumentId, strategy: StrategyName = "", without: IntentId = ""
    ) -> Exposure:
        """Of one strategy, or of the whole account when `strategy` is empty; `without` leaves one order out."""
        own, whole = self.exposures(self.positions[account, instrument], strategy, without)
        return own if strategy else whole

    @staticmethod
    def exposures(position: Position, strategy: StrategyName, without: IntentId = "") -> tuple[Exposure, Exposure]:
        """Of a strategy, and of the whole account; `without` leaves one order out."""
        held = position.held.get(strategy, ZERO)
        unowned = position.unowned
        if not position.orders:
            supported = _supported(position, held, unowned) if unowned else None
            return Exposure(held, ZERO, ZERO, ZERO, ZERO, supported), Exposure(position.net)
        buying = selling = all_buying = all_selling = buy_stops = sell_stops = ZERO
        families: Families | None = None
        for intent_id, order in position.orders.items():
            left = remaining(order)
            if order.parent and intent_id != without:
                families = families or Families(position.orders)
                left = families.adds(order, left)
            if intent_id == without or left <= ZERO:
                continue
            own = left if order.strategy == strategy else ZERO
            stops = own if is_conditional(order) else ZERO
            if order.side is BUY:
                buying, all_buying, buy_stops = buying + own, all_buying + left, buy_stops + stops
            else:
                selling, all_selling, sell_stops = selling + own, all_selling + left, sell_stops + stops
        supported = None
        if unowned and held > ZERO:
            supported = _supported(position, held, unowned, selling - sell_stops, all_selling - selling)
        elif unowned:
            supported = _supported(position, held, unowned, buying - buy_stops, all_buying - buying)
        own_exposure = Exposure(held, buying, selling, buy_stops, sell_stops, supported)
        return own_exposure, Exposure(position.net, all_buying, all_selling)

    def unknown_order(self, strategy: StrategyName, instrument: InstrumentId) -> OrderView | None:
        """An order of the strategy on the instrument whose outcome is not known, if there is one."""
        for view in self.unknown.values():
            if (view.strategy, view.instrument) == (strategy, instrument):
                return view
        return None

    def order(self, intent_id: IntentId) -> OrderView | None:
        """The newest view of an order that was not final at entry `seq`."""
        if (ahead := self._ahead.get(intent_id)) is not None:
            return ahead
        position = self.working.get(intent_id)
        return None if position is None else _view(position.orders[intent_id])

    def orders_in_last_minute(self, strategy: StrategyName, now: Nanos) -> int:
        """New orders of the strategy in the 60 seconds up to `now`."""
        times, past = self._submitted[strategy], now - MINUTE
        while times and times[0] <= past:
            times.popleft()
        return len(times)

    # What happens to orders

    def approve(self, intent: OrderIntent, position: Position, now: Nanos) -> None:
        """An order exists from now on: it counts as exposure, and as one more of its strategy's within the minute."""
        self.submitted(intent.strategy, now)
        self.working[intent.intent_id] = position
        position.orders[intent.intent_id] = intent
        if intent.reduce_only or intent.parent:
            position.reducing.add(intent.intent_id)

    def follow(self, intent_id: IntentId, order: OrderInProgress) -> None:
        """From now on an approved order counts as it is, without being told of its changes."""
        self.working[intent_id].orders[intent_id] = order

    def submitted(self, strategy: StrategyName, now: Nanos) -> None:
        """Count a new order of the strategy."""
        self._submitted[strategy].append(now)

    def observe(self, view: OrderView) -> None:
        """Take in how an order stands; a new order counts from the moment its pending view is observed."""
        if view.applied > self.seq:
            self._ahead[view.intent_id] = view
        else:
            self._ahead.pop(view.intent_id, None)
            self._install(view)
        self._mark_unknown(view.intent_id)

    def forget(self, intent_id: IntentId) -> None:
        """The order works no more, or never did."""
        position = self.working.pop(intent_id, None)
        if position is not None:
            order = position.orders.pop(intent_id)
            position.reducing.discard(intent_id)
            if position.targets:
                self._left(position, intent_id, order)
        self._ahead.pop(intent_id, None)
        self.unknown.pop(intent_id, None)

    def replace_orders(self, views: Iterable[OrderView]) -> None:
        """Take in all orders that are not final: any other is gone."""
        newest = {view.intent_id: view for view in views}
        for intent_id in {**self.working, **self._ahead}:
            if intent_id not in newest:
                self.forget(intent_id)
            elif (position := self.working.pop(intent_id, None)) is not None:
                del position.orders[intent_id]
        self._ahead.clear()
        self.unknown.clear()
        for view in newest.values():
            self.observe(view)

    # What the log says

    def apply(self, entry: Entry) -> None:
        """Fold the next entry of the log; one that is folded already changes nothing."""
        if entry.seq <= self.seq:
            return
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} follows {self.seq}: ask the fill log for entry {self.seq + 1} first")
        account, strategy, instrument = book_key(entry)
        change = signed_change(entry)
        self.book(entry.seq, self.positions[account, instrument], strategy, change)
        if not isinstance(entry, AdjustmentRecorded):
            self._grow(entry.intent_id, change)
        self._catch_up()

    def skip(self, seq: int) -> None:
        """Entry `seq` changes nothing here."""
        self.seq = seq
        self._catch_up()

    def _catch_up(self) -> None:
        """Views that ran ahead of the log count from the entry that they contain."""
        for caught_up in [i for i, view in self._ahead.items() if view.applied <= self.seq]:
            self._install(self._ahead.pop(caught_up))
            self._mark_unknown(caught_up)

    def book(self, seq: int, position: Position, strategy: StrategyName, change: Decimal) -> None:
        """Entry `seq` changes what a strategy holds by a signed quantity."""
        self.seq = seq
        position.held[strategy] = position.held.get(strategy, ZERO) + change
        position.net += change
        if strategy == DISCRETIONARY:
            position.unowned += change
        if position.targets or position.reducing:
            self.moved.append(position)

    def differ(self, differences: Mapping[PositionKey, Decimal]) -> None:
        """What the broker holds beyond all books, by place, where there is a break; elsewhere they agree."""
        for key in dict.fromkeys((*self._differing, *differences)):
            position, difference = self.positions[key], differences.get(key, ZERO)
            position.unowned += difference - position.difference
            position.difference = difference
        self._differing = tuple(differences)

    def filled(self, position: Position, order: KnownOrder) -> None:
        """An order has a fill. One that protects the position ends the target: the strategy is to decide anew."""
        target = position.targets.get(order.strategy)
        if target is not None and is_conditional(order):
            target.over = True

    def _left(self, position: Position, intent_id: IntentId, order: KnownOrder) -> None:
        """An order is not open any more. Ended by others than its target, an unfilled one ends that."""
        target = position.targets.get(order.strategy)
        if target is not None:
            ended = target.owns(intent_id) and intent_id not in target.withdrawn and remaining(order) > ZERO
            target.over = target.over or ended
            self.moved.append(position)

    # What a crash must not lose

    def dump(self) -> bytes:
        """Positions and orders as bytes for a snapshot; views ahead of the log will be reported again."""
        positions = tuple(
            (account, strategy, instrument, quantity)
            for (account, instrument), position in self.positions.items()
            for strategy, quantity in position.held.items()
        )
        orders = tuple(_view(position.orders[intent_id]) for intent_id, position in self.working.items())
        return msgspec.msgpack.encode(_Snapshot(self.seq, positions, orders))

    @classmethod
    def load(cls, payload: bytes) -> "RiskState":
        """The state of `dump`."""
        snapshot = msgspec.msgpack.decode(payload, type=_Snapshot)
        state = cls(snapshot.seq)
        for account, strategy, instrument, quantity in snapshot.positions:
            state.book(snapshot.seq, state.positions[account, instrument], strategy, quantity)
        for view in snapshot.orders:
            state.observe(view)
        return state

    def _install(self, view: OrderView) -> None:
        position = self.working.get(view.intent_id)
        if position is not None:
            known = _view(position.orders[view.intent_id])
            if known.applied > view.applied:
                view = replace(view, filled=known.filled, applied=known.applied)
        if view.state.final:
            if position is not None:
                position.orders[view.intent_id] = view
            self.forget(view.intent_id)
            return
        if position is None:
            position = self.working[view.intent_id] = self.positions[view.account, view.instrument]
        position.orders[view.intent_id] = view
        if view.reduce_only or view.parent:
            position.reducing.add(view.intent_id)

    def _grow(self, intent_id: IntentId, change: Decimal) -> None:
        """A fill that the view does not contain yet moves from its rest to the position."""
        position = self.working.get(intent_id)
        if position is not None:
            self.filled(position, position.orders[intent_id])
            view = _view(position.orders[intent_id])
            grown = view.filled + change * view.side.sign
            position.orders[intent_id] = replace(view, filled=grown, applied=self.seq)

    def _mark_unknown(self, intent_id: IntentId) -> None:
        position = self.working.get(intent_id)
        known = None if position is None else position.orders[intent_id]
        self.unknown.pop(intent_id, None)
        for view in (known, self._ahead.get(intent_id)):
            if isinstance(view, OrderView) and view.state is OrderState.UNKNOWN:
                self.unknown[intent_id] = view


def _supported(
    position: Position, held: Decimal, unowned: Decimal, closing: Decimal = ZERO, others: Decimal = ZERO
) -> Decimal | None:
    """How much of `held` an exit may close besides `closing`, when other strategies may trade `others` the same way.

    An exit may carry the account to zero, or to what the other strategies hold where that lies beyond. What nobody's
    strategy traded the other way (a liquidation, a trade by hand, a break) has taken its part of that already.
    """
    if (held > ZERO) == (unowned > ZERO) or not held:
        return None
    rest = position.net - position.held.get(DISCRETIONARY, ZERO) - held
    if held < ZERO:
        rest = -rest
    return max(ZERO, abs(held) - abs(unowned) + max(rest - others, ZERO) - closing)


def _view(order: KnownOrder) -> OrderView:
    if isinstance(order, OrderView):
        return order
    return opening_view(order) if isinstance(order, OrderIntent) else order.view()


def signed_change(entry: Entry) -> Decimal:
    """What an entry adds to the position."""
    match entry:
        case FillRecorded():
            return entry.execution.signed_quantity
        case CommissionRecorded():
            return ZERO
        case AdjustmentRecorded():
            return entry.quantity
        case FillCorrected():
            return entry.execution.signed_quantity - entry.previous.signed_quantity
