"""From what a connection reports to entries of the fill log: each fact once, attributed, in one order."""

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


class Known(Protocol):
    """What the log holds already; the journal is one."""

    def latest_execution(self, account: AccountId, family: str) -> FillRecorded | FillCorrected | None: ...
    def find_execution(self, exec_id: str) -> FillRecorded | FillCorrected | None: ...
    def has_commission(self, exec_id: str) -> bool: ...

    def booked_commission(self, exec_id: str) -> Commission | None:
        """The last one booked; None where there is none, or where its entry has been pruned."""
        ...

    def take_commission(self, exec_id: str) -> Commission | None: ...
    def strategy_of(self, intent_id: IntentId) -> StrategyName | None: ...
    def by_perm_id(self, perm_id: int) -> IntentId | None: ...


class Booked(msgspec.Struct, frozen=True):
    """The entries that follow; commissions whose execution is still to come; and what a person should read."""

    entries: tuple[Entry, ...]
    held: tuple[Commission, ...]
    notes: tuple[str, ...]


def in_broker_order(executions: Sequence[Execution]) -> list[Execution]:
    """A replay in the order in which it happened: by time, then within an order by its cumulative quantity.

    A correction stands behind what it corrects, whatever its own time and cumulative quantity, so that both are booked.
    """
    places: dict[tuple[AccountId, str], tuple[Nanos, int, Decimal]] = {}
    for e in sorted(executions, key=lambda e: e.revision):
        places.setdefault((e.account, e.family), (e.time, e.perm_id, e.cumulative_quantity))
    return sorted(executions, key=lambda e: (*places[e.account, e.family], e.revision))


def book(
    executions: Sequence[Execution],
    commissions: Sequence[Commission],
    known: Known,
    next_seq: int,
    now: Nanos,
    rate_of: RateOf,
) -> Booked:
    """Entries from `next_seq` on for every execution and commission that the log does not have yet."""
    batch = _Batch(known, next_seq, now, rate_of)
    for execution in executions:
        batch.execution(execution)
    for commission in commissions:
        batch.commission(commission)
    return Booked(tuple(batch.entries), tuple(batch.held.values()), tuple(batch.notes))


class _Batch:
    """One batch in the making: the log as it will be, over the log as it is."""

    def __init__(self, known: Known, next_seq: int, now: Nanos, rate_of: RateOf) -> None:
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
        match attribute(execution, booked, self._known.strategy_of, self._known.by_perm_id):
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
                self.notes.append(f"execution {execution.exec_id} came again with another content: {conflict}")
            case DuplicateExecution() | StaleExecution():
                return

    def commission(self, commission: Commission) -> None:
        """The first report of an exec_id is booked, and each later one that says something else."""
        exec_id = commission.exec_id
        booked = self._charged.get(exec_id) or self._known.booked_commission(exec_id)
        if booked == commission or (booked is None and self._known.has_commission(exec_id)):
            return
        fill = self._fills.get(exec_id) or self._known.find_execution(exec_id)
        if fill is None:
            self.held[exec_id] = commission
            return
        if booked:
            words = f"{commission.amount} {commission.currency} in place of {booked.amount} {booked.currency}"
            self.notes.append(f"the commission of execution {exec_id} came again: {words} is booked")
        self._charge(fill, commission, booked)

    def _add(self, entry: FillRecorded | FillCorrected) -> None:
        execution = entry.execution
        self.entries.append(entry)
        self._families[(execution.account, execution.family)] = entry
        self._fills[execution.exec_id] = entry
        self._seq += 1
        early = self._known.take_commission(execution.exec_id)
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
