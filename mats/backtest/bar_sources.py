"""Where a backtest's bars come from, checked before anything runs."""

from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from mats.backtest.terms import FILE, Terms
from mats.backtest.warm_up import Counts, first_row
from mats.data import (
    BarTable,
    actions_between,
    checked_bars,
    find_bar_files,
    fitting_calendar,
    in_sessions,
    read_table,
)
from mats.data.importer import Stamp, file_actions
from mats.errors import DataError
from mats.model import Currency, InstrumentId, Nanos, iso, size_name
from mats.model.bar_columns import BarColumns, BarData, CorporateAction
from mats.sessions import Hours, SessionCalendar
from mats.store.tables import BarStore

STORE = "store"


class DataSource(msgspec.Struct, frozen=True, kw_only=True):
    """`place` is `store`, or the absolute path of a bar file or a folder of them; `zone` and `stamp` say how to read
    files. `terms` is the path of the operator's file of instruments, empty where there is none.
    """

    place: str = STORE
    zone: str | None = None
    stamp: Stamp = "start"
    terms: str = ""

    def term_files(self) -> tuple[Path, ...]:
        """Files that may state the terms of instruments; the one beside the bars wins."""
        place = Path(self.place)
        beside = () if self.place == STORE else ((place if place.is_dir() else place.parent) / FILE,)
        return (*beside, *((Path(self.terms),) if self.terms else ()))


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of `seconds`, or of a part of that, which start in `[start, end)` in `hours`, and earlier ones for warm-up.

    `before` is how many bars of each size strategies need before the start. Currency pairs with the rates to
    `currency` are included where there are bars of them.
    """

    instruments: tuple[InstrumentId, ...]
    seconds: int
    start: Nanos
    end: Nanos
    hours: Hours = "regular"
    before: Counts = {}
    currency: Currency = "USD"


def load_data(source: DataSource, uri: str, wanted: Wanted) -> BarData:
    """The bars, with splits and dividends, checked.

    Raises DataError for an instrument without bars, bars of different sizes, and for every invalid bar.
    """
    if not wanted.instruments:
        raise DataError("no instrument is given; name some with --instruments, or in the strategy's parameters")
    bar_source = StoreSource(uri) if source.place == STORE else FileSource(source)
    terms = Terms(source.term_files(), uri)
    bars: dict[InstrumentId, BarColumns] = {}
    actions: dict[InstrumentId, tuple[CorporateAction, ...]] = {}
    around_the_clock: set[InstrumentId] = set()
    for name in (*wanted.instruments, *_pairs(bar_source, wanted, terms)):
        columns, known = bar_source.read(name, wanted.seconds)
        calendar = fitting_calendar(terms.of(name), columns)
        if not calendar.known:
            around_the_clock.add(name)
        bars[name] = _part(in_sessions(columns, calendar, wanted.hours), calendar, wanted)
        actions[name] = actions_between(known, bars[name].start)
    sizes = {columns.seconds for columns in bars.values()}
    if len(sizes) > 1:
        listed = ", ".join(f"{name} {size_name(columns.seconds)}" for name, columns in bars.items())
        raise DataError(f"the bars differ in size ({listed}); use one size, or give it with --bar-seconds")
    instruments = {name: terms.of(name) for name in bars}
    return BarData(bars, instruments, actions, wanted.hours, frozenset(around_the_clock))


BarsAndActions = tuple[BarColumns, tuple[CorporateAction, ...]]


class BarSource(Protocol):
    """A place that bars are read from."""

    def has(self, name: InstrumentId) -> bool:
        """Whether there are bars of an instrument."""

    def read(self, name: InstrumentId, seconds: int) -> BarsAndActions:
        """All bars of an instrument that bars of `seconds` can be built from, and its actions. Raises DataError."""


class StoreSource:
    """The store: bars of the size itself where there are any, else of the largest that it can be built from."""

    def __init__(self, uri: str) -> None:
        self._store = BarStore(uri)

    def has(self, name: InstrumentId) -> bool:
        return bool(self._store.sizes(name))

    def read(self, name: InstrumentId, seconds: int) -> BarsAndActions:
        sizes = self._store.sizes(name)
        size = max((s for s in sizes if seconds % s == 0), default=0)
        bars = self._store.read(name, size) if size else None
        if bars is None:
            has = f"it has {', '.join(map(size_name, sizes))}" if sizes else "it has none"
            raise DataError(
                f"the store has no bars of {name} for {size_name(seconds)} ({has}); import some with "
                "`mats data import`, or give another size with --bar-seconds"
            )
        return checked_bars(_table(bars)), self._store.actions(name)


class FileSource:
    """A bar file, or a folder of them."""

    def __init__(self, source: DataSource) -> None:
        self._source, self._files = source, find_bar_files(Path(source.place))

    def has(self, name: InstrumentId) -> bool:
        return name in self._files

    def read(self, name: InstrumentId, seconds: int) -> BarsAndActions:
        if name not in self._files:
            has = ", ".join(self._files)
            raise DataError(f"data {self._source.place} has no bars of {name}; it has {has}, name one of these")
        file = self._files[name]
        table = read_table(file, zone=self._source.zone, stamp=self._source.stamp)
        if seconds % table.seconds:
            raise DataError(
                f"{file} has bars of {size_name(table.seconds)}, which cannot build {size_name(seconds)}; "
                f"give --bar-seconds {table.seconds}"
            )
        return checked_bars(table), file_actions(file, table, self._source.zone)


def _pairs(bar_source: BarSource, wanted: Wanted, terms: Terms) -> list[InstrumentId]:
    base = wanted.currency
    currencies = {terms.of(name).currency for name in wanted.instruments} - {base}
    pairs = [pair for other in sorted(currencies) for pair in (other + base, base + other)]
    return [pair for pair in pairs if pair not in wanted.instruments and bar_source.has(pair)]


def _part(bars: BarColumns, calendar: SessionCalendar, wanted: Wanted) -> BarColumns:
    if not len(bars):
        raise DataError(
            f"there are no bars of {bars.instrument} in {wanted.hours} hours ({calendar.name}); "
            'give bars of the sessions, or set session = "extended" for those before the open and after the close'
        )
    first, last = (int(i) for i in np.searchsorted(bars.start, (wanted.start, wanted.end), side="left"))
    if first == last:
        raise DataError(
            f"there are no bars of {bars.instrument} from {iso(wanted.start)} to {iso(wanted.end)}; they range from "
            f"{iso(int(bars.start[0]))} to {iso(int(bars.end[-1]))}: correct --from and --to"
        )
    row = first_row(bars, calendar, wanted.before, wanted.start)
    return bars.between(int(bars.start[row]), int(bars.end[last - 1]))


def _table(bars: BarColumns) -> BarTable:
    """Stored bars as a table, for the same checks as files."""
    return BarTable(
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
