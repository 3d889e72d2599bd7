"""The open lots of one book, and how executions close them.

Each opening is a lot, a position transaction, named by its execution. An execution closes lots of the other side,
first in, first out (or last in); its rest opens a lot of its own. A lot that is closed in parts makes a trade
for each part.

Commissions are shared by quantity: units `a` to `b` of an execution of `size` units bear `cost × b / size` less
`cost × a / size`, each rounded to `QUANTUM`. So the shares of one execution add up to its commission exactly.
"""

from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec.structs import replace

from mats.ledger.books.book import BookKey
from mats.ledger.books.execution_order import Charge
from mats.ledger.books.trade_record import Trade
from mats.model import EXACT, ONE, ZERO, Currency, IntentId, Nanos, Side, converted, prorate

EVICTED = ("", ZERO)
"""A piece that was evicted, or may have been."""

Matching = Literal["fifo", "lifo"]
"""Which lots are closed first: the oldest or the newest."""


Span = tuple[Decimal, Decimal]
"""The first unit of a piece within its execution, and the units of the execution."""

Bill = tuple[dict[Currency, Decimal], Decimal | None]
"""Commissions by currency, and in the base currency, None where a rate was not known."""


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """The open part of an execution or adjustment: `quantity`, signed, of its `size` units.

    `value` is the amount paid (long) or received (short), with multiplier, where a split has changed the units; else it
    follows from the price. `rate` is base currency for one unit of the instrument's at booking, None where unknown.
    `charge` is the commission of the whole execution, None while it is not known.
    """

    id: str
    time: Nanos
    price: Decimal
    quantity: Decimal
    size: Decimal
    intent_id: IntentId = ""
    rate: Decimal | None = None
    charge: Charge | None = None
    value: Decimal | None = None

    @property
    def used(self) -> Decimal:
        """Units of it that are closed, or have closed others."""
        return EXACT.subtract(self.size, self.quantity.copy_abs())

    def less(self, size: Decimal) -> "Lot":
        """The lot without `size` of its units."""
        left = EXACT.subtract(self.quantity.copy_abs(), size)
        value = None if self.value is None else EXACT.subtract(self.value, self.value_of(size))
        return replace(self, quantity=left.copy_sign(self.quantity), value=value)

    def value_of(self, size: Decimal) -> Decimal:
        """The value of `size` units after a split: of the whole lot the whole value, else a rounded share."""
        assert self.value is not None, f"lot {self.id} has its price"
        whole = self.quantity.copy_abs()
        return self.value if size == whole else prorate(self.value, size, whole)


class UnchargedExecution(msgspec.Struct):
    """An execution of `size` units without a commission: its trades by id, each with the first of its units."""

    size: Decimal
    pieces: list[tuple[str, Decimal]] = []


class OpenLots:
    """The open lots of one book, oldest first, and its trades whose commission is missing. Mutable.

    `split` names the open lots that were split before their commission came; they are few, and the lots can be many.
    """

    def __init__(
        self, key: BookKey, currency: Currency, multiplier: Decimal = ONE, matching: Matching = "fifo"
    ) -> None:
        self.key, self.currency, self.multiplier, self.matching = key, currency, multiplier, matching
        self.lots: OrderedDict[str, Lot] = OrderedDict()
        self.waiting: dict[str, UnchargedExecution] = {}
        self.unfinished: dict[str, Trade] = {}
        self.split: set[str] = set()
        self.forgetful = False

    @property
    def quantity(self) -> Decimal:
        """Signed units in all open lots."""
        total = ZERO
        for lot in self.lots.values():
            total = EXACT.add(total, lot.quantity)
        return total

    def apply(self, incoming: Lot) -> list[Trade]:
        """Close lots of the other side with `incoming`; its rest opens a lot. Returns the trades made."""
        trades: list[Trade] = []
        while incoming.quantity and (lot := self._opposite(incoming.quantity)):
            size = min(lot.quantity.copy_abs(), incoming.quantity.copy_abs())
            trades.append(self._closed(lot, incoming, size))
            self._keep(lot.less(size))
            incoming = incoming.less(size)
        self._keep(incoming)
        return trades

    def remove(self, quantity: Decimal) -> Decimal:
        """Remove lots of the other side without a trade; returns the rest of the signed `quantity`."""
        while quantity and (lot := self._opposite(quantity)):
            size = min(lot.quantity.copy_abs(), quantity.copy_abs())
            self._keep(lot.less(size))
            quantity = EXACT.subtract(quantity.copy_abs(), size).copy_sign(quantity)
        return quantity

    def rescale(self, quantity: Decimal) -> None:
        """A split: all lots together become `quantity` units of the same side, at unchanged cost.

        Units are shared in proportion and rounded to `QUANTUM`; the newest lot takes the rest.
        """
        whole, left = self.quantity, quantity
        for number, lot in enumerate(list(self.lots.values()), 1):
            units = left if number == len(self.lots) else prorate(quantity, lot.quantity, whole)
            left = EXACT.subtract(left, units)
            value = self._value(lot) if lot.value is None else lot.value
            price = value / (units.copy_abs() * self.multiplier)
            if lot.charge is None:
                self._forget(lot.id)
                self.waiting[lot.id] = UnchargedExecution(units.copy_abs(), [EVICTED])
                self.split.add(lot.id)
            self.lots[lot.id] = replace(
                lot, quantity=units, size=units.copy_abs(), price=price, value=value, charge=_rest(lot)
            )

    def remembers(self, family: str) -> bool:
        """Whether every trade that waits for the commission of an execution is here, and none was evicted."""
        if (wait := self.waiting.get(family)) is not None:
            known = not self.forgetful or all(name in self.unfinished for name, _ in wait.pieces)
            return known and wait.pieces[0] != EVICTED
        lot = self.lots.get(family)
        return not self.forgetful or (lot is not None and _is_whole(lot))

    def charge(self, family: str, cost: Charge) -> list[Trade]:
        """Share the commission of an execution among its trades that are here; returns those that it changed."""
        if (lot := self.lots.get(family)) is not None:
            self.lots[family] = replace(lot, charge=cost)
            self.split.discard(family)
        wait, trades = self.waiting.pop(family, UnchargedExecution(ONE, [])), list[Trade]()
        for name, first in wait.pieces:
            if (trade := self.unfinished.pop(name, None)) is not None:
                charged = _charged(trade, family, cost, (first, wait.size))
                trades.append(charged)
                if charged.uncharged and self._is_awaited(charged):
                    self.unfinished[name] = charged
        return trades

    def evict(self, family: str) -> None:
        """Keep the trades of an execution no longer; its commission needs the past then."""
        if family in self.waiting:
            self._forget(family)
            self.forgetful = True

    def _opposite(self, quantity: Decimal) -> Lot | None:
        """The next lot that `quantity` closes."""
        if not self.lots:
            return None
        lot = self.lots[next(iter(self.lots) if self.matching == "fifo" else reversed(self.lots))]
        return lot if lot.quantity.is_signed() != quantity.is_signed() else None

    def restore(self, lots: Iterable[Lot]) -> None:
        """Begin with the lots of an earlier state."""
        self.lots.update((lot.id, lot) for lot in lots)
        self.split.update(lot.id for lot in self.lots.values() if lot.charge is None and lot.value is not None)

    def _keep(self, lot: Lot) -> None:
        if lot.quantity:
            self.lots[lot.id] = lot
        else:
            self.lots.pop(lot.id, None)
            self.split.discard(lot.id)

    def _value(self, lot: Lot) -> Decimal:
        return EXACT.multiply(EXACT.multiply(lot.price, self.multiplier), lot.quantity.copy_abs())

    def _closed(self, lot: Lot, incoming: Lot, size: Decimal) -> Trade:
        account, strategy, instrument = self.key
        bill: Bill = ({}, ZERO)
        for end in (lot, incoming):
            if end.charge is not None:
                bill = _billed(bill, end.charge, size, (end.used, end.size))
        trade = Trade(
            account=account,
            strategy=strategy,
            instrument=instrument,
            currency=self.currency,
            multiplier=self.multiplier,
            side=Side.SELL if lot.quantity.is_signed() else Side.BUY,
            quantity=size,
            entry_id=lot.id,
            entry_time=lot.time,
            entry_price=lot.price,
            entry_intent=lot.intent_id,
            entry_value=None if lot.value is None else lot.value_of(size),
            exit_id=incoming.id,
            exit_time=incoming.time,
            exit_price=incoming.price,
            exit_intent=incoming.intent_id,
            rate=incoming.rate,
            commissions=bill[0],
            commissions_base=bill[1],
            uncharged=tuple(end.id for end in (lot, incoming) if end.charge is None),
        )
        for end in (lot, incoming):
            if end.charge is None:
                self._wait(end, trade)
        return trade

    def _is_awaited(self, trade: Trade) -> bool:
        """Whether one of its executions waits for a commission that can be shared without the past."""
        return any(family in self.waiting for family in trade.uncharged)

    def _wait(self, end: Lot, trade: Trade) -> None:
        wait = self.waiting.get(end.id)
        if wait is None:
            incomplete = self.forgetful and not _is_whole(end)
            wait = self.waiting[end.id] = UnchargedExecution(end.size, [EVICTED] if incomplete else [])
        name = trade.id
        wait.pieces.append((name, end.used))
        self.unfinished[name] = trade

    def _forget(self, family: str) -> None:
        """An execution waits no longer; of its trades only those stay whose other execution does."""
        wait = self.waiting.pop(family, None)
        for name, _ in wait.pieces if wait else ():
            if name in self.unfinished and not self._is_awaited(self.unfinished[name]):
                del self.unfinished[name]


def _is_whole(lot: Lot) -> bool:
    """Whether nothing of an execution was closed or split, so that no trade is made of it yet."""
    return not lot.used and lot.value is None


def _charged(trade: Trade, family: str, charge: Charge, span: Span) -> Trade:
    """The trade with its share of the commission of one of its executions."""
    bill = (trade.commissions, trade.commissions_base)
    commissions, base = _billed(bill, charge, trade.quantity, span)
    uncharged = tuple(name for name in trade.uncharged if name != family)
    return replace(trade, commissions=commissions, commissions_base=base, uncharged=uncharged)


def _billed(bill: Bill, charge: Charge, quantity: Decimal, span: Span) -> Bill:
    """The commissions of a trade of `quantity` units with its share of one more."""
    if not charge.amount:
        return bill
    commissions, base = bill
    part = _part(charge.amount, quantity, span)
    commissions = {**commissions, charge.currency: EXACT.add(commissions.get(charge.currency, ZERO), part)}
    if base is None or charge.rate is None:
        return commissions, None
    in_base = converted(charge.amount, charge.rate)
    return commissions, EXACT.add(base, part if in_base == charge.amount else _part(in_base, quantity, span))


def _part(amount: Decimal, quantity: Decimal, span: Span) -> Decimal:
    """The share of `amount` that `quantity` units of an execution bear."""
    first, size = span
    last = EXACT.add(first, quantity)
    upto = amount if last == size else prorate(amount, last, size)
    return EXACT.subtract(upto, prorate(amount, first, size)) if first else upto


def _rest(lot: Lot) -> Charge | None:
    """The share of the lot's commission that its open units bear."""
    if lot.charge is None:
        return None
    rest = _part(lot.charge.amount, lot.quantity.copy_abs(), (lot.used, lot.size))
    return replace(lot.charge, amount=rest)
