"""Stores entries of the fill log as rows: fills, fills replaced by corrections, adjustments.

Each table carries the seq of the last entry it holds, written in the same commit as its rows, so that entries repeated
after a crash change nothing.
"""

from collections.abc import Iterator, Sequence

from mats.model import AdjustmentRecorded, CommissionRecorded, Entry, Execution, FillCorrected, FillRecorded, Nanos
from mats.store.tables import schemas
from mats.store.tables.frames import ROW_ERRORS, Raw, Reject, Row, amended, conform
from mats.store.tables.old_rows import Key
from mats.store.tables.rows import NO_COMMISSION, adjustment_row, commission_columns, execution_row
from mats.store.tables.symbol_names import symbol_name
from mats.store.tables.table_writer import TableWriter
from mats.store.tables.time_index import check_time


def check_storable(entry: Entry) -> None:
    """Raise ValueError where an entry has no place: its account names no table, or its time no row."""
    if isinstance(entry, AdjustmentRecorded):
        symbol_name(entry.account)
    else:
        symbol_name(entry.execution.account)
        check_time(entry.execution.time)


class FillTables:
    """The three tables of one account that store the fill log."""

    def __init__(self, fills: TableWriter, corrections: TableWriter, adjustments: TableWriter) -> None:
        self.fills, self.corrections, self.adjustments = fills, corrections, adjustments

    def append(self, entries: Sequence[Entry]) -> list[Reject]:
        """Store `entries`, ascending in seq; those already stored are left out. Returns rows that fit no table.

        `fills` is written last: its seq covers all three tables.
        """
        rejects: list[Reject] = []
        seq = entries[-1].seq
        self.fills.preload(_places(entries))
        with self.fills.batch(seq), self.adjustments.batch(seq), self.corrections.batch(seq):
            for entry in entries:
                try:
                    self._book(entry)
                except ROW_ERRORS as error:
                    rejects.append(Reject("fills", self.fills.name, repr(entry), str(error)))
        return rejects

    def _book(self, entry: Entry) -> None:
        match entry:
            case AdjustmentRecorded():
                if entry.seq > self.adjustments.seq:
                    _log(self.adjustments, entry.recorded, conform(adjustment_row(entry), schemas.ADJUSTMENTS))
            case FillRecorded():
                if entry.seq > self.fills.seq:
                    self._put(entry.execution, execution_row(entry, entry.execution))
            case FillCorrected():
                if entry.seq > self.fills.seq:
                    self._correct(entry)
            case CommissionRecorded():
                if entry.seq > self.fills.seq:
                    self._charge(entry)

    def _put(self, execution: Execution, raw: Raw) -> None:
        row = conform(raw, schemas.FILLS)
        at = self.fills.find((execution.family,), execution.time)
        self.fills.put(self.fills.slot(execution.time) if at is None else at, row)

    def _correct(self, entry: FillCorrected) -> None:
        """The row keeps its index; its commission stays until the one of the new revision arrives."""
        at = self._where(entry.previous)
        if at is None:
            self._put(entry.execution, execution_row(entry, entry.execution))
            return
        stored = self._row(at)
        self._supersede(stored, entry, entry.execution.exec_id)
        charged = {name: stored[name] for name in NO_COMMISSION}
        self.fills.put(at, conform({**execution_row(entry, entry.execution), **charged}, schemas.FILLS))

    def _charge(self, entry: CommissionRecorded) -> None:
        """The commission of the highest revision counts, and within a revision the last one."""
        at = self._where(entry.execution)
        if at is None:
            raise ValueError(f"the execution {entry.execution.exec_id} of this commission is not in the table")
        row, charge = self._row(at), commission_columns(entry)
        if _revision(row["commission_id"]) > entry.execution.revision:
            self._supersede({**row, **charge, "seq": 0}, entry, str(row["commission_id"]))
            return
        if row["commission_seq"] not in (0, entry.seq):  # its own seq: the entry is repeated after a crash
            self._supersede(row, entry, entry.commission.exec_id)
        self.fills.put(at, amended(row, charge, schemas.FILLS))

    def _supersede(self, row: Raw, entry: FillCorrected | CommissionRecorded, by: str) -> None:
        """Keep the row that `entry` replaces, once."""
        if entry.seq > self.corrections.seq:
            old = {**row, "superseded_by": by, "superseded_seq": entry.seq}
            _log(self.corrections, entry.recorded, conform(old, schemas.FILL_CORRECTIONS))

    def _where(self, execution: Execution) -> Nanos | None:
        key = (execution.family,)
        at = self.fills.find(key, execution.time)
        return self.fills.search(key) if at is None else at

    def _row(self, at: Nanos) -> Row:
        row = self.fills.row(at)
        assert row is not None, f"no row at {at}"
        return row


def _places(entries: Sequence[Entry]) -> Iterator[tuple[Key, Nanos]]:
    """The rows of `fills` that the entries change, by key and time."""
    for entry in entries:
        if not isinstance(entry, AdjustmentRecorded):
            reported = entry.previous if isinstance(entry, FillCorrected) else entry.execution
            yield (reported.family,), reported.time


def _log(table: TableWriter, time: Nanos, row: Row) -> None:
    table.put(table.after_last(time), row)


def _revision(exec_id: object) -> int:
    """The revision that a stored commission belongs to, -1 where none is stored."""
    _, _, tail = str(exec_id or "").rpartition(".")
    return int(tail) if tail.isdigit() else -1
