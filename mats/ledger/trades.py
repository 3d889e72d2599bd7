"""Round trips: what was opened first is closed first, and each closed piece is one trade with its result."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.ledger.history import Charge, Executed, Step, key_of, settled
from mats.model.executions import AdjustmentRecorded, Entry
from mats.model.instrument import InstrumentId
from mats.model.money import ONE, ZERO, Currency
from mats.model.orders import AccountId, Side, StrategyName
from mats.model.timestamp import Nanos


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """A piece that one execution opened and another closed; `quantity` is unsigned, `side` the one that opened it.

    `gross` is the result before commissions in `currency`. `commissions` are the shares of both executions, by their
    own currency, as far as they are known.
    """

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    currency: Currency
    multiplier: Decimal
    side: Side
    quantity: Decimal
    entry_id: str
    entry_time: Nanos
    entry_price: Decimal
    exit_id: str
    exit_time: Nanos
    exit_price: Decimal
    commissions: dict[Currency, Decimal] = {}

    @property
    def id(self) -> str:
        """Two executions meet in one trade at most, so their families name it within an account."""
        return f"{self.entry_id}/{self.exit_id}"

    @property
    def gross(self) -> Decimal:
        return (self.exit_price - self.entry_price) * self.quantity * self.multiplier * self.side.sign


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """What is still open of one execution or adjustment; `quantity` is signed."""

    id: str
    time: Nanos
    price: Decimal
    quantity: Decimal


class Lots(msgspec.Struct, frozen=True, kw_only=True):
    """The open lots of one book, oldest first."""

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    currency: Currency = "USD"
    multiplier: Decimal = ONE
    lots: tuple[Lot, ...] = ()

    @property
    def quantity(self) -> Decimal:
        return sum((lot.quantity for lot in self.lots), ZERO)


def match(lots: Lots, incoming: Lot) -> tuple[Lots, tuple[Trade, ...]]:
    """Close the oldest lots of the other side with `incoming`; what is left of it opens a lot."""
    trades, open_lots, left = [], list(lots.lots), incoming.quantity
    while open_lots and left and open_lots[0].quantity * left < 0:
        oldest = open_lots[0]
        size = min(abs(oldest.quantity), abs(left))
        trades.append(_trade(lots, oldest, incoming, size))
        left += size if left < 0 else -size
        rest = oldest.quantity + (size if oldest.quantity < 0 else -size)
        open_lots[:1] = [replace(oldest, quantity=rest)] if rest else []
    if left:
        open_lots.append(replace(incoming, quantity=left))
    return replace(lots, lots=tuple(open_lots)), tuple(trades)


def round_trips(entries: Sequence[Entry]) -> tuple[Trade, ...]:
    """The completed trades of one book, each execution at its latest revision and with its share of commissions.

    An adjustment opens and closes like a trade at its price, for no better one is known.
    """
    if not entries:
        return ()
    steps, _ = settled(entries)
    executed = {step.execution.family: step for step in steps if isinstance(step, Executed)}
    lots = _lots_of(entries[0])
    trades: list[Trade] = []
    for step in steps:
        lots, closed = match(lots, _incoming(step))
        trades.extend(closed)
    return tuple(_charged(trade, executed) for trade in trades)


def _lots_of(entry: Entry) -> Lots:
    account, strategy, instrument = key_of(entry)
    source = entry if isinstance(entry, AdjustmentRecorded) else entry.execution
    return Lots(
        account=account,
        strategy=strategy,
        instrument=instrument,
        currency=source.currency,
        multiplier=source.multiplier,
    )


def _incoming(step: Step) -> Lot:
    """The lot that a step brings."""
    if isinstance(step, AdjustmentRecorded):
        return Lot(id=f"adjustment-{step.seq}", time=step.recorded, price=step.price, quantity=step.quantity)
    execution = step.execution
    return Lot(id=execution.family, time=execution.time, price=execution.price, quantity=execution.signed_quantity)


def _trade(lots: Lots, opened: Lot, closed: Lot, size: Decimal) -> Trade:
    return Trade(
        account=lots.account,
        strategy=lots.strategy,
        instrument=lots.instrument,
        currency=lots.currency,
        multiplier=lots.multiplier,
        side=Side.of(opened.quantity),
        quantity=size,
        entry_id=opened.id,
        entry_time=opened.time,
        entry_price=opened.price,
        exit_id=closed.id,
        exit_time=closed.time,
        exit_price=closed.price,
    )


def _charged(trade: Trade, executed: dict[str, Executed]) -> Trade:
    """The trade with its share, by quantity, of what its two executions cost."""
    shares: dict[Currency, Decimal] = {}
    for family in (trade.entry_id, trade.exit_id):
        step = executed.get(family)
        cost: Charge | None = step.charge if step else None
        if step and cost:
            share = cost.amount * trade.quantity / step.execution.quantity
            shares[cost.currency] = shares.get(cost.currency, ZERO) + share
    return replace(trade, commissions=shares)
