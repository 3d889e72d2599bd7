"""The union of two logs: what the journal has, and what only the tables still know. Pure: it writes nothing.

An entry is recognized by the fact that it stands for, and never by its number alone: an execution by account, family
and revision, a commission by its execution and amount, an adjustment by all that it says.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from mats.model import (
    AccountId,
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
)
from mats.store.journal import JournalFacts

ExecutionKey = tuple[AccountId, str, int]
Fact = tuple[object, ...]


class Merged(msgspec.Struct, frozen=True):
    """`added` continue the journal's log; `returned` are entries that it has pruned, at their numbers."""

    added: tuple[Entry, ...]
    returned: tuple[Entry, ...]


def merge(known: JournalFacts, stored: Sequence[Entry]) -> Merged:
    """The entries among `stored`, ascending in seq, that the journal has not."""
    union, common = _Union(known), same_until(stored, known)
    for entry in stored:
        union.take(entry, common)
    return Merged(tuple(union.added), tuple(union.returned))


def same_until(stored: Iterable[Entry], known: JournalFacts) -> int:
    """The number up to which entries of one number stand for one fact."""
    mine = {entry.seq: fact(entry) for entry in known.entries}
    for entry in stored:
        same = mine[entry.seq] == fact(entry) if entry.seq in mine else _was_pruned(entry, known)
        if not same:
            return entry.seq - 1
    return known.last_seq


def _was_pruned(entry: Entry, known: JournalFacts) -> bool:
    """Whether a number that the journal has pruned can have been this fact; of adjustments it keeps no key."""
    if entry.seq > known.pruned_to:
        return False
    match entry:
        case AdjustmentRecorded():
            return True
        case CommissionRecorded():
            return entry.commission.exec_id in known.commissions
        case FillRecorded() | FillCorrected():
            return known.executions.get(execution_key(entry)) == entry.seq


def fact(entry: Entry) -> Fact:
    """What an entry stands for, whatever its number is."""
    match entry:
        case AdjustmentRecorded():
            place = entry.account, entry.strategy, entry.instrument
            return (*place, entry.recorded, entry.quantity, entry.price, entry.reason, entry.assignment)
        case CommissionRecorded(commission=commission):
            return commission.exec_id, commission.amount, commission.currency
        case FillRecorded() | FillCorrected():
            return execution_key(entry)


def execution_key(entry: FillRecorded | FillCorrected) -> ExecutionKey:
    execution = entry.execution
    return execution.account, execution.family, execution.revision


def corrected(fill: FillRecorded, previous: Execution) -> FillCorrected:
    """The fill as a correction of an earlier revision."""
    return FillCorrected(previous=previous, **{name: getattr(fill, name) for name in fill.__struct_fields__})


class _Union:
    """The journal's log, and what is added to it."""

    def __init__(self, known: JournalFacts) -> None:
        self._known, self._seq = known, known.last_seq
        self.added: list[Entry] = []
        self.returned: list[Entry] = []
        self._present = {entry.seq for entry in known.entries}
        self._latest: dict[tuple[AccountId, str], FillRecorded | FillCorrected] = {}
        self._fills: dict[str, FillRecorded | FillCorrected] = {}
        self._charges: dict[str, CommissionRecorded] = {}
        self._adjustments = set[Fact]()
        self._reversals: dict[str, str] = {}
        for entry in known.entries:
            self._note(entry)

    def take(self, entry: Entry, common: int) -> None:
        """Add an entry of the tables, if the journal lacks its fact."""
        if entry.seq <= min(self._known.pruned_to, common):
            if entry.seq not in self._present:
                self.returned.append(entry)
            return
        match entry:
            case AdjustmentRecorded():
                reversal = self._reversals.get(entry.reverses, entry.assignment) if entry.reverses else entry.assignment
                if fact(entry) not in self._adjustments and reversal == entry.assignment:
                    self._add(replace(entry, seq=self._seq + 1))
            case CommissionRecorded():
                self._charge(entry)
            case FillRecorded() | FillCorrected():
                self._execute(entry)

    def _execute(self, entry: FillRecorded | FillCorrected) -> None:
        execution = entry.execution
        latest = self._latest.get((execution.account, execution.family))
        if execution_key(entry) in self._known.executions:
            return
        if latest is not None and latest.execution.revision >= execution.revision:
            return
        cause = latest or entry
        booked = FillRecorded(
            seq=self._seq + 1,
            strategy=cause.strategy,
            intent_id=cause.intent_id,
            execution=execution,
            recorded=entry.recorded,
            rate=entry.rate,
        )
        self._add(booked if latest is None else corrected(booked, latest.execution))
        early = self._known.early.get(execution.exec_id)
        if early is not None:
            self._book(early, entry.recorded, None)

    def _charge(self, entry: CommissionRecorded) -> None:
        """A commission of which the journal has only the key counts as the same; of two the later one holds."""
        exec_id = entry.commission.exec_id
        booked = self._charges.get(exec_id)
        if booked is None and exec_id in self._known.commissions:
            return
        if booked is not None and (booked.commission == entry.commission or booked.recorded >= entry.recorded):
            return
        self._book(entry.commission, entry.recorded, entry)

    def _book(self, commission: Commission, recorded: int, like: CommissionRecorded | None) -> None:
        fill = self._fills.get(commission.exec_id) or like
        assert fill is not None, f"nothing is known of the execution {commission.exec_id}"
        booked = self._charges.get(commission.exec_id)
        self._add(
            CommissionRecorded(
                seq=self._seq + 1,
                strategy=fill.strategy,
                intent_id=fill.intent_id,
                execution=fill.execution,
                commission=commission,
                recorded=recorded,
                rate=like.rate if like else None,
                previous=booked.commission if booked else None,
            )
        )

    def _add(self, entry: Entry) -> None:
        self._seq = entry.seq
        self.added.append(entry)
        self._note(entry)

    def _note(self, entry: Entry) -> None:
        match entry:
            case AdjustmentRecorded():
                self._adjustments.add(fact(entry))
                if entry.reverses:
                    self._reversals[entry.reverses] = entry.assignment
            case CommissionRecorded():
                self._charges[entry.commission.exec_id] = entry
            case FillRecorded() | FillCorrected():
                execution = entry.execution
                self._fills[execution.exec_id] = entry
                latest = self._latest.get((execution.account, execution.family))
                if latest is None or latest.execution.revision < execution.revision:
                    self._latest[execution.account, execution.family] = entry
