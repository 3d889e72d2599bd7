"""Imports bar files into the store: valid rows are stored, others reported."""

from pathlib import Path
from typing import Literal

import msgspec

from mats.data.bar_files import BarTable, read_table
from mats.data.corporate_actions import actions_file, read_actions, table_actions
from mats.data.quality import Findings, clean
from mats.errors import DataError
from mats.instruments import parse_instrument
from mats.model import InstrumentId
from mats.model.bar_columns import CorporateAction, merge_actions
from mats.store.tables import BarStore

Stamp = Literal["start", "end"]


class ImportResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of importing a file: its bars, how many of them changed the store, its actions, and its defects."""

    path: str
    instrument: InstrumentId
    seconds: int
    bars: int
    changed: int
    actions: int
    findings: Findings


def import_file(
    store: BarStore,
    path: Path,
    *,
    instrument: InstrumentId = "",
    seconds: int = 0,
    zone: str | None = None,
    stamp: Stamp = "start",
) -> ImportResult:
    """Store the bars of a file and its splits and dividends; doing it again changes nothing. Raises DataError."""
    table = read_table(path, instrument=instrument, seconds=seconds, zone=zone, stamp=stamp)
    bars, findings = clean(table)
    if not len(bars):
        raise DataError(f"{path} has no valid row; its first defect is {next(iter(findings.faults))!r}")
    actions = file_actions(path, table, zone)
    changed = store.write(bars)
    if actions:
        store.write_actions(table.instrument, actions)
    return ImportResult(
        path=str(path),
        instrument=table.instrument,
        seconds=table.seconds,
        bars=len(bars),
        changed=changed,
        actions=len(actions),
        findings=findings,
    )


def file_actions(path: Path, table: BarTable, zone: str | None) -> tuple[CorporateAction, ...]:
    """The splits and dividends of the table's columns and of the file beside it. Raises DataError."""
    try:
        currency = parse_instrument(table.instrument).currency
    except ValueError as error:
        raise DataError(f"{path}: {error}; name it with --instrument") from error
    beside = actions_file(path, table.instrument)
    listed = read_actions(beside, zone, currency) if beside.is_file() else ()
    return merge_actions((*table_actions(table, currency), *listed))
