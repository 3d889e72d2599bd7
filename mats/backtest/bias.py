"""Checks for look-ahead and warm-up bias: runs compared with runs over other stretches of the data."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from mats.backtest.engine import BacktestRun, run_backtest
from mats.backtest.spec import BacktestSpec
from mats.model import InstrumentId, Nanos, StrategyName, iso
from mats.model.bar_columns import BarColumns, BarData, Floats, Instants

CUTS = 6
STARTS = (0.1, 0.3)

RequestRecord = tuple[Nanos, StrategyName, InstrumentId, str]
"""When a strategy requested what: time, strategy, instrument, description."""


class LookAhead(msgspec.Struct, frozen=True):
    """A request up to `cut` that differs when the data ends there; empty where there is none."""

    cut: Nanos
    strategy: StrategyName
    instrument: InstrumentId
    time: Nanos
    whole: str
    cut_off: str

    def __str__(self) -> str:
        return (
            f"strategy {self.strategy} looks ahead: at {iso(self.time)} it requests {self.whole or 'nothing'} in "
            f"{self.instrument}, but {self.cut_off or 'nothing'} when the data ends at {iso(self.cut)}"
        )


class WarmUp(msgspec.Struct, frozen=True):
    """A later start compared with the whole run: on how many of `bars` the position has another direction.

    `settled` counts the bars from its start after which both agree to the end; None where they still differ there.
    """

    start: Nanos
    strategy: StrategyName
    instrument: InstrumentId
    bars: int
    different: int
    settled: int | None

    def __str__(self) -> str:
        what = f"strategy {self.strategy} in {self.instrument}, started at {iso(self.start)}:"
        if self.settled is None:
            return f"{what} positions differ to the end, on {self.different} of {self.bars} bars; give it more warmup"
        if not self.different:
            return f"{what} the same positions from the first bar on"
        return f"{what} the same positions after {self.settled} bars; they differ on {self.different} of {self.bars}"


def look_ahead(spec: BacktestSpec, data: BarData, cuts: int = CUTS) -> tuple[LookAhead, ...]:
    """The first request at each of some cuts that depends on data after the cut; none for a causal strategy.

    Half of the cuts are at requests, where look-ahead shows first, half are spread evenly.
    """
    whole = run_backtest(spec, data)
    known = list(_requests(whole))
    found = []
    for cut in _cuts(whole, known, cuts):
        shown = list(_requests(run_backtest(replace(spec, end=cut), _until(data, cut))))
        difference = _first_difference([request for request in known if request[0] <= cut], shown)
        if difference is not None:
            (time, strategy, instrument, expected), got = difference
            found.append(LookAhead(cut, strategy, instrument, time, expected, got))
    return tuple(found)


def warm_up(spec: BacktestSpec, data: BarData, starts: Sequence[float] = STARTS) -> tuple[WarmUp, ...]:
    """How the whole run compares with runs that start at some shares of its period, warm-up included."""
    whole = run_backtest(spec, data)
    closes, report = whole.total.time, []
    for share in starts:
        first = int(len(closes) * share)
        start = int(closes[first]) if len(closes) else spec.start
        later = run_backtest(replace(spec, start=start), data)
        both = whole.total.time[np.isin(whole.total.time, later.total.time)]
        for strategy, instrument in _traded(whole, later):
            differs = _direction(whole, strategy, instrument, both) != _direction(later, strategy, instrument, both)
            last = np.flatnonzero(differs)
            settled = int(last[-1]) + 1 if len(last) else 0
            report.append(
                WarmUp(start, strategy, instrument, len(both), len(last), settled if settled < len(both) else None)
            )
    return tuple(report)


def _cuts(run: BacktestRun, known: Sequence[RequestRecord], count: int) -> list[Nanos]:
    closes = run.total.time
    if not len(closes):
        return []
    even = closes[np.linspace(0, len(closes) - 1, count - count // 2 + 1, dtype=int)[1:]].tolist()
    times = sorted({request[0] for request in known})
    at_requests = [times[i] for i in np.linspace(0, len(times) - 1, count // 2, dtype=int)] if times else []
    return sorted({int(cut) for cut in (*even, *at_requests)})


def _until(data: BarData, cut: Nanos) -> BarData:
    """The data as it was at `cut`."""
    bars: dict[InstrumentId, BarColumns] = {
        name: columns.between(int(columns.start[0]), cut) for name, columns in data.bars.items() if len(columns)
    }
    return replace(data, bars=bars)


def _requests(run: BacktestRun) -> Iterator[RequestRecord]:
    """Every request of a run: signals, then orders without one."""
    signaled = {signal.intent_id: signal for signal in run.signals}
    for signal in run.signals:
        yield signal.time, signal.strategy, signal.instrument, f"a strength of {signal.strength:g}"
    for order in run.orders:
        if order.intent_id not in signaled:
            what = f"{order.side} {order.quantity} {order.ticket.order_type}"
            yield order.created, order.strategy, order.instrument, what


def _first_difference(
    whole: Sequence[RequestRecord], shown: Sequence[RequestRecord]
) -> tuple[RequestRecord, str] | None:
    """The first request that differs, as the whole run has it, and what the other run has in its place."""
    for expected, got in zip(whole, shown, strict=False):
        if expected != got:
            return (expected, got[3]) if expected[:3] == got[:3] else (min(expected, got), "")
    if len(whole) > len(shown):
        return whole[len(shown)], ""
    if len(shown) > len(whole):
        time, strategy, instrument, what = shown[len(whole)]
        return (time, strategy, instrument, ""), what
    return None


def _traded(*runs: BacktestRun) -> list[tuple[StrategyName, InstrumentId]]:
    return sorted({(f.fill.strategy, f.fill.execution.instrument) for run in runs for f in run.fills})


def _direction(run: BacktestRun, strategy: StrategyName, instrument: InstrumentId, closes: Instants) -> Floats:
    """Long (1), flat (0) or short (-1) at each of some closes, by the fills alone."""
    fills = [
        f.fill.execution for f in run.fills if (f.fill.strategy, f.fill.execution.instrument) == (strategy, instrument)
    ]
    held = np.cumsum([float(execution.signed_quantity) for execution in fills])
    times = np.array([execution.time for execution in fills], dtype=np.int64)
    direction: Floats = np.sign(np.round(np.concatenate(([0.0], held)), 9))[np.searchsorted(times, closes, side="left")]
    return direction
