"""Finds defects and gaps in a table, and the rows that are valid bars."""

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from mats.data.bar_files import PRICES, BarTable
from mats.errors import DataError
from mats.model import SECOND, Nanos, iso
from mats.model.bar_columns import BarColumns, Instants

Mask = npt.NDArray[np.bool_]

GAPS_KEPT = 5


class DataDefect(msgspec.Struct, frozen=True):
    """Rows with one kind of defect: their number, and the first one, counted from 1 without the header."""

    count: int
    row: int
    time: Nanos


class Gap(msgspec.Struct, frozen=True):
    """No bar between the end of one and the start of the next."""

    after: Nanos
    before: Nanos


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Defects of a table by name, and the longest of its gaps."""

    rows: int
    faults: Mapping[str, DataDefect]
    gaps: int
    longest: tuple[Gap, ...]


FIXES = {
    "no number": "fill or remove it",
    "negative price": "correct or remove it",
    "price of zero": "correct or remove it",
    "high below low": "correct or remove it",
    "price outside its low and high": "correct or remove it",
    "negative volume": "correct or remove it",
    "repeated time": "remove one of the two",
    "time before the row above": "sort by time",
    "time within the bar above": "give the right --seconds",
}
"""Kinds of defects in the order of their check, and the fix of each."""

REJECTED = frozenset(FIXES) - {"repeated time", "time before the row above", "time within the bar above"}
"""The defects of rows that are not bars."""


def find_defects(table: BarTable) -> dict[str, Mask]:
    """The rows with each kind of defect; kinds without a row are left out."""
    numbers = [getattr(table, name) for name in PRICES] + [table.volume]
    with np.errstate(invalid="ignore"):
        nan = ~np.isfinite(np.vstack(numbers)).all(axis=0)
        top = np.maximum(table.open, table.close)
        bottom = np.minimum(table.open, table.close)
        steps = np.diff(table.start, prepend=table.start[:1] - table.seconds * SECOND)
        found = {
            "no number": nan,
            "negative price": np.minimum(table.low, bottom) < 0,
            "price of zero": np.minimum(table.low, bottom) == 0,
            "high below low": table.high < table.low,
            "price outside its low and high": (table.high >= table.low) & ((table.high < top) | (table.low > bottom)),
            "negative volume": table.volume < 0,
            "repeated time": steps == 0,
            "time before the row above": steps < 0,
            "time within the bar above": (steps > 0) & (steps < table.seconds * SECOND),
        }
    return {name: mask for name, mask in found.items() if mask.any()}


def checked_bars(table: BarTable) -> BarColumns:
    """The bars of a table without defects; DataError names the first defect otherwise."""
    for name, mask in find_defects(table).items():
        row = int(mask.argmax())
        raise DataError(
            f"{table.place}: row {row + 1} ({iso(int(table.start[row]))}) of {table.instrument}: {name}; "
            f"{FIXES[name]}, or let `mats data import` skip it"
        )
    if not len(table):
        raise DataError(f"{table.place} has no bars of {table.instrument}; import some, or choose another period")
    return _bars(table, slice(None))


def clean(table: BarTable) -> tuple[BarColumns, Findings]:
    """The valid rows in order of time, the later of two rows of one time; and the defects and gaps."""
    found = find_defects(table)
    bad = np.zeros(len(table), dtype=np.bool_)
    for name in REJECTED & found.keys():
        bad |= found[name]
    order = np.argsort(table.start, kind="stable")
    order = order[~bad[order]]
    newest = np.append(np.diff(table.start[order]) != 0, True) if len(order) else np.zeros(0, dtype=np.bool_)
    bars = _bars(table, order[newest])
    _refuse_overlap(table, bars)
    holes = gaps(bars.start, table.seconds)
    longest = sorted(holes, key=_length, reverse=True)[:GAPS_KEPT]
    kept = {name: _fault(table, mask) for name, mask in found.items()}
    return bars, Findings(rows=len(table), faults=kept, gaps=len(holes), longest=tuple(longest))


def gaps(start: Instants, seconds: int) -> list[Gap]:
    """The gaps between bars; nights and weekends are gaps too."""
    holes = np.flatnonzero(np.diff(start) > seconds * SECOND)
    return [Gap(int(start[i]) + seconds * SECOND, int(start[i + 1])) for i in holes.tolist()]


def _bars(table: BarTable, rows: npt.NDArray[np.int64] | slice) -> BarColumns:
    spread = table.spread
    return BarColumns(
        table.instrument,
        table.seconds,
        table.start[rows],
        table.open[rows],
        table.high[rows],
        table.low[rows],
        table.close[rows],
        table.volume[rows],
        None if spread is None or np.isnan(spread).all() else np.maximum(np.nan_to_num(spread[rows], nan=0.0), 0.0),
    )


def _refuse_overlap(table: BarTable, bars: BarColumns) -> None:
    early = np.flatnonzero(np.diff(bars.start) < table.seconds * SECOND)
    if len(early):
        raise DataError(
            f"{table.place}: the bar of {table.instrument} at {iso(int(bars.start[early[0] + 1]))} begins within the "
            f"{table.seconds} s of the one before; {FIXES['time within the bar above']}"
        )


def _fault(table: BarTable, mask: Mask) -> DataDefect:
    row = int(mask.argmax())
    return DataDefect(int(mask.sum()), row + 1, int(table.start[row]))


def _length(gap: Gap) -> Nanos:
    return gap.before - gap.after
