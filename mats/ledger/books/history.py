"""What happened to one book, settled: each execution once, in its latest revision, in the order of execution.

The order is the time of the execution's first report, ties in the order of the log. An adjustment has no time at the
broker: it stands behind everything that the log had by then, and before what was executed later.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

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

History = Callable[[AccountId, StrategyName, InstrumentId], Sequence[Entry]]
"""All entries of one book in the order of the log, up to the one being applied at least."""


class Charge(msgspec.Struct, frozen=True):
    """What an execution cost; `rate` is base currency for one unit of `currency` at booking, None where unknown."""

    amount: Decimal
    currency: Currency
    rate: Decimal | None = None


class Executed(msgspec.Struct, frozen=True):
    """An execution in its latest revision at the place of its first report; `charge` is None while it is not known."""

    execution: Execution
    intent_id: IntentId
    rate: Decimal | None
    charge: Charge | None


Step = Executed | AdjustmentRecorded
"""One thing that happened to a book."""


def key_of(entry: Entry) -> BookKey:
    """The book that an entry belongs to."""
    if isinstance(entry, AdjustmentRecorded):
        return entry.account, entry.strategy, entry.instrument
    return entry.execution.account, entry.strategy, entry.execution.instrument


def settled(entries: Sequence[Entry]) -> tuple[list[Step], Nanos]:
    """What happened according to `entries`, all of one book in the order of the log; and the newest place."""
    fills, charges = _latest(entries)
    steps: list[tuple[Nanos, Step]] = []
    newest, seen = 0, set[str]()
    for entry in entries:
        if isinstance(entry, CommissionRecorded):
            continue
        if isinstance(entry, AdjustmentRecorded):
            steps.append((newest, entry))
        elif (family := entry.execution.family) not in seen:
            seen.add(family)
            newest = max(newest, entry.execution.time)
            fill = fills[family]
            executed = Executed(fill.execution, fill.intent_id, fill.rate, charges.get(family))
            steps.append((entry.execution.time, executed))
    return [step for _, step in sorted(steps, key=lambda placed: placed[0])], newest


def charge_of(entry: CommissionRecorded) -> Charge:
    return Charge(entry.commission.amount, entry.commission.currency, entry.rate)


def _latest(entries: Sequence[Entry]) -> tuple[dict[str, FillRecorded | FillCorrected], dict[str, Charge]]:
    """By execution family: the entry of the latest revision, and the commission that holds.

    The commission of a later revision replaces that of an earlier one, and of one revision the last report holds.
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
