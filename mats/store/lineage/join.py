"""Gives journal and tables one past again. No other process may write meanwhile.

What only the tables still know is booked in the journal, as entries that continue its log; then the tables are written
anew from it, the views first: until the tables of the log have their marks, the next start joins them again, with the
same result.
"""

from collections.abc import Callable, Mapping

import msgspec

from mats.errors import UserError
from mats.ledger.books import Matching
from mats.model import Entry, FillCorrected, FillRecorded
from mats.store.journal import Journal
from mats.store.lineage.marks import ForeignTablesError, TableMark, TableName, read_marks, states_of_the_log
from mats.store.lineage.merge import Merged, merge, same_until
from mats.store.rebuild import Contents, Name, Table, differences, recompute, repair_log, repair_views

Progress = Callable[[str], object]

STAGES = ("orders", "risk", "portfolio", "store")
"""Whose saved states stand for the entries that the journal has pruned."""


class LineageError(UserError):
    """Nothing that is left has the past that a stage needs; the message says what to do."""


class _Joined(msgspec.Struct, frozen=True):
    """The whole log as far as anybody knows it, and the number up to which the tables had it at the same numbers."""

    log: tuple[Entry, ...]
    merged: Merged
    same: int
    complete: bool


def check_lineage(journal: Journal, uri: str) -> list[str]:
    """Why journal and tables must be joined; empty where they have one past."""
    marks = read_marks(uri)
    found = states_of_the_log(journal, marks)
    if _is_unknown(journal, marks):
        found.append("it is not known how far the tables were: an earlier version of this program wrote them")
    if journal.pruned_to() and not journal.has_saved(STAGES):
        found.append(f"entries up to {journal.pruned_to()} have been pruned, and not every stage has its saved state")
    return found


def require_lineage(journal: Journal, uri: str) -> None:
    """Raise ForeignTablesError where the tables are not those of the journal.

    Those of an earlier program are compared now: the store may have been away when a start would have done that.
    """
    marks = read_marks(uri)
    unknown = _is_unknown(journal, marks)
    found = states_of_the_log(journal, {name: mark for name, mark in marks.items() if mark.branch or not unknown})
    if not found and unknown:
        found = _differences_of_logs(journal, uri)
    if found:
        raise ForeignTablesError(
            f"the tables and the journal have different pasts ({found[0]}); everything is kept in the journal; "
            "stop the daemon and start it again, or run `mats store rebuild --journal`: both join them"
        )


def _is_unknown(journal: Journal, marks: Mapping[TableName, TableMark]) -> bool:
    """Whether nobody has recorded yet how far the tables were."""
    return bool(marks or journal.has_saved(("store",))) and not journal.stored()


def _differences_of_logs(journal: Journal, uri: str) -> list[str]:
    """What the tables have and the journal has not; that they lack its end is no difference."""
    stored, known = Contents(uri).entries, journal.facts()
    last, same = max((entry.seq for entry in stored), default=0), same_until(stored, known)
    return [f"they are the same up to entry {same}, and the tables go to {last}"] if same < last else []


def join_tables(journal: Journal, uri: str, matching: Matching, progress: Progress = lambda _: None) -> list[str]:
    """Join them; returns what was done, a sentence each. Raises LineageError where a stage lacks its past."""
    contents = Contents(uri, progress)
    joined = _join_logs(journal, contents.entries)
    said = _said_of_log(contents.entries, joined)
    if joined.complete:
        stored, dropped = _views_of_one_past(contents.views, joined.same)
        if dropped:
            said.append(
                f"{dropped} rows of the portfolio's history after entry {joined.same} were taken in another order of "
                "the log and are left out"
            )
        expected: dict[Name, Table] = {name: {} for name in contents.views}
        expected.update(recompute(joined.log, stored, matching=matching))
        if any(differences(contents.views, expected)):
            repair_views(uri, contents.views, expected)
    else:
        said.append(
            f"of the entries up to {journal.pruned_to()}, which the journal has pruned, the tables lack some: "
            "executions are complete, what is lost are their commissions, transfers and trades; positions are right"
        )
    repair_log(uri, joined.log, journal.branch())
    journal.record_stored({name: mark.seq for name, mark in read_marks(uri).items()})
    return said


def _join_logs(journal: Journal, stored: list[Entry]) -> _Joined:
    known = journal.facts()
    merged = merge(known, stored)
    journal.merge(merged.added, merged.returned if not journal.has_saved(STAGES) else ())
    if journal.pruned_to() and not journal.has_saved(STAGES):
        raise LineageError(
            f"a saved state is gone from the journal {journal.path}, and the entries up to {journal.pruned_to()} from "
            "which it would be made anew have been pruned and are in no table; restore the data directory from a backup"
        )
    by_seq = {entry.seq: entry for entry in (*merged.returned, *known.entries, *merged.added)}
    log = tuple(by_seq[seq] for seq in sorted(by_seq))
    last = log[-1].seq if log else 0
    whole = msgspec.structs.replace(known, entries=log, last_seq=last, pruned_to=0)
    return _Joined(log, merged, same_until(stored, whole), len(log) == last)


def _said_of_log(stored: list[Entry], joined: _Joined) -> list[str]:
    added, said = joined.merged.added, []
    if added:
        executions = sum(isinstance(entry, FillRecorded | FillCorrected) for entry in added)
        said.append(
            f"the tables had {len(added)} entries, {executions} of them executions, that the journal has not: it is "
            "new, was put back to an older copy, or lost its end; they are booked as its entries "
            f"{added[0].seq} to {added[-1].seq}"
        )
    lacking = len(joined.log) - len(added) - len({entry.seq for entry in stored if entry.seq <= joined.same})
    if lacking > 0:
        said.append(f"the tables lacked {lacking} entries of the journal, and were written anew from it")
    return said or ["the tables were compared with the journal; they have the same past"]


def _views_of_one_past(views: Mapping[Name, Table], same: int) -> tuple[dict[Name, Table], int]:
    """The stored views without the rows whose numbers mean something else now; and how many snapshots those are."""
    kept: dict[Name, Table] = {}
    dropped = 0
    for name, table in views.items():
        column = "snapshot_seq" if name[0] == "portfolio_history" else "fills_seq"
        if name[0] == "portfolio_history" or name[0].startswith("positions/"):
            kept[name] = {key: row for key, row in table.items() if int(row.row[column] or 0) <= same}
            dropped += (len(table) - len(kept[name])) * (column == "snapshot_seq")
        else:
            kept[name] = table
    return kept, dropped
