"""The backtest engine: strategies, risk, orders, market and books in one thread, run until nothing is left to say.

A step is one close of the timeline. In the order of time: what the calendar brings (splits, dividends, the cost of
borrowed shares) and timers that are due; the opens, where working orders meet the bars that begin; the path through
those bars; the close, where the newest bars become known and strategies get them, by name, and each of its bars in
the order of instruments. After each of these the message queue is emptied, first in, first out.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from time import perf_counter

from mats.backtest.engine.assembly import Assembly
from mats.backtest.engine.bar_feed import closing
from mats.backtest.engine.bar_matching import BarMarket, Visit
from mats.backtest.engine.context import drain
from mats.backtest.engine.curves import curves
from mats.backtest.engine.run_records import BacktestRun, Records, RunState
from mats.backtest.engine.strategy_driver import StrategyFailed
from mats.backtest.engine.trades import completed_trades
from mats.backtest.engine.vector_signals import TargetSchedule
from mats.backtest.spec import BacktestSpec
from mats.model import Nanos
from mats.model.bar_columns import BarData

REPORTS = 200
"""How often the progress of a run is told."""

Progress = Callable[[int, int], None]
"""Is told how many closes are over, and of how many."""


def run_backtest(spec: BacktestSpec, data: BarData, progress: Progress | None = None) -> BacktestRun:
    """The run of a spec over the bars that it names; it changes nothing outside of itself.

    Bars before `spec.start` are history for warm-up. Raises BacktestError, StrategyError or ValueError where it cannot
    begin; what a strategy raises later ends the run as failed.
    """
    return Engine(spec, data).run(progress)


class Engine:
    """One run from its first step to its last."""

    def __init__(self, spec: BacktestSpec, data: BarData) -> None:
        begun = perf_counter()
        self._spec = spec
        self.parts = parts = Assembly(spec, data)
        self._clock, self._queue, self._path, self._settlement = parts.clock, parts.queue, parts.path, parts.settlement
        self._ends = parts.closes.data
        self._visits: list[tuple[Nanos, Visit]] = []
        self._drain, self._working = partial(drain, parts.queue), parts.flow.working_ids
        self._due = list(reversed(parts.due))
        self._next_due = self._due[-1][0] if self._due else len(self._ends)
        self._targets = TargetSchedule(parts.closes)
        self._clocked = [(driver, driver.runner.timers) for driver in parts.drivers.values()]
        self._timers = [timers for _, timers in self._clocked]
        self._seconds = {"prepare": perf_counter() - begun}

    def run(self, progress: Progress | None) -> BacktestRun:
        begun, failure, told = perf_counter(), "", progress or _nobody
        with _quiet_collector():
            try:
                self._start()
                self._seconds["start"], begun = perf_counter() - begun, perf_counter()
                (self._every_step if self._listeners else self._declared_steps)(told)
                self._stop()
            except StrategyFailed as error:
                failure = str(error)
            self._seconds["steps"] = perf_counter() - begun
            return self._result("failed" if failure else "complete", failure)

    # The whole run

    def _start(self) -> None:
        parts, first = (
            self.parts,
            min(t.columns.start[t.first] for t in self.parts.feeds.values() if t.first < t.last),
        )
        self._clock.now = int(first)
        for driver in parts.drivers.values():
            driver.start(parts.feeds)
            self._drain()
        declared = [s for s in parts.drivers.values() if s.declares(self._spec.style)]
        self._listeners = [s.listener() for s in parts.drivers.values() if s not in declared]
        for driver in declared:
            self._targets.add(driver)
            driver.on_rejection = lambda view: self._targets.retry_after_rejection(view, self._clock.step)

    def _stop(self) -> None:
        for driver in self.parts.drivers.values():
            driver.stop()
            self._drain()

    def _every_step(self, progress: Progress) -> None:
        """Strategies hear of every bar."""
        clock, queue, listeners = self._clock, self._queue, self._listeners
        working, (timed, *others) = self._working, self._timers
        report, every = 0, max(1, len(self._ends) // REPORTS)
        due, waiting = min(self._next_due, self._targets.next_step), bool(working)
        for step, (end, bars) in enumerate(closing(list(self.parts.feeds.values()), self.parts.closes)):
            if waiting or timed or step >= due or (others and any(others)):
                self._lead_up(step, end, any(self._timers))
                waiting = bool(working)
            clock.step, clock.now = step, end
            for listener in listeners:
                listener(bars, end)
            if step >= due:
                self._follow_targets(step, end)
                due = min(self._next_due, self._targets.next_step)
            if queue:
                self._drain()
                waiting = bool(working)
            if step == report:
                report += every
                progress(step, len(self._ends))

    def _declared_steps(self, progress: Progress) -> None:
        """No strategy takes bars: only closes with a new target, a working order or a calendar event matter."""
        step, last, report, every = -1, len(self._ends), 0, max(1, len(self._ends) // REPORTS)
        clock, queue, working, targets = self._clock, self._queue, self._working, self._targets
        while True:
            timed, due = any(self._timers), self._next_due
            waiting = timed or working
            step = step + 1 if waiting else min(targets.next_step, due)
            if step >= last:
                break
            end = self._ends[step]
            clock.step = step - 1
            if waiting or step == due:
                self._lead_up(step, end, timed)
            clock.step, clock.now = step, end
            if step == targets.next_step:
                self._follow_targets(step, end)
            if queue:
                self._drain()
            if step >= report:
                report = step + every
                progress(step, last)
        clock.step, clock.now = last - 1, self._ends[-1]

    # One step

    def _lead_up(self, step: int, end: Nanos, timed: bool) -> None:
        """Everything from the close before to just before this one; `timed` where timers may be due in between."""
        begun, path = -1, self._path
        for start, _, market, row in self._openings(step, timed):
            if start != begun:
                begun = start
                self._begin(start, step, timed)
            if market.orders and (visit := market.begin(row, start)) is not None:
                self._visits.append((market.feed.end(row), visit))
        if self._visits:
            self._walk(end)
        if path.on_the_way:
            path.arrivals(end)
            self._drain()
        self._clock.now = end
        if timed or any(self._timers):
            self._pass_time(end)

    def _openings(self, step: int, timed: bool) -> list[tuple[Nanos, int, BarMarket, int]]:
        """The bars that begin since the close before and that matter, by the time of their start.

        That is all of them where the calendar, timers or something on its way to the market may matter with them.
        """
        everything = timed or step == self._next_due or self._path.on_the_way
        markets = self.parts.markets if everything else self.parts.active
        found = [
            (market.feed.starts[row], market.number, market, row)
            for market in markets.values()
            for row in market.feed.opening(step)
        ]
        if len(found) > 1:
            found.sort(key=itemgetter(0, 1))
        return found

    def _begin(self, start: Nanos, step: int, timed: bool) -> None:
        """Bars begin: first what the calendar brings, what is due, and what has reached the market by now."""
        path = self._path
        self._clock.now = start
        while step == self._next_due:
            self._due.pop()[1]()
            self._next_due = self._due[-1][0] if self._due else len(self._ends)
            self._drain()
        if timed:
            self._pass_time(start)
        if self._queue:
            self._drain()
        if path.on_the_way:
            path.arrivals(start)
            self._drain()
        path.not_before = start + 1

    def _pass_time(self, now: Nanos) -> None:
        for driver, timers in self._clocked:
            if timers:
                driver.pass_time(now)

    def _walk(self, end: Nanos) -> None:
        """The paths of the bars that end now, side by side, from one order that is reached to the next."""
        walking = [visit for until, visit in self._visits if until <= end]
        self._visits = [(until, visit) for until, visit in self._visits if until > end]
        while walking:
            times = [time for visit in walking if (time := visit.next_time()) is not None]
            if not times:
                return
            now = min(times)
            arrival = self._path.next_arrival
            self._clock.now = max(self._clock.now, now if arrival is None else min(now, arrival))
            if arrival is not None and arrival <= now:
                self._path.arrivals(now)
            else:
                next(visit for visit in walking if visit.next_time() == now).step()
            self._drain()

    def _follow_targets(self, step: int, end: Nanos) -> None:
        for change in self._targets.take(step):
            self.parts.drivers[change.driver].follow(change.instrument, change.target, end)

    # The result

    def _result(self, state: RunState, failure: str) -> BacktestRun:
        parts, settlement, begun = self.parts, self._settlement, perf_counter()
        total, by_strategy = curves(
            parts.closes[: self._clock.step + 1], parts.portfolio, parts.shares, self._spec.capital
        )
        self._seconds["curves"] = perf_counter() - begun
        fills = Records(settlement.fills)
        return BacktestRun(
            spec=self._spec,
            state=state,
            failure=failure,
            bars=sum(max(0, feed.row + 1 - feed.first) for feed in parts.feeds.values()),
            total=total,
            by_strategy=by_strategy,
            signals=tuple(parts.signals),
            orders=Records(parts.flow.views),
            fills=fills,
            trades=Records(lambda: completed_trades(fills, settlement.splits)),
            cash_events=tuple(settlement.cash_events),
            adjustments=tuple(settlement.splits),
            seconds=self._seconds,
        )


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """No collection of cycles while the run makes and drops millions of objects that have none.

    What is left of them counts as old afterwards, so that the next collection does not go through all of it at once.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _nobody(done: int, of: int) -> None:
    """No progress is shown."""
