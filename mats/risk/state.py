"""What the risk manager keeps: positions by the log, the rest of every working order, and how fast orders came."""

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import chain

import msgspec
from msgspec.structs import replace

from mats.ledger.books import book_key
from mats.model import (
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
    OrderState,
    OrderView,
    Side,
    StrategyName,
)


class Exposure(msgspec.Struct, frozen=True):
    """A position and what working orders may still add to it: `buying` and `selling` are unsigned."""

    position: Decimal
    buying: Decimal
    selling: Decimal

    @property
    def pending(self) -> Decimal:
        """Signed rest of all working orders."""
        return self.buying - self.selling

    def waiting(self, side: Side) -> Decimal:
        """What orders on `side` may still trade."""
        return self.buying if side is Side.BUY else self.selling

    def worst(self, side: Side, quantity: Decimal) -> Decimal:
        """The signed position if all orders on `side`, and one more of `quantity`, fill and none on the other."""
        return self.position + side.sign * (self.waiting(side) + quantity)

    def reduced_by(self, side: Side, quantity: Decimal) -> bool:
        """Whether such an order leads towards flat and, together with those on its way, not through it."""
        return self.position * side.sign < 0 and self.waiting(side) + quantity <= abs(self.position)


Place = tuple[AccountId, InstrumentId]

NOTHING: Mapping[StrategyName, Decimal] = {}


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
        self._positions: dict[Place, dict[StrategyName, Decimal]] = {}
        self._orders: dict[IntentId, OrderView] = {}
        self._at: dict[Place, set[IntentId]] = {}
        self._ahead: dict[IntentId, OrderView] = {}
        self._submitted: dict[StrategyName, deque[Nanos]] = {}

    def apply(self, entry: Entry) -> None:
        """Fold the next entry of the log; one that is folded already changes nothing."""
        if entry.seq <= self.seq:
            return
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} follows {self.seq}: ask the fill log for entry {self.seq + 1} first")
        self.seq = entry.seq
        change = _signed_change(entry)
        account, strategy, instrument = book_key(entry)
        here = self._positions.setdefault((account, instrument), {})
        here[strategy] = here.get(strategy, ZERO) + change
        if not isinstance(entry, AdjustmentRecorded):
            self._grow(entry.intent_id, entry.seq, change)
        if self._ahead:
            for intent_id in [i for i, view in self._ahead.items() if view.applied <= self.seq]:
                self._install(self._ahead.pop(intent_id))

    def observe(self, view: OrderView) -> None:
        """Take in how an order stands; a new intent counts from the moment its pending view is observed."""
        if view.applied > self.seq:
            self._ahead[view.intent_id] = view
        else:
            self._ahead.pop(view.intent_id, None)
            self._install(view)

    def forget(self, intent_id: IntentId) -> None:
        """The intent never became an order."""
        self._remove(intent_id)
        self._ahead.pop(intent_id, None)

    def replace_orders(self, views: Iterable[OrderView]) -> None:
        """Take in all orders that are not final: any other is gone."""
        for intent_id in list(self._orders):
            self._remove(intent_id)
        self._ahead.clear()
        for view in views:
            self.observe(view)

    @property
    def working(self) -> Mapping[IntentId, OrderView]:
        """Orders that were not final at entry `seq`; the mapping goes on showing them as they change."""
        return self._orders

    def order(self, intent_id: IntentId) -> OrderView | None:
        """The newest view of an order that was not final at entry `seq`."""
        return self._ahead.get(intent_id) or self._orders.get(intent_id)

    def exposure(
        self, account: AccountId, instrument: InstrumentId, strategy: StrategyName = "", without: IntentId = ""
    ) -> Exposure:
        """Of one strategy, or of the whole account when `strategy` is empty; `without` leaves one order out."""
        own, whole = self.exposures(account, instrument, strategy, without)
        return own if strategy else whole

    def exposures(
        self, account: AccountId, instrument: InstrumentId, strategy: StrategyName, without: IntentId = ""
    ) -> tuple[Exposure, Exposure]:
        """Of a strategy, and of the whole account; `without` leaves one order out."""
        place = account, instrument
        held = self._positions.get(place, NOTHING)
        own = held.get(strategy, ZERO)
        net = own if len(held) == 1 and own else sum(held.values(), ZERO)
        working = self._at.get(place)
        if not working:
            return Exposure(own, ZERO, ZERO), Exposure(net, ZERO, ZERO)
        rest = {Side.BUY: ZERO, Side.SELL: ZERO}
        all_rest = {Side.BUY: ZERO, Side.SELL: ZERO}
        for intent_id in working:
            view = self._orders[intent_id]
            if intent_id != without:
                left = max(view.remaining, ZERO)
                all_rest[view.side] += left
                if view.strategy == strategy:
                    rest[view.side] += left
        return Exposure(own, rest[Side.BUY], rest[Side.SELL]), Exposure(net, all_rest[Side.BUY], all_rest[Side.SELL])

    def unknown_order(self, strategy: StrategyName, instrument: InstrumentId) -> OrderView | None:
        """An order of the strategy on the instrument whose outcome is not known, if there is one."""
        for view in chain(self._ahead.values(), self._orders.values()):
            if view.state is OrderState.UNKNOWN and (view.strategy, view.instrument) == (strategy, instrument):
                return view
        return None

    def submitted(self, strategy: StrategyName, now: Nanos) -> None:
        """Count a new order of the strategy."""
        self._recent(strategy, now).append(now)

    def orders_in_last_minute(self, strategy: StrategyName, now: Nanos) -> int:
        """New orders of the strategy in the 60 seconds up to `now`."""
        return len(self._recent(strategy, now))

    def dump(self) -> bytes:
        """Positions and orders as bytes for a snapshot; views ahead of the log will be reported again."""
        positions = tuple(
            (account, strategy, instrument, quantity)
            for (account, instrument), held in self._positions.items()
            for strategy, quantity in held.items()
        )
        return msgspec.msgpack.encode(_Snapshot(self.seq, positions, tuple(self._orders.values())))

    @classmethod
    def load(cls, payload: bytes) -> "RiskState":
        """The state of `dump`."""
        snapshot = msgspec.msgpack.decode(payload, type=_Snapshot)
        state = cls(snapshot.seq)
        for account, strategy, instrument, quantity in snapshot.positions:
            state._positions.setdefault((account, instrument), {})[strategy] = quantity
        for view in snapshot.orders:
            state._install(view)
        return state

    def _recent(self, strategy: StrategyName, now: Nanos) -> deque[Nanos]:
        times = self._submitted.setdefault(strategy, deque())
        while times and times[0] <= now - MINUTE:
            times.popleft()
        return times

    def _install(self, view: OrderView) -> None:
        known = self._orders.get(view.intent_id)
        if known and known.applied > view.applied:
            view = replace(view, filled=known.filled, applied=known.applied)
        if view.state.final:
            self._remove(view.intent_id)
        else:
            self._orders[view.intent_id] = view
            self._at.setdefault((view.account, view.instrument), set()).add(view.intent_id)

    def _remove(self, intent_id: IntentId) -> None:
        view = self._orders.pop(intent_id, None)
        if view is not None:
            self._at[view.account, view.instrument].discard(intent_id)

    def _grow(self, intent_id: IntentId, seq: int, change: Decimal) -> None:
        """A fill that the installed view does not contain yet moves from its rest to the position."""
        view = self._orders.get(intent_id)
        if view:
            self._orders[intent_id] = replace(view, filled=view.filled + change * view.side.sign, applied=seq)


def _signed_change(entry: Entry) -> Decimal:
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
