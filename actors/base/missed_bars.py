"""Bars that a strategy has missed: they are loaded before live ones go on."""

from collections.abc import Callable
from typing import assert_never

import structlog

from actors.messages.broker import HistoryLoaded
from actors.messages.market_data import BarArrived, BarsInterrupted, BarsOver
from mats.model import InstrumentId, Nanos, iso
from mats.strategy.hosting import BarHole, HoleFilling, StrategyRunner

BarEvent = BarArrived | BarsInterrupted | BarsOver


class MissedBars:
    """Hands what is heard of a strategy's bars to its runner, and lets it wait while a hole before it is filled.

    `load` requests so many bars of a size before now; `remind` is to come back with `overdue` when they did not come.
    Everything is under the names that the strategy writes.
    """

    def __init__(
        self,
        runner: StrategyRunner,
        load: Callable[[InstrumentId, int, int], None],
        remind: Callable[[BarHole], object],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._runner, self._load, self._remind, self._log = runner, load, remind, log
        self._filling: dict[InstrumentId, HoleFilling] = {}
        self._waiting: dict[InstrumentId, list[BarEvent]] = {}

    def __contains__(self, instrument: object) -> bool:
        """Whether a hole in the bars of an instrument is being filled."""
        return instrument in self._filling

    def receive(self, instrument: InstrumentId, event: BarEvent) -> None:
        """A bar came, bars stopped, or none is to come, in the order of the events."""
        if instrument in self._filling:
            self._waiting[instrument].append(event)
            return
        match event:
            case BarArrived(bar=bar):
                if self._begin(instrument, bar.start):
                    self._waiting[instrument].append(event)
                else:
                    self._runner.bar(bar)
            case BarsInterrupted():
                self._runner.interrupt(instrument)
            case BarsOver(time=time):
                if not self._begin(instrument, time):
                    self._runner.resume(instrument)
            case _:
                assert_never(event)

    def take(self, loaded: HistoryLoaded) -> None:
        """What a hole lacked, or a part of it, or why it cannot be had."""
        filling = self._filling[loaded.instrument]
        if not loaded.complete:
            self._give_up(filling.hole, loaded.reason)
            return
        filling.take(loaded.bar_seconds, loaded.bars)
        if filling.complete and filling.whole:
            self._runner.fill_hole(filling.hole, filling.parts)
            self._go_on(loaded.instrument)
        elif filling.complete:
            self._give_up(filling.hole, "what was loaded begins too late")

    def overdue(self, hole: BarHole) -> None:
        """It was to be filled by now."""
        filling = self._filling.get(hole.instrument)
        if filling is not None and filling.hole is hole:
            self._give_up(hole, "nothing came in time")

    def _begin(self, instrument: InstrumentId, until: Nanos) -> bool:
        """Request what is missing until then; False where nothing is."""
        hole = self._runner.hole(instrument, until)
        if hole is None:
            return False
        self._filling[instrument], self._waiting[instrument] = HoleFilling(hole), []
        for seconds, count in hole.needed.items():
            self._load(instrument, seconds, count)
        self._remind(hole)
        return True

    def _give_up(self, hole: BarHole, reason: str) -> None:
        self._log.warning(
            "bars are made of what came: those that were missed cannot be loaded",
            instrument=hole.instrument, start=iso(hole.begin), end=iso(hole.until), reason=reason,
        )  # fmt: skip
        self._runner.resume(hole.instrument)
        self._go_on(hole.instrument)

    def _go_on(self, instrument: InstrumentId) -> None:
        """What waited may begin with another hole; the rest of it then waits for that."""
        del self._filling[instrument]
        for event in self._waiting.pop(instrument):
            self.receive(instrument, event)
