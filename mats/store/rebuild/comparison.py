"""What differs: stored views from recomputed ones, and the tables of the fill log from the journal."""

from collections.abc import Iterator, Sequence

import msgspec

from mats.model import CommissionRecorded, Entry
from mats.store.rebuild.view_tables import Key, Placed, Stored
from mats.store.views import as_stored


class Difference(msgspec.Struct, frozen=True):
    """One stored value that does not follow from the fills, or one that follows and is not stored."""

    table: str
    key: str
    column: str
    stored: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.table}  {self.key}  {self.column}: stored {self.stored}, recomputed {self.recomputed}"

    @property
    def location(self) -> tuple[str, str, str, str]:
        """The part that identifies the difference as long as the store stays unchanged."""
        return self.table, self.key, self.column, self.stored


def missing_entries(entries: Sequence[Entry]) -> list[Difference]:
    """Gaps: entries that are in no table, though later ones are."""
    held = {entry.seq for entry in entries}
    last = entries[-1].seq if entries else 0
    gaps = (seq for seq in range(1, last + 1) if seq not in held)
    return [Difference("fills", f"entry {seq}", "seq", "missing", str(seq)) for seq in gaps]


def differences(stored: Stored, expected: Stored) -> Iterator[Difference]:
    """Every difference between stored and recomputed views, by table and key."""
    for name in sorted(stored.keys() | expected.keys()):
        old, new = stored.get(name, {}), expected.get(name, {})
        for key in sorted(old.keys() | new.keys(), key=repr):
            yield from _between("/".join(name), _text(key), old.get(key), new.get(key))


def _between(table: str, key: str, old: Placed | None, new: Placed | None) -> Iterator[Difference]:
    if old is None or new is None:
        yield Difference(table, key, "row", "present" if old else "missing", "present" if new else "no such row")
        return
    for column, value in new.row.items():
        if old.row[column] != value:
            yield Difference(table, key, column, str(old.row[column]), str(value))


def _text(key: Key) -> str:
    return " ".join(map(str, key))


def journal_differences(entries: Sequence[Entry], journal: Sequence[Entry]) -> Iterator[Difference]:
    """Differences between the tables and the journal's log, from the first entry that the journal still has."""
    first = journal[0].seq if journal else 0
    stored = {entry.seq: entry for entry in entries if entry.seq >= first}
    booked = {entry.seq: as_stored(entry) for entry in journal}
    for seq in sorted(stored.keys() | booked.keys()):
        old, new = stored.get(seq), booked.get(seq)
        if old is None or new is None:
            yield Difference(
                "fills", f"entry {seq}", "seq", *(("missing", _kind(new)) if new else (_kind(old), "missing"))
            )
            continue
        before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
        for field in before.keys() | after.keys():
            if before.get(field) != after.get(field):
                yield Difference("fills", f"entry {seq}", field, str(before.get(field)), str(after.get(field)))


def _kind(entry: Entry | None) -> str:
    return "commission" if isinstance(entry, CommissionRecorded) else type(entry).__name__
