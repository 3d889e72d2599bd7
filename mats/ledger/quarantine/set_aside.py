"""The entries that one stage could not apply, and what it makes of those that refer to them."""

from collections.abc import Iterable

from mats.model import AdjustmentRecorded, CommissionRecorded, Entry, Execution, FillCorrected, FillRecorded


class SetAside:
    """Entries of the log that this stage has left out, once and for all.

    It has never had their executions: a commission of one is left out too, a correction is its first report, and what
    takes it back changes nothing. So the state is that of a log which never had the entry.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._seqs: set[int] = set()
        self._executions: set[Execution] = set()
        for entry in entries:
            self.add(entry)

    def __bool__(self) -> bool:
        return bool(self._seqs)

    def add(self, entry: Entry) -> None:
        """Leave out an entry from now on."""
        self._seqs.add(entry.seq)
        if isinstance(entry, FillRecorded | FillCorrected):
            self._executions.add(entry.execution)

    def take(self, entry: Entry) -> Entry | None:
        """The entry as this stage applies it; None where it leaves it out."""
        if entry.seq in self._seqs:
            return None
        match entry:
            case CommissionRecorded() if entry.execution in self._executions:
                return None
            case FillCorrected() if entry.previous in self._executions:
                return _first_report(entry) if entry.execution.quantity else None
            case FillRecorded() | FillCorrected() | CommissionRecorded() | AdjustmentRecorded():
                return entry

    def without(self, entries: Iterable[Entry]) -> list[Entry]:
        """Entries as this stage applies them."""
        return [taken for taken in map(self.take, entries) if taken is not None]


def _first_report(entry: FillCorrected) -> FillRecorded:
    return FillRecorded(
        seq=entry.seq,
        strategy=entry.strategy,
        intent_id=entry.intent_id,
        execution=entry.execution,
        recorded=entry.recorded,
        rate=entry.rate,
    )
