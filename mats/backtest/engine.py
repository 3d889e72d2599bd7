"""The backtest engine: strategies, risk, orders, market and books in one thread, run until nothing is left to say.

A step is one close of the timeline. In the order of time: what the calendar brings (splits, dividends, the cost of
borrowed shares) and timers that are due; the opens, where working orders meet the bars that begin; the path through
those bars; the close, where the newest bars become known and strategies hear of them, by name, and each of its bars in
the order of instruments. After each of these everything that was said is heard, in the order in which it was said.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from mats.backtest.curves import curves
from mats.backtest.parts import Parts
from mats.backtest.records import Records
from mats.backtest.run import BacktestRun, RunState
from mats.backtest.speaker import StrategyFailed
from mats.backtest.spec import BacktestSpec
from mats.backtest.tape import Tape, closing
from mats.backtest.targets import Wakes
from mats.backtest.trades import completed_trades
from mats.model import Nanos
from mats.model.bar_columns import BarData
from mats.venue import BarMarket, Visit

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
        self.parts = parts = Parts(spec, data)
        self._clock, self._queue, self._pipe, self._booking = parts.clock, parts.queue, parts.pipe, parts.booking
        self._ends = parts.closes.data
        self._visits: list[tuple[Nanos, Visit]] = []
        self._drain, self._express = parts.drain, parts.express
        self._due = list(reversed(parts.due))
        self._wakes = Wakes(parts.closes)
        self._clocked = [(speaker, speaker.runner.timers) for speaker in parts.speakers.values()]
        self._timers = [timers for _, timers in self._clocked]
        self._places = [(tape, parts.markets[name]) for name, tape in parts.tapes.items()]
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
            min(t.columns.start[t.first] for t in self.parts.tapes.values() if t.first < t.last),
        )
        self._clock.now = int(first)
        for speaker in parts.speakers.values():
            speaker.start(parts.tapes)
            self._drain()
        declared = [s for s in parts.speakers.values() if s.declares(self._spec.style)]
        self._listeners = [s.listener() for s in parts.speakers.values() if s not in declared]
        for speaker in declared:
            self._wakes.add(speaker, parts.tapes)
            speaker.on_denial = lambda view: self._wakes.ask_again(view, self._clock.step)

    def _stop(self) -> None:
        for speaker in self.parts.speakers.values():
            speaker.stop()
            self._drain()

    def _every_step(self, progress: Progress) -> None:
        """Strategies hear of every bar."""
        clock, queue, listeners = self._clock, self._queue, self._listeners
        busy, pending, (timed, *others) = self._pipe.state.working, self._express.pending, self._timers
        report, every = 0, max(1, len(self._ends) // REPORTS)
        due, waiting = min(self._next_due, self._wakes.next_step), bool(busy or pending)
        for step, (end, bars) in enumerate(closing(list(self.parts.tapes.values()), self.parts.closes)):
            if waiting or timed or step >= due or (others and any(others)):
                self._lead_up(step, end)
                waiting = bool(busy or pending)
            clock.step, clock.now = step, end
            for listener in listeners:
                listener(bars, end)
            if step >= due:
                self._wake(step, end)
                due = min(self._next_due, self._wakes.next_step)
            if queue:
                self._drain()
                waiting = bool(busy or pending)
            if step == report:
                report += every
                progress(step, len(self._ends))

    def _declared_steps(self, progress: Progress) -> None:
        """Nobody hears of bars: only those closes matter at which a target is new, an order works or time brings it."""
        step, last, report, every = -1, len(self._ends), 0, max(1, len(self._ends) // REPORTS)
        clock, queue, busy, pending = self._clock, self._queue, self._pipe.state.working, self._express.pending
        while True:
            waiting, due = busy or pending or any(self._timers), self._next_due
            step = step + 1 if waiting else min(self._wakes.next_step, due)
            if step >= last:
                break
            end = self._ends[step]
            clock.step = step - 1
            if waiting or step == due:
                self._lead_up(step, end)
            clock.step, clock.now = step, end
            if step == self._wakes.next_step:
                self._wake(step, end)
            if queue:
                self._drain()
            if step >= report:
                report = step + every
                progress(step, last)
        clock.step, clock.now = last - 1, self._ends[-1]

    # One step

    def _lead_up(self, step: int, end: Nanos) -> None:
        """What happens before the close `step`: the short way while all is ordinary, else everything there is."""
        express = self._express
        if express.open and not any(self._timers) and express.at_opens(step):
            return
        express.leave()
        self._between(step, end)

    def _between(self, step: int, end: Nanos) -> None:
        """Everything from the close before to just before this one."""
        begun = -1
        for start, _, tape, row in self._openings(step):
            if start != begun:
                begun = start
                self._begin(start, step)
            market = self.parts.markets[tape.instrument.id]
            if market.orders:
                self._open(market, tape, row)
        if self._visits:
            self._walk(end)
        if self._pipe.next_arrival is not None:
            self._pipe.arrivals(end)
            self._drain()
        self._clock.now = end
        self._pass_time(end)

    def _openings(self, step: int) -> list[tuple[Nanos, int, Tape, int]]:
        """The bars that begin since the close before and that matter, by the time of their start.

        That is all of them where the calendar, timers or something on its way to the market may matter with them.
        """
        everything = step == self._next_due or self._pipe.next_arrival is not None or any(self._timers)
        found = [
            (tape.start(row), number, tape, row)
            for number, (tape, market) in enumerate(self._places)
            if everything or market.orders
            for row in tape.opening(step)
        ]
        if len(found) > 1:
            found.sort()
        return found

    def _begin(self, start: Nanos, step: int) -> None:
        """Bars begin: first what the calendar brings, what is due, and what has reached the market by now."""
        self._clock.now = start
        while step == self._next_due:
            self._due.pop()[1]()
            self._drain()
        self._pass_time(start)
        if self._queue:
            self._drain()
        if self._pipe.next_arrival is not None:
            self._pipe.arrivals(start)
            self._drain()
        self._pipe.not_before = start + 1

    def _pass_time(self, now: Nanos) -> None:
        for speaker, timers in self._clocked:
            if timers:
                speaker.pass_time(now)

    def _open(self, market: BarMarket, tape: Tape, row: int) -> None:
        """Working orders meet a bar that begins."""
        visit = Visit(market, tape.market_bar(row))
        for met in visit.at_open():
            self._booking.take(met)
            if self._queue:
                self._drain()
        if market.orders:
            self._visits.append((tape.end(row), visit))

    def _walk(self, end: Nanos) -> None:
        """The paths of the bars that end now, side by side, from one order that is reached to the next."""
        walking = [visit for until, visit in self._visits if until <= end]
        self._visits = [(until, visit) for until, visit in self._visits if until > end]
        while walking:
            times = [time for visit in walking if (time := visit.next_time()) is not None]
            if not times:
                return
            now = min(times)
            arrival = self._pipe.next_arrival
            self._clock.now = max(self._clock.now, now if arrival is None else min(now, arrival))
            if arrival is not None and arrival <= now:
                self._pipe.arrivals(now)
            else:
                traded = next(visit for visit in walking if visit.next_time() == now).step()
                if traded is not None:
                    self._booking.take(traded)
            self._drain()

    def _wake(self, step: int, end: Nanos) -> None:
        for wake in self._wakes.take(step):
            self.parts.speakers[wake.speaker].follow(wake.instrument, wake.target, end)

    @property
    def _next_due(self) -> int:
        """The step before which the calendar brings something next."""
        return self._due[-1][0] if self._due else len(self._ends)

    # The result

    def _result(self, state: RunState, failure: str) -> BacktestRun:
        parts, booking, express, begun = self.parts, self._booking, self._express, perf_counter()
        if express.open:
            express.note_moves()
        total, by_strategy = curves(
            parts.closes[: self._clock.step + 1], parts.portfolio, parts.shares, self._spec.capital
        )
        self._seconds["curves"] = perf_counter() - begun
        fills = Records(express.fills if express.open else booking.fills.copy)
        return BacktestRun(
            spec=self._spec,
            state=state,
            failure=failure,
            bars=sum(max(0, tape.row + 1 - tape.first) for tape in parts.tapes.values()),
            total=total,
            by_strategy=by_strategy,
            signals=tuple(parts.signals),
            orders=Records(express.orders if express.open else lambda: tuple(self._pipe.views.values())),
            fills=fills,
            trades=Records(lambda: completed_trades(fills, booking.splits)),
            cash_events=tuple(booking.cash_events),
            adjustments=tuple(booking.splits),
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
    """Progress that nobody asked for."""
