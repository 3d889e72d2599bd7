"""Targets that strategies declare for all bars at once, as the closes at which each of them has to be asked for."""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from mats.backtest.engine.bar_feed import BarFeed
from mats.backtest.engine.strategy_driver import StrategyDriver
from mats.errors import StrategyError
from mats.model import InstrumentId, OrderState, OrderView
from mats.model.bar_columns import Floats, Instants


class TargetChange(NamedTuple):
    """At the close `step` a strategy has a new target for an instrument."""

    step: int
    driver: str
    instrument: InstrumentId
    target: float


class TargetSchedule:
    """What is declared, in the order of closes, then strategies, then instruments."""

    def __init__(self, closes: Instants) -> None:
        self._closes = closes
        self._changes: list[TargetChange] = []
        self._retries: list[TargetChange] = []
        self._targets: dict[tuple[str, InstrumentId], tuple[BarFeed, int, Floats]] = {}
        self.next_step = len(closes)
        """The close of the next new target; beyond the last close where there is none."""

    def add(self, driver: StrategyDriver) -> None:
        """Ask a strategy for its targets over all rows from the first warm-up bar on."""
        for name in sorted(driver.instruments):
            feed, window = driver.feeds[name], driver.windows[name]
            frame = window.whole()
            with driver.guard():
                targets = np.asarray(driver.runner.strategy.signals(frame), dtype=float)
                if targets.shape != (len(frame),):
                    raise StrategyError(
                        f"signals() gave {targets.shape} numbers for {len(frame)} bars of {name}; give one for each bar"
                    )
            self._targets[driver.name, name] = feed, window.begin, targets
            rows = feed.first + changes(targets[feed.first - window.begin :])
            steps = np.searchsorted(self._closes, feed.columns.end[rows])
            values = targets[rows - window.begin].tolist()
            self._changes += map(TargetChange, steps.tolist(), [driver.name] * len(rows), [name] * len(rows), values)
        self._changes.sort(reverse=True)
        self._look_ahead()

    def _look_ahead(self) -> None:
        pending = self._changes[-1].step if self._changes else len(self._closes)
        self.next_step = min(pending, self._retries[0].step) if self._retries else pending

    def take(self, step: int) -> list[TargetChange]:
        """The targets that are new at a close; the same one is not given twice."""
        found, pending, retries = [], self._changes, self._retries
        while pending and pending[-1].step == step:
            found.append(pending.pop())
        if retries and retries[0].step == step:
            while retries and retries[0].step == step:
                found.append(heappop(retries))
            found = sorted(set(found))
        self._look_ahead()
        return found

    def retry_after_rejection(self, view: OrderView, step: int) -> None:
        """An order after the close `step` was rejected: its target is asked for again at the next bar that has one."""
        known = self._targets.get((view.strategy, view.instrument))
        if known is None or view.state is not OrderState.REJECTED:
            return
        feed, begin, targets = known
        row = feed.row + 1
        rest = np.flatnonzero(~np.isnan(targets[row - begin :]))
        if len(rest):
            row += int(rest[0])
            step = int(np.searchsorted(self._closes, int(feed.columns.end[row])))
            heappush(self._retries, TargetChange(step, view.strategy, view.instrument, float(targets[row - begin])))
            self._look_ahead()


def changes(targets: Floats) -> Instants:
    """The rows at which a target differs from the last one before it that is a number."""
    rows: Instants = np.flatnonzero(targets == targets)
    values = targets[rows]
    return rows[np.concatenate(([True], values[1:] != values[:-1]))] if len(rows) else rows
