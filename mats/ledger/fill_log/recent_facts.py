"""The newest facts of the log in memory, so that a live report is booked without a look into the journal."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from mats.ledger.fill_log.booking import BookedFacts
from mats.model import (
    AccountId,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    IntentId,
    StrategyName,
)


class LoggedFacts(BookedFacts, Protocol):
    """The facts that are booked, and what is held for later; the journal implements it."""

    def held_commissions(self) -> frozenset[str]:
        """The executions whose commission came before them."""
        ...


class RecentFacts:
    """The newest `capacity` executions with their commissions, over all facts that are booked.

    An execution that is not among them counts as new: nobody looks whether it was booked long ago, because the journal
    refuses to append it as a new one. Whoever gets that refusal books again with all facts.
    """

    def __init__(self, all_facts: LoggedFacts, capacity: int) -> None:
        self._all, self._capacity = all_facts, capacity
        self._held = set(all_facts.held_commissions())
        self._order: deque[FillRecorded | FillCorrected] = deque()
        self._latest: dict[tuple[AccountId, str], FillRecorded | FillCorrected] = {}
        self._fills: dict[str, FillRecorded | FillCorrected] = {}
        self._charges: dict[str, Commission] = {}
        self._strategies: dict[IntentId, StrategyName] = {}

    def __len__(self) -> int:
        return len(self._order)

    def extend(self, entries: Sequence[Entry]) -> None:
        """Take every entry when it is appended: of what is remembered, everything is known."""
        for entry in entries:
            match entry:
                case FillRecorded() | FillCorrected():
                    self._order.append(entry)
                    self._latest[_key(entry.execution)] = self._fills[entry.execution.exec_id] = entry
                case CommissionRecorded(commission=commission):
                    self._held.discard(commission.exec_id)
                    if commission.exec_id in self._fills:
                        self._charges[commission.exec_id] = commission
        while len(self._order) > self._capacity:
            self._forget(self._order.popleft())

    def hold(self, commission: Commission) -> None:
        """It is kept until its execution comes, and nothing else of it is known here."""
        self._held.add(commission.exec_id)

    def _forget(self, entry: FillRecorded | FillCorrected) -> None:
        execution = entry.execution
        if self._latest.get(_key(execution)) is entry:
            del self._latest[_key(execution)]
        if self._fills.get(execution.exec_id) is entry:
            del self._fills[execution.exec_id]
            self._charges.pop(execution.exec_id, None)

    def latest_execution(self, account: AccountId, family: str) -> FillRecorded | FillCorrected | None:
        return self._latest.get((account, family))

    def find_execution(self, exec_id: str) -> FillRecorded | FillCorrected | None:
        return self._fills.get(exec_id) or self._all.find_execution(exec_id)

    def has_commission(self, exec_id: str) -> bool:
        return exec_id in self._charges if exec_id in self._fills else self._all.has_commission(exec_id)

    def booked_commission(self, exec_id: str) -> Commission | None:
        return self._charges.get(exec_id) if exec_id in self._fills else self._all.booked_commission(exec_id)

    def early_commission(self, exec_id: str) -> Commission | None:
        return self._all.early_commission(exec_id) if exec_id in self._held else None

    def strategy_of(self, intent_id: IntentId) -> StrategyName | None:
        """An intent keeps its strategy for ever."""
        known = self._strategies.get(intent_id) or self._all.strategy_of(intent_id)
        if known is not None:
            self._strategies[intent_id] = known
            if len(self._strategies) > self._capacity:
                del self._strategies[next(iter(self._strategies))]
        return known

    def intent_by_perm_id(self, perm_id: int) -> IntentId | None:
        return self._all.intent_by_perm_id(perm_id)


def _key(execution: Execution) -> tuple[AccountId, str]:
    return execution.account, execution.family
