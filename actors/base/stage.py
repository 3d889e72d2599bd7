"""A stage of the fill log: it applies every entry once, in order, and acknowledges."""

from typing import ClassVar

from actors.messages.fill_log import Acknowledge, ApplyEntries, StageCursor
from mats.model import Entry
from mats.runtime import Actor, Ref, chaos
from mats.store.journal import Journal


class Stage(Actor):
    """Base of the actors that fills pass through. A subclass sets `fill_log` and its journal, and calls `resume_at`."""

    stage: ClassVar[str]
    fill_log: Ref
    cursor: int
    _journal: Journal

    def on_failure(self, error: BaseException) -> None:
        """What was not saved is folded again by the next incarnation."""
        self._journal.close()

    def resume_at(self, cursor: int) -> None:
        """Begin with a state that has every entry up to `cursor`, as it was saved."""
        self.cursor = self._saved = cursor
        self._saved_at = self.clock.monotonic()

    def save_due(self, every: float = 0.0) -> bool:
        """Whether there are entries since the last save, which is `every` seconds ago or more."""
        return self.cursor != self._saved and self.clock.monotonic() - self._saved_at >= every

    def save(self, state: bytes) -> None:
        """Keep a state that has every entry up to the cursor; what a crash loses is folded again."""
        self._journal.save_snapshot(self.stage, self.cursor, state)
        self._saved, self._saved_at = self.cursor, self.clock.monotonic()

    def say_hello(self) -> None:
        """Tell the log how far this stage has got; the log sends the rest."""
        self.fill_log.tell(StageCursor(self.stage, self.cursor))

    def receive_entries(self, message: ApplyEntries) -> None:
        """Apply what is next, skip what is known, and ask again when something is missing in between."""
        fresh = self.take_fresh(message)
        if fresh:
            chaos.point(f"{self.stage}: before the fold")
            self.apply(fresh)
            chaos.point(f"{self.stage}: after the fold, before its cursor")
            self.cursor = fresh[-1].seq
            chaos.point(f"{self.stage}: before the acknowledgement")
        if fresh is not None:
            self.acknowledge()

    def take_fresh(self, message: ApplyEntries) -> tuple[Entry, ...] | None:
        """The entries beyond the cursor; None, and a hello, when there is a gap before them."""
        fresh = tuple(entry for entry in message.entries if entry.seq > self.cursor)
        if fresh and fresh[0].seq != self.cursor + 1:
            self.say_hello()
            return None
        return fresh

    def acknowledge(self) -> None:
        self.fill_log.tell(Acknowledge(self.stage, self.cursor))

    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Fold the entries into this stage's state; they continue at `cursor`."""
        raise TypeError(f"{type(self).__name__} does not say how it applies entries")
