"""What is known of an instrument's past: where there are bars, where there are none, and what was never asked."""

from collections.abc import Iterable, Iterator

import msgspec

from mats.model import Nanos
from mats.store.tables import Covered

Span = tuple[Nanos, Nanos]
"""From the first instant to before the last one."""


class Coverage(msgspec.Struct, frozen=True):
    """Ranges in the order of time that do not overlap; neighbors of one kind are one range."""

    ranges: tuple[Covered, ...] = ()

    def with_all(self, added: Iterable[Covered]) -> "Coverage":
        """With these ranges too; what was known of the same instants before gives way."""
        new = sorted(item for item in added if item.start < item.end)
        kept = [part for old in self.ranges for part in _without(old, new)]
        return Coverage(tuple(_joined(sorted([*kept, *new]))))

    def missing(self, start: Nanos, end: Nanos) -> list[Span]:
        """The ranges within `[start, end)` of which nothing is known."""
        found, at = list[Span](), start
        for item in self.ranges:
            if item.end <= at:
                continue
            if item.start >= end:
                break
            if item.start > at:
                found.append((at, item.start))
            at = item.end
        return [*found, (at, end)] if at < end else found

    @property
    def extent(self) -> Span | None:
        """From the first known instant to after the last one; None where nothing is known."""
        return (self.ranges[0].start, self.ranges[-1].end) if self.ranges else None


def _without(old: Covered, new: list[Covered]) -> Iterator[Covered]:
    """What is left of a range outside of new ones, which are in order."""
    at = old.start
    for item in new:
        if item.end <= at or item.start >= old.end:
            continue
        if item.start > at:
            yield Covered(at, item.start, old.known)
        at = max(at, item.end)
    if at < old.end:
        yield Covered(at, old.end, old.known)


def _joined(ranges: list[Covered]) -> Iterator[Covered]:
    """Neighbors of one kind as one; of overlapping new ones the first counts."""
    last: Covered | None = None
    for item in ranges:
        if last is None:
            last = item
        elif item.start <= last.end and item.known is last.known:
            last = Covered(last.start, max(last.end, item.end), last.known)
        else:
            yield last
            last = Covered(max(item.start, last.end), max(item.end, last.end), item.known)
    if last is not None:
        yield last
