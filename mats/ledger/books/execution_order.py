"""The effective steps of one book: each execution once, in its latest revision, in the order of execution.

The order is the time of the execution's first report, ties in the order of the log. Nothing was executed after its
report: a time ahead of the clock counts as the time at which the report was booked. An adjustment has no time at the
broker: it follows everything that the log had by then, and precedes what was executed later.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from mats.ledger.books.book import BookKey
from mats.model import (
    AccountId,
    AdjustmentRecorded,
    CommissionRecorded,
    Currency,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    InstrumentId,
    IntentId,
    Nanos,
    StrategyName,
)


class History(Protocol):
    """All entries of one book after entry `after`, in the order of the log, up to the one being applied at least."""

    def __call__(
        self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /
    ) -> Sequence[Entry]: ...


class Prefix:
    """The first `count` of the entries of one book, as the history of that book serves them."""

    def __init__(self, entries: Sequence[Entry], count: int) -> None:
        self._entries, self._count = entries, count

    def __call__(self, after: int) -> Sequence[Entry]:
        """Those of them after entry `after`."""
        return self._entries[bisect_right(self._entries, after, key=lambda entry: entry.seq) : self._count]


class Charge(msgspec.Struct, frozen=True):
    """A commission; `rate` is base currency for one unit of `currency` at booking, None where unknown."""

    amount: Decimal
    currency: Currency
    rate: Decimal | None = None


class Executed(msgspec.Struct, frozen=True):
    """An execution in its latest revision, ordered by its first report; `charge` is None while unknown."""

    execution: Execution
    intent_id: IntentId
    rate: Decimal | None
    charge: Charge | None


Step = Executed | AdjustmentRecorded
"""One change of a book."""


class Effective(NamedTuple):
    """What entries come to: the steps in their order, and the newest of their places.

    `charges` are the commissions of executions that were reported before them.
    """

    steps: list[Step]
    newest: Nanos
    charges: Mapping[str, Charge]


def book_key(entry: Entry) -> BookKey:
    """The book that an entry belongs to."""
    if isinstance(entry, AdjustmentRecorded):
        return entry.account, entry.strategy, entry.instrument
    return entry.execution.account, entry.strategy, entry.execution.instrument


def place_of(entry: FillRecorded) -> Nanos:
    """The time at which an execution counts."""
    return min(entry.execution.time, entry.recorded)


def effective_steps(entries: Sequence[Entry], since: Nanos = 0) -> Effective:
    """The effective steps of `entries`, all of one book in the order of the log, where `since` is the newest place
    before them."""
    fills, charges = _latest(entries)
    steps: list[tuple[Nanos, Step]] = []
    newest, seen = since, set[str]()
    for entry in entries:
        if isinstance(entry, CommissionRecorded):
            continue
        if isinstance(entry, AdjustmentRecorded):
            steps.append((newest, entry))
        elif (family := entry.execution.family) not in seen:
            seen.add(family)
            place = place_of(entry) if isinstance(entry, FillRecorded) else entry.execution.time
            newest = max(newest, place)
            fill = fills[family]
            executed = Executed(fill.execution, fill.intent_id, fill.rate, charges.pop(family, None))
            steps.append((place, executed))
    return Effective([step for _, step in sorted(steps, key=lambda placed: placed[0])], newest, charges)


def charge_of(entry: CommissionRecorded) -> Charge:
    return Charge(entry.commission.amount, entry.commission.currency, entry.rate)


def _latest(entries: Sequence[Entry]) -> tuple[dict[str, FillRecorded | FillCorrected], dict[str, Charge]]:
    """By execution family: the entry of the latest revision, and the effective commission.

    The commission of a later revision replaces that of an earlier one, and within one revision the last report counts.
    """
    fills: dict[str, FillRecorded | FillCorrected] = {}
    charges: dict[str, CommissionRecorded] = {}
    for entry in entries:
        if isinstance(entry, FillRecorded | FillCorrected):
            fills[entry.execution.family] = entry
        elif isinstance(entry, CommissionRecorded):
            known = charges.get(entry.execution.family)
            if known is None or entry.execution.revision >= known.execution.revision:
                charges[entry.execution.family] = entry
    return fills, {family: charge_of(entry) for family, entry in charges.items()}
