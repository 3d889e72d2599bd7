"""Earlier states of one book: an entry that changes the past folds again what came after it, and not the whole history.

A state is kept every `SPACING` entries, and of the older ones fewer, so that few are kept of a long history and one
that reaches n entries back still finds a state at most 2n + `SPACING` entries back.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from mats.model import AdjustmentRecorded, CommissionRecorded, Entry, FillCorrected, FillRecorded, Nanos

SPACING = 64
"""Entries of a book from one state that is kept to the next, at least."""


def is_due(entries: int) -> bool:
    """Whether the state of a book after so many entries is to be kept."""
    return entries % SPACING == 0


class Checkpoint(Protocol):
    """A book after so many of its `entries`, the last of which is `seq`; none was executed after `time`.

    `corrected` are the executions whose next commission cannot be added without what came before.
    """

    @property
    def entries(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def time(self) -> Nanos: ...
    @property
    def corrected(self) -> frozenset[str]: ...


C = TypeVar("C", bound=Checkpoint)


class Checkpoints(Generic[C]):
    """The states of one book that are kept; the empty book before its first entry is one that needs no keeping."""

    def __init__(self) -> None:
        self._kept: list[C] = []

    def age(self, entries: int) -> int:
        """How many of the book's `entries` came after the newest state that is kept."""
        return entries - self._kept[-1].entries if self._kept else entries

    def add(self, newest: C) -> None:
        """Keep the present state; an older one is dropped where the next older one is near enough to the next newer."""
        kept = [newest]
        for place, point in reversed(list(enumerate(self._kept))):
            older = self._kept[place - 1].entries if place else 0
            if newest.entries - older > 2 * (newest.entries - kept[-1].entries) + SPACING:
                kept.append(point)
        self._kept = kept[::-1]

    def reach(
        self, history: Callable[[int], Sequence[Entry]], entry: Entry, entries: int
    ) -> tuple[C | None, list[Entry]] | None:
        """The newest state that `entry` leaves as it is, None for the empty book; and all entries after it.

        `history` serves the entries after a seq, `entries` counts those of the book up to `entry`. The answer is None
        where some are missing. States that the entry changes are dropped.
        """
        for point in reversed(self._kept):
            later = [known for known in history(point.seq) if known.seq <= entry.seq]
            if len(later) == entries - point.entries and _adds_to(point, later):
                return point, later
            self._kept.pop()
        whole = [known for known in history(0) if known.seq <= entry.seq]
        return (None, whole) if len(whole) == entries else None


def _adds_to(point: Checkpoint, later: Sequence[Entry]) -> bool:
    """Whether the state stands under all `later` entries: none of them reaches behind it.

    The last one has changed the past, and so the report that it is about must be among them.
    """
    reported = {entry.execution.family for entry in later if isinstance(entry, FillRecorded)}
    return _reported(later[-1], reported) and all(_is_above(point, entry, reported) for entry in later)


def _is_above(point: Checkpoint, entry: Entry, reported: set[str]) -> bool:
    match entry:
        case FillRecorded():
            return entry.execution.time >= point.time
        case FillCorrected():
            return _reported(entry, reported)
        case CommissionRecorded():
            first = entry.previous is None and entry.execution.family not in point.corrected
            return first or _reported(entry, reported)
        case AdjustmentRecorded():
            return True


def _reported(entry: Entry, reported: set[str]) -> bool:
    return isinstance(entry, AdjustmentRecorded) or entry.execution.family in reported
