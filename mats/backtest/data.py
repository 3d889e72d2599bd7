"""Where a backtest's bars come from, checked before anything runs."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from mats.data.actions import actions_between
from mats.data.columns import Action, BarColumns, MarketData
from mats.data.errors import DataError
from mats.data.importing import Stamp, file_actions
from mats.data.quality import checked
from mats.data.sizes import size_name
from mats.data.tables import Table, bar_tables, read_table
from mats.model.instrument import Instrument, InstrumentId, SecType, parse_instrument
from mats.model.timestamp import Nanos, iso
from mats.store.bars import BarStore
from mats.venue.listings import DEFAULT_LISTINGS

STORE = "store"

_LISTED = {listing.instrument.id: listing.instrument for listing in DEFAULT_LISTINGS}


class DataSource(msgspec.Struct, frozen=True, kw_only=True):
    """`place` is `store`, or the absolute path of a bar file or a folder of them; the rest says how to read files."""

    place: str = STORE
    zone: str | None = None
    stamp: Stamp = "start"


def load_data(
    source: DataSource, uri: str, instruments: Sequence[InstrumentId], seconds: int, start: Nanos, end: Nanos
) -> MarketData:
    """The bars of `instruments` that lie in `[start, end)`, of `seconds` or, where there are none, of a part of that.

    Raises DataError for an instrument without bars, bars of different sizes, and every fault that a bar can have.
    """
    if not instruments:
        raise DataError("no instrument is named; name some with --instruments, or in the strategy's parameters")
    read = _from_store if source.place == STORE else _from_files
    found = read(source, uri, instruments, seconds)
    bars: dict[InstrumentId, BarColumns] = {}
    actions: dict[InstrumentId, tuple[Action, ...]] = {}
    for name, (columns, known) in found.items():
        bars[name] = _part(columns, start, end)
        actions[name] = actions_between(known, bars[name].start)
    sizes = {columns.seconds for columns in bars.values()}
    if len(sizes) > 1:
        listed = ", ".join(f"{name} {size_name(columns.seconds)}" for name, columns in bars.items())
        raise DataError(f"the bars differ in size ({listed}); take one size, or name it with --bar-seconds")
    return MarketData(bars, {name: resolve(name) for name in bars}, actions)


def resolve(name: InstrumentId) -> Instrument:
    """The instrument of a name: as the venue lists it, else what the name says. Raises DataError."""
    if name in _LISTED:
        return _LISTED[name]
    try:
        instrument = parse_instrument(name)
    except ValueError as error:
        raise DataError(str(error)) from error
    if instrument.sec_type is SecType.CASH:
        tick = Decimal("0.005") if instrument.currency == "JPY" else Decimal("0.00005")
        return msgspec.structs.replace(instrument, tick_size=tick)
    return instrument


Found = dict[InstrumentId, tuple[BarColumns, tuple[Action, ...]]]


def _from_store(source: DataSource, uri: str, instruments: Sequence[InstrumentId], seconds: int) -> Found:
    store = BarStore(uri)
    found: Found = {}
    for name in instruments:
        sizes = store.sizes(name)
        size = seconds if seconds in sizes else max((s for s in sizes if seconds % s == 0), default=0)
        bars = store.read(name, size) if size else None
        if bars is None:
            has = f"it has {', '.join(map(size_name, sizes))}" if sizes else "it has none"
            raise DataError(
                f"the store has no bars of {name} that make up {size_name(seconds)} ({has}); `mats data import` some"
            )
        found[name] = checked(_table(bars)), store.actions(name)
    return found


def _from_files(source: DataSource, uri: str, instruments: Sequence[InstrumentId], seconds: int) -> Found:
    path = Path(source.place)
    files = bar_tables(path)
    found: Found = {}
    for name in instruments:
        if name not in files:
            raise DataError(f"data {path} has no bars of {name}, but of {', '.join(files)}; name one of these")
        table = read_table(files[name], zone=source.zone, stamp=source.stamp)
        if seconds % table.seconds:
            raise DataError(
                f"{files[name]} has bars of {size_name(table.seconds)}, which do not make up {size_name(seconds)}; "
                f"say --bar-seconds {table.seconds}"
            )
        found[name] = checked(table), file_actions(files[name], table, source.zone)
    return found


def _part(bars: BarColumns, start: Nanos, end: Nanos) -> BarColumns:
    """The bars that start in `[start, end)`."""
    first, last = (int(i) for i in np.searchsorted(bars.start, (start, end), side="left"))
    if first == last:
        raise DataError(
            f"there are no bars of {bars.instrument} from {iso(start)} to {iso(end)}; they go from "
            f"{iso(int(bars.start[0]))} to {iso(int(bars.end[-1]))}: correct --from and --to"
        )
    return bars.between(int(bars.start[first]), int(bars.end[last - 1]))


def _table(bars: BarColumns) -> Table:
    """Stored bars as a table, to be looked at as files are."""
    return Table(
        place=f"the store's bars/{size_name(bars.seconds)}",
        instrument=bars.instrument,
        seconds=bars.seconds,
        start=bars.start,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        spread=bars.spread,
    )
