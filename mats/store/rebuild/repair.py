"""Repairs views from the fills, and the fills from the journal. No other process may write meanwhile."""

from collections.abc import Sequence
from itertools import groupby

from arcticdb import LibraryOptions

from mats.ledger.books import book_key
from mats.model import AccountId, Entry, Nanos
from mats.store.rebuild.view_tables import Name, Stored, Table, schema_of
from mats.store.tables import Row, Schema, Store, TableWriter, connect, from_frame, open_library, schemas

SCRATCH = "mem://repair"
BATCH = 10_000
LOG = {"fills": schemas.FILLS, "fill_corrections": schemas.FILL_CORRECTIONS, "adjustments": schemas.ADJUSTMENTS}


def repair_views(uri: str, stored: Stored, expected: Stored) -> list[Name]:
    """Rewrite each view that differs, in one commit each; returns their names."""
    differing = [name for name, table in sorted(expected.items()) if stored.get(name) != table]
    for name in differing:
        _replace(uri, name, schema_of(name[0]), _by_time(expected[name]))
    return differing


def repair_log(uri: str, entries: Sequence[Entry], branch: str) -> None:
    """Rewrite the tables of the fill log from `entries`, all there ever were, ascending in seq, as of a branch."""
    for account, group in groupby(sorted(entries, key=_account), key=_account):
        of_account = list(group)
        scratch = Store(SCRATCH)
        for start in range(0, len(of_account), BATCH):
            scratch.append_fills(account, of_account[start : start + BATCH])
        for library, schema in LOG.items():
            made = connect(SCRATCH).get_library(library)
            if made.has_symbol(account):
                rows = from_frame(made.read(account).data, schema)
                _replace(uri, (library, account), schema, rows, branch, of_account[-1].seq)
        scratch.close()


def _replace(uri: str, name: Name, schema: Schema, rows: dict[Nanos, Row], branch: str = "", seq: int = 0) -> None:
    library = open_library(connect(uri), name[0], LibraryOptions(rows_per_segment=schema.rows_per_segment))
    TableWriter(library, name[1], schema, branch).replace(rows, seq)


def _by_time(table: Table) -> dict[Nanos, Row]:
    """The rows in order; those of one instant are a nanosecond apart."""
    rows: dict[Nanos, Row] = {}
    last: Nanos = -1
    for time, row in sorted(table.values(), key=lambda placed: placed.time):
        last = max(time, last + 1)
        rows[last] = row
    return rows


def _account(entry: Entry) -> AccountId:
    return book_key(entry)[0]
