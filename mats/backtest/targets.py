"""Targets that strategies declare for all bars at once, as the closes at which each of them has to be asked for."""

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from mats.backtest.speaker import Speaker
from mats.backtest.tape import Tape
from mats.errors import StrategyError
from mats.model import InstrumentId, OrderState, OrderView
from mats.model.bar_columns import Floats, Instants


class Wake(NamedTuple):
    """At the close `step` a strategy has a new target for an instrument."""

    step: int
    speaker: str
    instrument: InstrumentId
    target: float


class Wakes:
    """What is declared, in the order of closes, then strategies, then instruments."""

    def __init__(self, closes: Instants) -> None:
        self._closes = closes
        self._wakes: list[Wake] = []
        self._again: list[Wake] = []
        self._targets: dict[tuple[str, InstrumentId], tuple[Tape, int, Floats]] = {}

    def add(self, speaker: Speaker, tapes: Mapping[InstrumentId, Tape]) -> None:
        """Ask a strategy for its targets over all rows from the first warm-up bar on."""
        for name in sorted(speaker.instruments):
            tape, window = tapes[name], speaker.windows[name]
            frame = window.whole()
            with speaker.guard():
                targets = np.asarray(speaker.runner.strategy.signals(frame), dtype=float)
                if targets.shape != (len(frame),):
                    raise StrategyError(
                        f"signals() gave {targets.shape} numbers for {len(frame)} bars of {name}; give one for each bar"
                    )
            self._targets[speaker.name, name] = tape, window.begin, targets
            rows = tape.first + changes(targets[tape.first - window.begin :])
            steps = np.searchsorted(self._closes, tape.columns.end[rows])
            values = targets[rows - window.begin].tolist()
            self._wakes += map(Wake, steps.tolist(), [speaker.name] * len(rows), [name] * len(rows), values)
        self._wakes.sort(reverse=True)

    @property
    def next_step(self) -> int:
        """The close of the next new target; beyond the last close where there is none."""
        pending = self._wakes[-1].step if self._wakes else len(self._closes)
        return min(pending, self._again[0].step) if self._again else pending

    def take(self, step: int) -> list[Wake]:
        """The targets that are new at a close; the same one is not given twice."""
        found, wakes, again = [], self._wakes, self._again
        while wakes and wakes[-1].step == step:
            found.append(wakes.pop())
        if not again or again[0].step != step:
            return found
        while again and again[0].step == step:
            found.append(heappop(again))
        return sorted(set(found))

    def ask_again(self, view: OrderView, step: int) -> None:
        """An order after the close `step` was refused: its target stands again at the next bar that has one."""
        known = self._targets.get((view.strategy, view.instrument))
        if known is None or view.state is not OrderState.REJECTED:
            return
        tape, begin, targets = known
        row = tape.row + 1
        rest = np.flatnonzero(~np.isnan(targets[row - begin :]))
        if len(rest):
            row += int(rest[0])
            step = int(np.searchsorted(self._closes, int(tape.columns.end[row])))
            heappush(self._again, Wake(step, view.strategy, view.instrument, float(targets[row - begin])))


def changes(targets: Floats) -> Instants:
    """The rows at which a target differs from the last one before it that is a number."""
    rows: Instants = np.flatnonzero(targets == targets)
    values = targets[rows]
    return rows[np.concatenate(([True], values[1:] != values[:-1]))] if len(rows) else rows
