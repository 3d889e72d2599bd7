"""A stage of the fill log: it applies every entry once, in order, hands it on where it is told to, and acknowledges."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from actors.base.journal_writes import JournalWrites
from actors.base.stage_quarantine import StageQuarantine, Trial
from actors.messages.fill_log import Acknowledge, ApplyEntries, StageCursor
from actors.messages.quarantine import EntrySetAside
from mats.model import Entry
from mats.runtime import Actor, Ref
from mats.runtime.testing import chaos
from mats.store.journal import Journal

M = TypeVar("M")


class Stage(Actor[M], Generic[M]):
    """Base of the actors that fills pass through.

    A subclass sets `fill_log` and its journal, and calls `resume_at`. Before that it calls `recall`, if entries that it
    cannot apply are to be set aside; then it says how to `rehearse` and `skip` one.
    """

    stage: ClassVar[str]
    unrelated: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors of `apply` that are not about the entry."""
    fill_log: Ref[StageCursor | Acknowledge | EntrySetAside]
    quarantine: StageQuarantine | None = None
    cursor: int
    writes: JournalWrites
    _journal: Journal

    def recall(self) -> StageQuarantine:
        """What earlier incarnations have set aside."""
        self.quarantine = StageQuarantine(self, self.stage, self._journal)
        return self.quarantine

    def resume_at(self, cursor: int) -> None:
        """Begin with a state that has every entry up to `cursor`, as it was saved."""
        self.cursor = self._saved = cursor
        self._saved_at = self.clock.monotonic()
        self.writes = JournalWrites(self)

    def save_due(self, every: float = 0.0) -> bool:
        """Whether there are entries since the last save, which is `every` seconds ago or more."""
        return self.cursor != self._saved and self.clock.monotonic() - self._saved_at >= every

    def save(self, state: bytes) -> None:
        """Save a state that has every entry up to the cursor; what a crash loses is applied again.

        So is what the journal does not take: it is given the state of the next time that one is due.
        """
        cursor, self._saved_at = self.cursor, self.clock.monotonic()
        if self.writes.attempt(lambda: self._journal.save_snapshot(self.stage, cursor, state)):
            self._saved = cursor

    def report_cursor(self) -> None:
        """Tell the log how far this stage is; the log sends the rest."""
        self.fill_log.tell(StageCursor(self.stage, self.cursor))

    def receive_entries(self, message: ApplyEntries) -> None:
        """Apply the next entries, skip known ones, and report the cursor again when there is a gap."""
        fresh = self.take_fresh(message)
        if fresh:
            chaos.point(f"{self.stage}: before the fold")
            self._apply_fresh(fresh)
            chaos.point(f"{self.stage}: after the fold, before its cursor")
            self.cursor = fresh[-1].seq
        if fresh is not None:
            self.hand_on(message)

    def _apply_fresh(self, fresh: tuple[Entry, ...]) -> None:
        try:
            if self.quarantine is None or not (self.quarantine.aside or self.quarantine.is_careful(fresh[0].seq)):
                self.apply(fresh)
            else:
                self._apply_one_by_one(fresh, self.quarantine)
        except Exception as error:
            if not isinstance(error, self.unrelated):
                self.suspect(fresh)
            raise

    def _apply_one_by_one(self, fresh: tuple[Entry, ...], quarantine: StageQuarantine) -> None:
        trial: Trial | None = None
        for entry in fresh:
            taken = quarantine.aside.take(entry)
            if taken is not None and quarantine.is_careful(entry.seq):
                trial = trial or self.rehearse()
                if not quarantine.passes(taken, trial, self.unrelated):
                    taken = trial = None
                    self.fill_log.tell(EntrySetAside())
            if taken is None:
                trial = None
                self.skip(entry.seq)
            else:
                self.apply((taken,))

    def suspect(self, entries: Sequence[Entry]) -> None:
        """Applying these has failed: the next incarnation tries each of them on a copy first."""
        if self.quarantine is not None:
            self.quarantine.suspect(entries[-1].seq)

    def take_fresh(self, message: ApplyEntries) -> tuple[Entry, ...] | None:
        """The entries beyond the cursor; None, and the cursor reported, when there is a gap before them."""
        fresh = tuple(entry for entry in message.entries if entry.seq > self.cursor)
        if fresh and fresh[0].seq != self.cursor + 1:
            self.report_cursor()
            return None
        return fresh

    def hand_on(self, message: ApplyEntries) -> None:
        """The next stage may have what this one has applied; then the log is told."""
        chaos.point(f"{self.stage}: before it hands on")
        applied = tuple(entry for entry in message.entries if entry.seq <= self.cursor)
        if applied and message.onward:
            message.onward[0].tell(ApplyEntries(applied, message.onward[1:]))
        chaos.point(f"{self.stage}: before the acknowledgement")
        self.acknowledge()

    def acknowledge(self) -> None:
        self.fill_log.tell(Acknowledge(self.stage, self.cursor))

    @abstractmethod
    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Apply the entries to this stage's state; they continue at `cursor`."""

    @abstractmethod
    def rehearse(self) -> Trial:
        """Applies the next entries, one after the other, to a copy of this stage's state."""

    def skip(self, seq: int) -> None:
        """Go on as if entry `seq` had been applied and had changed nothing."""
