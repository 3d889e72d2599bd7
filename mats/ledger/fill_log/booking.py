"""Turns broker reports into entries of the fill log: each fact once, attributed, in one order."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from mats.ledger.fill_log.attribution import (
    CorrectedExecution,
    DuplicateExecution,
    NewExecution,
    StaleExecution,
    attribute,
)
from mats.model import (
    AccountId,
    Commission,
    CommissionRecorded,
    Currency,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    IntentId,
    Nanos,
    StrategyName,
)

RateOf = Callable[[Currency], Decimal | None]
"""Base currency for one unit of a currency as known now, None where it is not known."""


class BookedFacts(Protocol):
    """The facts that are booked already; the journal implements it."""

    def latest_execution(self, account: AccountId, family: str) -> FillRecorded | FillCorrected | None: ...
    def find_execution(self, exec_id: str) -> FillRecorded | FillCorrected | None: ...
    def has_commission(self, exec_id: str) -> bool: ...

    def booked_commission(self, exec_id: str) -> Commission | None:
        """The last one booked; None where there is none, or where its entry has been pruned."""
        ...

    def early_commission(self, exec_id: str) -> Commission | None: ...
    def strategy_of(self, intent_id: IntentId) -> StrategyName | None: ...
    def intent_by_perm_id(self, perm_id: int) -> IntentId | None: ...


class BookingResult(msgspec.Struct, frozen=True):
    """New entries; commissions without their execution yet; and notes for operators."""

    entries: tuple[Entry, ...]
    held: tuple[Commission, ...]
    notes: tuple[str, ...]


def in_broker_order(executions: Sequence[Execution]) -> list[Execution]:
    """Replayed executions in the order in which they happened: by time, within an order by cumulative quantity.

    A correction follows the report that it corrects, whatever its own time and quantity, so that both are booked.
    """
    positions: dict[tuple[AccountId, str], tuple[Nanos, int, Decimal]] = {}
    for e in sorted(executions, key=lambda e: e.revision):
        positions.setdefault((e.account, e.family), (e.time, e.perm_id, e.cumulative_quantity))
    return sorted(executions, key=lambda e: (*positions[e.account, e.family], e.revision))


def book_reports(
    executions: Sequence[Execution],
    commissions: Sequence[Commission],
    known: BookedFacts,
    next_seq: int,
    now: Nanos,
    rate_of: RateOf,
) -> BookingResult:
    """Entries from `next_seq` on for every execution and commission that is not booked yet."""
    batch = _Batch(known, next_seq, now, rate_of)
    for execution in executions:
        batch.execution(execution)
    for commission in commissions:
        batch.commission(commission)
    return BookingResult(tuple(batch.entries), tuple(batch.held.values()), tuple(batch.notes))


class _Batch:
    """One batch: its new entries over the facts that are booked already."""

    def __init__(self, known: BookedFacts, next_seq: int, now: Nanos, rate_of: RateOf) -> None:
        self._known, self._seq, self._now, self._rate_of = known, next_seq, now, rate_of
        self._families: dict[tuple[AccountId, str], FillRecorded | FillCorrected] = {}
        self._fills: dict[str, FillRecorded | FillCorrected] = {}
        self._charged: dict[str, Commission] = {}
        self.entries: list[Entry] = []
        self.held: dict[str, Commission] = {}
        self.notes: list[str] = []

    def execution(self, execution: Execution) -> None:
        key = (execution.account, execution.family)
        booked = self._families.get(key) or self._known.latest_execution(*key)
        rate = self._rate_of(execution.currency)
        match attribute(execution, booked, self._known.strategy_of, self._known.intent_by_perm_id):
            case NewExecution(strategy=strategy, intent_id=intent_id, reason=reason):
                if reason:
                    self.notes.append(f"execution {execution.exec_id} is booked to {strategy}: {reason}")
                self._add(
                    FillRecorded(
                        seq=self._seq,
                        strategy=strategy,
                        intent_id=intent_id,
                        execution=execution,
                        recorded=self._now,
                        rate=rate,
                    )
                )
            case CorrectedExecution(strategy=strategy, intent_id=intent_id, previous=previous):
                self.notes.append(f"execution {execution.exec_id} corrects {previous.exec_id} of {strategy}")
                self._add(
                    FillCorrected(
                        seq=self._seq,
                        strategy=strategy,
                        intent_id=intent_id,
                        execution=execution,
                        previous=previous,
                        recorded=self._now,
                        rate=booked.rate if booked and booked.rate is not None else rate,
                    )
                )
            case DuplicateExecution(conflict=conflict) if conflict:
                self.notes.append(f"execution {execution.exec_id} was reported again with different values: {conflict}")
            case DuplicateExecution() | StaleExecution():
                return

    def commission(self, commission: Commission) -> None:
        """Book the first report of an exec_id, and each later one with a different amount."""
        exec_id = commission.exec_id
        booked = self._charged.get(exec_id) or self._known.booked_commission(exec_id)
        if booked == commission or (booked is None and self._known.has_commission(exec_id)):
            return
        fill = self._fills.get(exec_id) or self._known.find_execution(exec_id)
        if fill is None:
            self.held[exec_id] = commission
            return
        if booked:
            change = f"{commission.amount} {commission.currency} instead of {booked.amount} {booked.currency}"
            self.notes.append(f"the commission of execution {exec_id} was reported again: {change} is booked")
        self._charge(fill, commission, booked)

    def _add(self, entry: FillRecorded | FillCorrected) -> None:
        execution = entry.execution
        self.entries.append(entry)
        self._families[(execution.account, execution.family)] = entry
        self._fills[execution.exec_id] = entry
        self._seq += 1
        early = self._known.early_commission(execution.exec_id)
        if early is not None:
            self._charge(entry, early, None)

    def _charge(self, fill: FillRecorded | FillCorrected, commission: Commission, previous: Commission | None) -> None:
        self._charged[commission.exec_id] = commission
        self.entries.append(
            CommissionRecorded(
                seq=self._seq,
                strategy=fill.strategy,
                intent_id=fill.intent_id,
                execution=fill.execution,
                commission=commission,
                recorded=self._now,
                rate=self._rate_of(commission.currency),
                previous=previous,
            )
        )
        self._seq += 1
