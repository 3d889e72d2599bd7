"""Earlier states of one book: what changes its past folds again the newest entries, and never the whole history.

A state is kept every `SPACING` entries. The oldest of them, at least `REACH` entries back, is the settled one: an entry
that is about something before it is booked at the end of the book, and the book is settled anew behind it. Which
entries these are follows from the log alone, so that every fold of it gives the same book.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from mats.ledger.books.execution_order import place_of
from mats.model import AdjustmentRecorded, CommissionRecorded, Entry, FillCorrected, FillRecorded, Nanos

SPACING = 64
"""Entries of a book from one state that is kept to the next."""

REACH = 128
"""The newest entries of a book, at least so many, can still be changed where they are."""

LIMIT = 4 * REACH
"""After so many entries a book is settled, even if changes of its past have left no newer state to settle at."""


def is_due(entries: int) -> bool:
    """Whether the state of a book after so many entries is to be kept."""
    return entries % SPACING == 0


def is_short(entries: int) -> bool:
    """Whether so many entries of a book are all in reach; those of a longer one may be, after a change of its past."""
    return entries <= REACH


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

PastOfBook = Callable[[int], Sequence[Entry]]
"""The entries of one book after a seq."""


class Checkpoints(Generic[C]):
    """The states of one book that are kept, the settled one first; None is the empty book before its first entry."""

    def __init__(self, kept: Sequence[C | None] = ()) -> None:
        """`kept` are the states of a book that goes on; its executions are looked up when they are needed."""
        self._kept = list(kept) or [None]
        self._recent: dict[str, int] | None = None if kept else {}

    @property
    def kept(self) -> tuple[C | None, ...]:
        return tuple(self._kept)

    @property
    def _settled(self) -> C | None:
        return self._kept[0]

    def report(self, entry: FillRecorded) -> None:
        """An execution is reported: it is recent until the book is settled behind it."""
        if self._recent is not None:
            self._recent[entry.execution.family] = entry.seq

    def add(self, newest: C) -> None:
        """Keep the present state, and settle the book as far back as nothing may reach any more."""
        if newest.entries == _entries(self._kept[-1]):
            return
        self._kept.append(newest)
        while len(self._kept) > 2 and newest.entries - _entries(self._kept[1]) >= REACH:
            del self._kept[0]
        if newest.entries - _entries(self._settled) > LIMIT:
            self._kept = [newest]
        self._forget_settled()

    def settle(self, newest: C) -> None:
        """Nothing before the present state is changed any more."""
        self._kept = [newest]
        self._recent = {}

    def reach(self, history: PastOfBook, entry: Entry, entries: int) -> tuple[C | None, list[Entry]] | None:
        """The newest state that `entry` leaves as it is, None for the empty book; and all entries after it.

        `entries` counts those of the book up to `entry`. The answer is None where the entry is about something that is
        settled, and where some entries are missing. States that the entry changes are dropped.
        """
        if self._is_settled(entry):
            return None
        for place, point in reversed(list(enumerate(self._kept))):
            later = [known for known in history(_seq(point)) if known.seq <= entry.seq]
            if len(later) == entries - _entries(point) and (point is None or _adds_to(point, later)):
                del self._kept[place + 1 :]
                return point, later
        self._recent = {known.execution.family: known.seq for known in later[:-1] if isinstance(known, FillRecorded)}
        return None

    def _is_settled(self, entry: Entry) -> bool:
        """Whether an entry is about something that is settled, as far as that is known without the past."""
        if self._settled is None or isinstance(entry, AdjustmentRecorded):
            return False
        if isinstance(entry, FillRecorded):
            return place_of(entry) < self._settled.time
        report = entry.previous if isinstance(entry, FillCorrected) else entry.execution
        if report.time < self._settled.time:
            return True
        return self._recent is not None and report.family not in self._recent

    def _forget_settled(self) -> None:
        """The reports are in the order of the log."""
        settled = _seq(self._settled)
        while self._recent and self._recent[first := next(iter(self._recent))] <= settled:
            del self._recent[first]


def _entries(point: Checkpoint | None) -> int:
    return point.entries if point else 0


def _seq(point: Checkpoint | None) -> int:
    return point.seq if point else 0


def _adds_to(point: Checkpoint, later: Sequence[Entry]) -> bool:
    """Whether the state stands under all `later` entries: none of them reaches behind it.

    The last one has changed the past, and so the report that it is about must be among them.
    """
    reported = {entry.execution.family for entry in later if isinstance(entry, FillRecorded)}
    return _reported(later[-1], reported) and all(_is_above(point, entry, reported) for entry in later)


def _is_above(point: Checkpoint, entry: Entry, reported: set[str]) -> bool:
    match entry:
        case FillRecorded():
            return place_of(entry) >= point.time
        case FillCorrected():
            return _reported(entry, reported)
        case CommissionRecorded():
            first = entry.previous is None and entry.execution.family not in point.corrected
            return first or _reported(entry, reported)
        case AdjustmentRecorded():
            return True


def _reported(entry: Entry, reported: set[str]) -> bool:
    return isinstance(entry, AdjustmentRecorded) or entry.execution.family in reported
