"""A download: page after page into the store, several at once, to be killed and started again at any moment.

Bars are stored first, and after them that their range is known. A kill in between costs that the range is asked again,
which changes nothing: bars are stored under their starts.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np

from mats.data.download.coverage import Coverage
from mats.data.download.plan import Page, Plan, Sessions, gaps, plan_pages
from mats.errors import DataError
from mats.model import DAY, SECOND, Bar, Instrument, Nanos, floor_time, size_name
from mats.model.bar_columns import BarColumns
from mats.store.tables import BarStore, Covered, Known, StoredCoverage, write_lock

PAGES_AHEAD = 5
"""So many requests of one instrument are under way at once."""
PAGES_A_COMMIT, SECONDS_A_COMMIT = 20, 30.0
"""What is answered is stored after so many pages, or seconds: a kill loses no more than that."""
SMALL, SMALL_KEPT = 30, 180 * DAY
"""Bars of up to so many seconds are kept for half a year by IB; nothing older is asked."""

SETTLED_AFTER = DAY
"""Until so long after a bar it may still come: who has no live data gets those of the last quarter of an hour later."""


class BarPages(Protocol):
    """A broker that is asked for history."""

    def longest_span(self, seconds: int) -> int:
        """The seconds that one request for bars of `seconds` may cover."""

    def source_of(self, instrument: Instrument) -> str:
        """The kind of prices of an instrument's bars."""

    async def head(self, instrument: Instrument) -> Nanos | None:
        """The start of the earliest bar; None where there is none."""

    async def page(self, instrument: Instrument, seconds: int, start: Nanos, end: Nanos) -> Sequence[Bar]:
        """All bars that start in a range, oldest first; none is an answer too."""


class Progress(msgspec.Struct):
    """How far a download is; pages and bars of this run."""

    pages: int = 0
    planned: int = 0
    bars: int = 0
    empty: int = 0
    failed: dict[str, str] = {}


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted: bars of `seconds` that start in `[start, end)`; from 1970 on is as far back as there are."""

    instrument: Instrument
    seconds: int
    start: Nanos
    end: Nanos


class Downloader:
    """Fills the store. `now` and `monotonic` are its clock; `calendar` gives the sessions of an instrument."""

    def __init__(
        self,
        pages: BarPages,
        uri: str,
        calendar: Callable[[Instrument], Sessions],
        now: Callable[[], Nanos],
        monotonic: Callable[[], float],
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._pages, self._uri, self._calendar = pages, uri, calendar
        self._bars = BarStore(uri)
        self._now, self._monotonic, self._on_progress = now, monotonic, on_progress
        self.progress = Progress()

    async def run(self, wanted: Sequence[Download], refused: type[Exception]) -> Progress:
        """Download all of it. An instrument that the broker refuses (`refused`) is left out and named in `failed`."""
        plans = await asyncio.gather(*(self._plan(item, refused) for item in wanted))
        await self._run([(item, plan) for item, plan in zip(wanted, plans, strict=True) if plan is not None], refused)
        return self.progress

    async def repair(self, instruments: Sequence[Instrument], seconds: int, refused: type[Exception]) -> Progress:
        """Ask for what is missing between the first and the last stored bar of each."""
        plans = []
        for instrument in instruments:
            stored = self._bars.read(instrument.id, seconds)
            if stored is not None and len(stored):
                known = self._known(instrument, seconds)
                sessions = self._calendar(instrument)
                holes = gaps(stored.start, seconds, sessions, known)
                item = Download(instrument=instrument, seconds=seconds, start=int(stored.start[0]),
                                end=int(stored.end[-1]))  # fmt: skip
                plans.append((item, plan_pages(holes, self._span(seconds), seconds, sessions)))
        await self._run(plans, refused)
        return self.progress

    # Planning

    async def _plan(self, item: Download, refused: type[Exception]) -> Plan | None:
        """What is to be asked; None where there is nothing to be had, which `failed` says."""
        name, end = item.instrument.id, floor_time(item.end, item.seconds)
        begin = floor_time(item.start, item.seconds)
        first = next(iter(self._known(item.instrument, item.seconds).missing(begin, end)), None)
        if first is not None and first[0] == begin:
            try:
                head = await self._pages.head(item.instrument)
            except refused as error:
                self.progress.failed[name] = str(error)
                return None
            if head is None:
                self.progress.failed[name] = f"{name}: the broker has no history of it"
                return None
            self._store(item, [], [Covered(begin, min(floor_time(head, item.seconds), end), Known.EMPTY)])
        if item.seconds <= SMALL:
            begin = max(begin, floor_time(self._now() - SMALL_KEPT, item.seconds))
        missing = self._known(item.instrument, item.seconds).missing(begin, end)
        return plan_pages(missing, self._span(item.seconds), item.seconds, self._calendar(item.instrument))

    def _known(self, instrument: Instrument, seconds: int) -> Coverage:
        """What is known of bars of this source. Raises DataError where the store has those of another one."""
        stored = self._bars.coverage(instrument.id, seconds)
        source = stored.source
        wanted = self._pages.source_of(instrument)
        if source and source != wanted:
            raise DataError(
                f"the store has {source} bars of {instrument.id} in {size_name(seconds)}, not {wanted}; download them "
                "with --what " + source + ", or the others into another data directory"
            )
        return Coverage(stored.ranges)

    def _span(self, seconds: int) -> Nanos:
        return self._pages.longest_span(seconds) * SECOND

    # Running

    async def _run(self, plans: Sequence[tuple[Download, Plan]], refused: type[Exception]) -> None:
        self.progress.planned = sum(len(plan.pages) for _, plan in plans)
        self._on_progress(self.progress)
        async with asyncio.TaskGroup() as group:
            for item, plan in plans:
                group.create_task(self._fill(item, plan, refused))

    async def _fill(self, item: Download, plan: Plan, refused: type[Exception]) -> None:
        """The pages of one instrument, the oldest first, so that bars are appended."""
        unit = _Unit()
        under_way: deque[tuple[Page, asyncio.Task[Sequence[Bar]]]] = deque()
        waiting = deque(plan.pages)
        begun = self._monotonic()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < PAGES_AHEAD:
                    page = waiting.popleft()
                    ask = self._pages.page(item.instrument, item.seconds, page.start, page.end)
                    under_way.append((page, asyncio.create_task(ask)))
                page, task = under_way.popleft()
                unit.add(page, await task, self._now() - SETTLED_AFTER)
                self._count(unit)
                if len(unit) >= PAGES_A_COMMIT or self._monotonic() - begun >= SECONDS_A_COMMIT:
                    self._store(item, unit.bars, unit.covered)
                    unit, begun = _Unit(), self._monotonic()
            unit.covered += (item for item in plan.closed if item.end <= self._now())
        except refused as error:
            self.progress.failed[item.instrument.id] = str(error)
            self._on_progress(self.progress)
        finally:
            for _, task in under_way:
                task.cancel()
            self._store(item, unit.bars, unit.covered)

    def _count(self, unit: "_Unit") -> None:
        self.progress.pages += 1
        self.progress.bars += unit.last
        self.progress.empty += not unit.last
        self._on_progress(self.progress)

    def _store(self, item: Download, bars: list[Bar], covered: list[Covered]) -> None:
        """The bars, then that they are known."""
        covered = [known for known in covered if known.start < known.end]
        if not covered:
            return
        name, source = item.instrument.id, self._pages.source_of(item.instrument)
        with write_lock(self._uri, "bars"):
            if bars:
                self._bars.write(columns_of(name, item.seconds, bars))
            known = Coverage(self._bars.coverage(name, item.seconds).ranges).with_all(covered)
            self._bars.write_coverage(name, item.seconds, StoredCoverage(known.ranges, source))


class _Unit:
    """Pages that are stored together."""

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self.covered: list[Covered] = []
        self._pages = 0
        self.last = 0
        """Bars of the page that was added last."""

    def __len__(self) -> int:
        return self._pages

    def add(self, page: Page, bars: Sequence[Bar], settled: Nanos) -> None:
        """A page and its bars. After the last bar, only what is older than `settled` is known to be empty."""
        self._pages += 1
        self.last = len(bars)
        self.bars += bars
        self.covered += page.closed
        until = min(page.end, max(bars[-1].end if bars else page.start, settled))
        self.covered.append(Covered(page.start, until, Known.BARS if bars else Known.EMPTY))


def columns_of(name: str, seconds: int, bars: Sequence[Bar]) -> BarColumns:
    """Bars of one size as columns, in the order of time, each start once."""
    ordered = [bar for _, bar in sorted({bar.start: bar for bar in bars}.items())]
    starts = np.array([bar.start for bar in ordered], dtype=np.int64)
    opens, highs, lows, closes, volumes = (
        np.array([getattr(bar, column) for bar in ordered], dtype=np.float64)
        for column in ("open", "high", "low", "close", "volume")
    )
    return BarColumns(name, seconds, starts, opens, highs, lows, closes, volumes)
