"""Bar files into the store: what can be used is stored, what cannot is reported."""

from pathlib import Path
from typing import Literal

import msgspec

from mats.data.bar_files import BarTable, read_table
from mats.data.corporate_actions import companion, read_actions, table_actions
from mats.data.quality import Findings, cleaned
from mats.errors import DataError
from mats.model import CorporateAction, InstrumentId, merge_actions, parse_instrument
from mats.store.tables import BarStore

Stamp = Literal["start", "end"]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file: its bars, how many of them changed the store, its actions, and what was found in it."""

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
) -> Imported:
    """Store the bars of a file and its splits and dividends; doing it again changes nothing. Raises DataError."""
    table = read_table(path, instrument=instrument, seconds=seconds, zone=zone, stamp=stamp)
    bars, findings = cleaned(table)
    if not len(bars):
        raise DataError(f"{path} has no row that is a bar; its first fault is {next(iter(findings.faults))!r}")
    actions = file_actions(path, table, zone)
    changed = store.write(bars)
    if actions:
        store.write_actions(table.instrument, actions)
    return Imported(
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
    beside = companion(path, table.instrument)
    listed = read_actions(beside, zone, currency) if beside.is_file() else ()
    return merge_actions((*table_actions(table, currency), *listed))
