"""The newest entries of the fill log in memory, so that the stages are served from disk only after a restart."""

from collections.abc import Sequence

from mats.model import Entry


class EntryCache:
    """A run of entries without a gap, the newest last; the oldest ones beyond `capacity` are evicted."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: list[Entry] = []

    def extend(self, entries: Sequence[Entry]) -> None:
        self._entries.extend(entries)
        if len(self._entries) > self._capacity + self._capacity // 8:
            del self._entries[: -self._capacity]

    def span(self, first: int, last: int) -> tuple[Entry, ...] | None:
        """Entries `first` to `last`, both included; None when the oldest of them have been evicted."""
        if not self._entries or first < self._entries[0].seq:
            return None
        offset = self._entries[0].seq
        return tuple(self._entries[first - offset : last - offset + 1])
