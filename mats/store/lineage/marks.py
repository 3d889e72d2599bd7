"""The marks of the tables: of which branch of the journal they are, and how far they go.

A table of the fill log is written in one commit with its mark. The journal knows its own branches, and how far each
table was when the writer saved its state. Only where the journal holds every mark, and no mark is behind, do both have
one past.
"""

from collections.abc import Mapping

import msgspec

from mats.store.journal import Journal
from mats.store.tables import LOG_LIBRARIES, connect, format_of, symbols

TableName = tuple[str, str]
"""Library and account."""


class ForeignTablesError(OSError):
    """The tables are not those of this journal; they are not written until both have one past again."""


class TableMark(msgspec.Struct, frozen=True):
    """The branch on which a table was written last, and the entry up to which it is complete."""

    branch: str
    seq: int


def read_marks(uri: str) -> dict[TableName, TableMark]:
    """The marks of all tables of the fill log. Raises NewerTableError, and the errors of a store that is away."""
    arctic = connect(uri)
    marks = {}
    for library in LOG_LIBRARIES:
        opened = arctic.get_library(library) if arctic.has_library(library) else None
        for account in symbols(opened) if opened is not None else ():
            assert opened is not None
            metadata = opened.read_metadata(account).metadata or {}
            format_of(f"{library}/{account}", metadata)
            marks[library, account] = TableMark(metadata.get("branch", ""), metadata.get("seq", 0))
    return marks


def states_of_the_log(journal: Journal, marks: Mapping[TableName, TableMark]) -> list[str]:
    """What keeps the tables from being those of the journal; empty where nothing does."""
    found = [
        f"{library}/{account} goes to entry {mark.seq} of a log that is not this journal's"
        for (library, account), mark in sorted(marks.items())
        if not journal.holds(mark.branch, mark.seq)
    ]
    found += [
        f"{library}/{account} goes to entry {marks[library, account].seq} and went to {seq}"
        if (library, account) in marks
        else f"{library}/{account} went to entry {seq} and is gone"
        for (library, account), seq in sorted(journal.stored().items())
        if (library, account) not in marks or marks[library, account].seq < seq
    ]
    return found
