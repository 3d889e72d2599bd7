"""The entries that a stage cannot apply: found by trying, set aside, and left out for ever.

An entry that raises fails the stage, as any error does, because its state is not to be trusted afterwards. The next
incarnation begins with a saved state and tries each entry up to there on a copy first. What fails on the copy too is
about the entry: it is set aside, and the state has never seen it. What fails outside of the copy is about the program,
and fails the stage again.
"""

from collections.abc import Callable
from typing import Never

from actors.base.journal_writes import JournalWrites
from actors.base.owner import Owner
from mats.ledger.books import book_key
from mats.ledger.quarantine import QuarantineItem, QuarantineKind, SetAside, as_text, as_text_fields
from mats.model import AdjustmentRecorded, CommissionRecorded, Entry
from mats.store.journal import Journal

MOST_IN_A_ROW = 100
"""When so many entries fail one after the other, it is not the entries that are wrong."""

Trial = Callable[[Entry], object]
"""Applies an entry to a copy of the state."""


class StageQuarantine:
    """Belongs to one stage, and works in its turns."""

    def __init__(self, owner: Owner[Never], stage: str, journal: Journal) -> None:
        self._owner, self._stage, self._journal = owner, stage, journal
        self._writes = JournalWrites(owner)
        self.aside = SetAside(journal.set_aside_entries(stage))
        self._careful_through = journal.suspected_through(stage)
        self._in_a_row = 0

    def is_careful(self, seq: int) -> bool:
        """Whether an entry is tried before it is applied."""
        return seq <= self._careful_through

    def suspect(self, through: int) -> None:
        """Applying entries up to `through` has failed: the next incarnation tries each of them first."""
        self._writes.attempt(lambda: self._journal.suspect_entries(self._stage, through))

    def passes(self, entry: Entry, trial: Trial, unrelated: tuple[type[Exception], ...]) -> bool:
        """Whether an entry can be applied; one that cannot is set aside. An error that is not its fault is raised."""
        try:
            trial(entry)
        except unrelated:
            raise
        except Exception as error:
            self._in_a_row += 1
            if self._in_a_row > MOST_IN_A_ROW:
                raise
            self._set_aside(entry, error)
            return False
        self._in_a_row = 0
        return True

    def _set_aside(self, entry: Entry, error: Exception) -> None:
        account, strategy, instrument = book_key(entry)
        fault = as_text(f"stage {self._stage} cannot apply entry {entry.seq}: {type(error).__name__}: {error}")
        item = QuarantineItem(
            key=f"entry/{entry.seq}",
            kind=QuarantineKind.ENTRY,
            fault=fault,
            fields=_fields(entry),
            source=self._stage,
            time=self._owner.clock.now(),
            account=account,
            instrument=instrument,
            strategy=strategy,
            seq=entry.seq,
        )
        self._journal.set_aside(self._stage, entry)
        self.aside.add(entry)
        kept = self._journal.quarantine(item)
        self._owner.log.error(
            "entry set aside; its instrument and its strategy take no new risk, everything else goes on",
            entry=entry.seq,
            instrument=instrument,
            strategy=strategy,
            reason=fault,
            resolve="mats quarantine" if kept is None else f"mats quarantine show {kept.id}",
        )


def _fields(entry: Entry) -> dict[str, str]:
    match entry:
        case AdjustmentRecorded():
            return {"quantity": as_text(entry.quantity), "price": as_text(entry.price), "reason": as_text(entry.reason)}
        case CommissionRecorded():
            return as_text_fields(entry.commission)
        case _:
            return as_text_fields(entry.execution)
