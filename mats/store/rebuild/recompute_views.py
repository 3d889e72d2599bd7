"""Recomputes every view from `fills`, `fill_corrections` and `adjustments` alone.

Prices follow from no entry: the recomputed rows are valued at the price of the stored ones.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from mats.ledger.books import BookKey, Matching, book_key, effective_steps
from mats.model import AccountId, AdjustmentRecorded, CommissionRecorded, Entry, InstrumentId, StrategyName
from mats.store.rebuild.view_tables import HISTORY_KEY, Name, Placed, Stored, Table, key_columns, schema_of
from mats.store.tables import (
    PositionRow,
    Row,
    SnapshotInfo,
    conform,
    history_row,
    library_part,
    mark_of,
    position_row,
    revalued,
    schemas,
    snapshot_of,
    symbol_name,
    trade_row,
)
from mats.store.views import Views

Progress = Callable[[int], object]
"""Called after each entry with the number of entries done."""


def recompute(
    entries: Sequence[Entry], stored: Stored, progress: Progress = lambda _: None, matching: Matching = "fifo"
) -> dict[Name, Table]:
    """The views that follow from `entries`, ascending in seq, valued at the stored prices."""
    past: dict[BookKey, list[Entry]] = defaultdict(list)
    booked: dict[tuple[AccountId, str], list[CommissionRecorded]] = defaultdict(list)

    def history(account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /) -> list[Entry]:
        book = past[account, strategy, instrument]
        return book[bisect_right(book, after, key=lambda entry: entry.seq) :]

    def charges(entry: CommissionRecorded) -> list[CommissionRecorded]:
        return booked[entry.execution.account, entry.execution.family]

    views = Views(history, matching=matching, charges=charges)
    expected: dict[Name, Table] = {name: {} for name in stored}
    snapshots = _snapshots(stored)
    for done, entry in enumerate(entries, 1):
        _take_snapshots(snapshots, entry.seq, views, stored, expected)
        past[book_key(entry)].append(entry)
        views.skip(entry.seq - 1)
        views.apply(entry)
        if isinstance(entry, CommissionRecorded):
            booked[entry.execution.account, entry.execution.family].append(entry)
        for step in views.changes:
            _put(expected, stored, (f"positions/{library_part(step.strategy)}", symbol_name(step.instrument)), step)
        views.changes.clear()
        progress(done)
    _take_snapshots(snapshots, None, views, stored, expected)
    for account in views.accounts():
        for row in views.held(account, after=views.seq):
            _put(expected, stored, ("portfolio", account), row)
    for (account, name, closed), trade in views.trades.items():
        if trade is not None:
            there = stored.get(("trades", account), {}).get((name,))
            at = there.time if there else closed
            expected.setdefault(("trades", account), {})[name,] = Placed(at, conform(trade_row(trade), schemas.TRADES))
    expected.update(_orders(past, stored))
    return expected


def _put(expected: dict[Name, Table], stored: Stored, name: Name, row: PositionRow) -> None:
    """Add the expected row, valued at the price of the stored one and at its index."""
    library = name[0]
    plain = conform(position_row(row), schema_of(library))
    key = tuple(plain[column] for column in key_columns(library))
    there = stored.get(name, {}).get(key)
    time, marked = (there.time, _marked(row, there.row)) if there else (row.time, row)
    expected.setdefault(name, {})[key] = Placed(time, conform(position_row(marked), schema_of(library)))


def _marked(row: PositionRow, stored: Row) -> PositionRow:
    return revalued(row, mark_of(stored)[1])


class _Snapshot(NamedTuple):
    """A stored snapshot of an account, the one before it, and its reason."""

    account: AccountId
    kept: SnapshotInfo
    before: int
    reason: str


def _snapshots(stored: Stored) -> list[_Snapshot]:
    """All stored snapshots, those of the latest entry first."""
    found = []
    for (library, account), table in stored.items():
        if library == "portfolio_history":
            taken = {
                snapshot_of(row): str(row["reason"])
                for _, row in sorted(table.values(), key=lambda placed: placed.time)
            }
            before = 0
            for kept, reason in taken.items():
                found.append(_Snapshot(account, kept, before, reason))
                before = kept.snapshot_seq
    return sorted(found, key=lambda snapshot: -snapshot.kept.snapshot_seq)


def _take_snapshots(
    waiting: list[_Snapshot], before: int | None, views: Views, stored: Stored, expected: dict[Name, Table]
) -> None:
    """The expected snapshots after entries below `before`: the books as folded now."""
    while waiting and (before is None or waiting[-1].kept.snapshot_seq < before):
        account, kept, after, reason = waiting.pop()
        name = "portfolio_history", account
        for offset, held in enumerate(views.held(account, after)):
            raw = conform(history_row(held, kept, reason), schemas.PORTFOLIO_HISTORY)
            key = tuple(raw[column] for column in HISTORY_KEY)
            there = stored[name].get(key)
            row = _marked(held, there.row) if there else held
            time = there.time if there else kept.time + offset
            expected[name][key] = Placed(time, conform(history_row(row, kept, reason), schemas.PORTFOLIO_HISTORY))


def _orders(past: Mapping[BookKey, Sequence[Entry]], stored: Stored) -> Iterator[tuple[Name, Table]]:
    """Stored orders with the fill figures of their executions, as last corrected."""
    totals: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for entries in past.values():
        for step in effective_steps(entries).steps:
            if not isinstance(step, AdjustmentRecorded) and step.intent_id:
                quantity, notional = totals[step.intent_id]
                done = step.execution
                totals[step.intent_id] = quantity + done.quantity, notional + done.quantity * done.price
    for name, table in stored.items():
        if name[0] == "orders":
            yield name, {key: Placed(at, _filled(row, *totals[str(key[0])])) for key, (at, row) in table.items()}


def _filled(row: Row, filled: Decimal, notional: Decimal) -> Row:
    average = float(notional / filled) if filled else None
    remaining = float(Decimal(str(row["quantity"])) - filled)
    return {**row, "filled": float(filled), "remaining": remaining, "avg_fill_price": average}
