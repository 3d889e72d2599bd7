"""The fold of one book into completed trades, entry by entry, and again from an earlier state where the past changes.

Executions count in their latest revision, in the order of `execution_order`. An adjustment opens at its
price. Units that it removes make a trade at its price where it has a P&L, as an expiry does; else they leave without
one, because no sale is known. An adjustment of the quantity at unchanged cost is a split.
"""

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from mats.ledger.books.checkpoints import Checkpoints, PastOfBook, is_due
from mats.ledger.books.execution_order import (
    Charge,
    Effective,
    Executed,
    Prefix,
    Step,
    book_key,
    charge_of,
    effective_steps,
    place_of,
)
from mats.ledger.books.lots import Lot, Matching, OpenLots, UnchargedExecution
from mats.ledger.books.trade_record import Trade
from mats.model import (
    EXACT,
    ONE,
    ZERO,
    AdjustmentRecorded,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    IntentId,
    Nanos,
)


class LotsCheckpoint(msgspec.Struct, frozen=True):
    """The open lots after entry `seq`. `corrected` names also those that were split before their commission came."""

    lots: tuple[Lot, ...] = ()
    entries: int = 0
    seq: int = 0
    time: Nanos = 0
    corrected: frozenset[str] = frozenset()


class TripBook:
    """The lots of one book, and what tells whether an entry changes its past."""

    def __init__(self, lots: OpenLots) -> None:
        self.lots = lots
        self.entries = self.seq = 0
        self.time: Nanos = 0
        self.corrected: frozenset[str] = frozenset()
        self.checkpoints = Checkpoints[LotsCheckpoint]()

    def changes_past(self, entry: Entry) -> bool:
        """Whether an entry belongs before the end of the book, replaces an earlier one, or is about evicted trades."""
        match entry:
            case FillRecorded():
                return place_of(entry) < self.time
            case FillCorrected():
                return True
            case CommissionRecorded():
                family = entry.execution.family
                return entry.previous is not None or family in self.corrected or not self.lots.remembers(family)
            case AdjustmentRecorded():
                return False

    def has_evicted(self, entry: Entry) -> bool:
        """Whether an entry is the first commission of an execution some of whose trades were evicted."""
        if not isinstance(entry, CommissionRecorded) or entry.previous is not None:
            return False
        family = entry.execution.family
        return family not in self.corrected and not self.lots.remembers(family)

    def folded(self, entry: Entry) -> list[Trade]:
        """The trades that `entry` makes or changes at the end of the book."""
        self._count(entry)
        match entry:
            case FillRecorded():
                self.time = max(self.time, place_of(entry))
                self.checkpoints.report(entry)
                return self.lots.apply(_lot(entry.execution, entry.intent_id, entry.rate, None))
            case CommissionRecorded():
                return self.lots.charge(entry.execution.family, charge_of(entry))
            case AdjustmentRecorded():
                return _adjusted(self.lots, entry)
            case FillCorrected():
                self.corrected |= {entry.execution.family}
                return self.lots.apply(_undoing(entry)) + self.lots.apply(_replacement(entry))

    def settled_with(self, entry: Entry) -> list[Trade]:
        """The same for an entry that changes a past which is settled or not available: a commission then changes no
        trade. The book is settled with it."""
        if isinstance(entry, CommissionRecorded):
            self._count(entry)
            trades = list[Trade]()
        else:
            trades = self.folded(entry)
        self.checkpoints.settle(self.state())
        return trades

    def _count(self, entry: Entry) -> None:
        self.entries += 1
        self.seq = entry.seq

    def keep(self) -> None:
        """Keep this state, to fold again from, where one is due."""
        if is_due(self.entries):
            self.checkpoints.add(self.state())

    def state(self) -> LotsCheckpoint:
        """The present state, to fold again from."""
        lots = tuple(self.lots.lots.values())
        return LotsCheckpoint(lots, self.entries, self.seq, self.time, self.corrected | self.lots.split)


def empty_book(entry: Entry, matching: Matching) -> TripBook:
    """The book before `entry`, its first one."""
    source = entry if isinstance(entry, AdjustmentRecorded) else entry.execution
    return TripBook(OpenLots(book_key(entry), source.currency, source.multiplier, matching))


class Refolded(NamedTuple):
    """A book that was folded again from the `entries`, and the trades that they make without the last of them, and
    with it; trades that are in neither have not changed."""

    book: TripBook
    entries: Sequence[Entry]
    before: Sequence[Trade]
    after: Sequence[Trade]


def whole_fold(entries: Sequence[Entry], matching: Matching) -> tuple[TripBook, dict[str, Trade]]:
    """A book from its whole history, entry by entry, and its completed trades by id."""
    book, trades = empty_book(entries[0], matching), dict[str, Trade]()
    for number, entry in enumerate(entries, 1):
        book, before, after = _next(book, entry, Prefix(entries, number))
        for trade in before:
            del trades[trade.id]
        trades.update((trade.id, trade) for trade in after)
    return book, trades


def change_past(book: TripBook, entry: Entry, history: PastOfBook) -> Refolded | None:
    """Fold again the newest entries of a book with one that changes its past; None where that is settled or missing."""
    found = book.checkpoints.reach(history, entry, book.entries + 1)
    if found is None:
        return None
    base, later = found
    start = base or LotsCheckpoint()
    _, before = _fold(_lots_at(book.lots, start), start, later[:-1])
    lots = _lots_at(book.lots, start)
    if base is not None:
        _inherit(lots, book.lots, later, {trade.id for trade in before})
    effective, after = _fold(lots, start, later)
    changed = TripBook(lots)
    changed.entries, changed.seq, changed.time = book.entries + 1, entry.seq, effective.newest
    corrected = {entry.execution.family} if isinstance(entry, FillCorrected) else set[str]()
    changed.corrected, changed.checkpoints = book.corrected | corrected, book.checkpoints
    if isinstance(entry, FillRecorded):
        changed.checkpoints.report(entry)
    return Refolded(changed, later, before, after)


def recall(book: TripBook, entry: Entry, history: PastOfBook) -> Refolded | None:
    """Fold a book again from its whole history, for an entry about trades that were evicted; None where some of it is
    missing."""
    whole = [known for known in history(0) if known.seq <= entry.seq]
    if len(whole) != book.entries + 1:
        return None
    complete, _ = whole_fold(whole[:-1], book.lots.matching)
    complete, before, after = _next(complete, entry, Prefix(whole, len(whole)))
    return Refolded(complete, whole, before, after)


def _next(book: TripBook, entry: Entry, history: PastOfBook) -> tuple[TripBook, Sequence[Trade], Sequence[Trade]]:
    """The book after the next entry; the trades that it replaces, and those that it makes or changes."""
    if not book.changes_past(entry):
        made: Sequence[Trade] = book.folded(entry)
        before: Sequence[Trade] = ()
    elif found := change_past(book, entry, history):
        book, _, before, made = found
    else:
        made, before = book.settled_with(entry), ()
    book.keep()
    return book, before, made


def _lots_at(lots: OpenLots, start: LotsCheckpoint) -> OpenLots:
    opened = OpenLots(lots.key, lots.currency, lots.multiplier, lots.matching)
    opened.restore(start.lots)
    return opened


def _inherit(lots: OpenLots, known: OpenLots, later: Sequence[Entry], again: Collection[str]) -> None:
    """Take over the trades that wait for a commission, but for those that are folded `again`."""
    reported = {entry.execution.family for entry in later if isinstance(entry, FillRecorded)}
    lots.forgetful = known.forgetful
    lots.unfinished = {name: trade for name, trade in known.unfinished.items() if name not in again}
    for family, wait in known.waiting.items():
        pieces = [piece for piece in wait.pieces if piece[0] not in again]
        if pieces and family not in reported:
            lots.waiting[family] = UnchargedExecution(wait.size, pieces)


def _fold(lots: OpenLots, start: LotsCheckpoint, entries: Sequence[Entry]) -> tuple[Effective, list[Trade]]:
    effective = effective_steps(entries, start.time)
    for family, cost in effective.charges.items():
        lots.charge(family, cost)
    return effective, [trade for step in effective.steps for trade in _stepped(lots, step)]


def _stepped(lots: OpenLots, step: Step) -> Iterator[Trade]:
    if isinstance(step, Executed):
        yield from lots.apply(_lot(step.execution, step.intent_id, step.rate, step.charge))
    else:
        yield from _adjusted(lots, step)


def _adjusted(lots: OpenLots, entry: AdjustmentRecorded) -> list[Trade]:
    """The trades of an adjustment; units that it adds have no commission."""
    lot = Lot(
        id=f"adjustment-{entry.seq}",
        time=entry.recorded,
        price=entry.price,
        quantity=entry.quantity,
        size=entry.quantity.copy_abs(),
        rate=entry.rate,
        charge=Charge(ZERO, entry.currency, ONE),
    )
    if entry.cost is None:
        left = lots.remove(entry.quantity)
    elif entry.realized:
        return lots.apply(lot)
    elif not entry.cost and _same_side(lots.quantity, after := EXACT.add(lots.quantity, entry.quantity)):
        lots.rescale(after)
        return []
    else:
        left = lots.remove(entry.quantity)
        value = entry.cost.copy_negate() if entry.quantity.is_signed() else entry.cost
        lot = msgspec.structs.replace(lot, value=value)
    return lots.apply(lot.less(EXACT.subtract(lot.size, left.copy_abs())))


def _same_side(held: Decimal, after: Decimal) -> bool:
    return bool(held) and bool(after) and held.is_signed() == after.is_signed()


def _lot(execution: Execution, intent_id: IntentId, rate: Decimal | None, charge: Charge | None) -> Lot:
    return Lot(
        id=execution.family,
        time=execution.time,
        price=execution.price,
        quantity=execution.signed_quantity,
        size=execution.quantity,
        intent_id=intent_id,
        rate=rate,
        charge=charge,
    )


def _undoing(entry: FillCorrected) -> Lot:
    """The reversal of the corrected report, at its price."""
    old, free = entry.previous, Charge(ZERO, entry.previous.currency, ONE)
    undone = _lot(old, entry.intent_id, entry.rate, free)
    quantity = undone.quantity.copy_negate()
    return msgspec.structs.replace(undone, id=f"undone-{entry.seq}", time=entry.execution.time, quantity=quantity)


def _replacement(entry: FillCorrected) -> Lot:
    lot = _lot(entry.execution, entry.intent_id, entry.rate, Charge(ZERO, entry.execution.currency, ONE))
    return msgspec.structs.replace(lot, id=entry.execution.exec_id)
