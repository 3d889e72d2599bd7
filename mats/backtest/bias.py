"""Whether a strategy knows the future, and how long it remembers where it began: runs compared with runs."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from mats.backtest.engine import run_backtest
from mats.backtest.run import BacktestRun
from mats.backtest.spec import BacktestSpec
from mats.model import InstrumentId, Nanos, StrategyName, iso
from mats.model.bar_columns import BarColumns, BarData, Floats, Instants

CUTS = 6
STARTS = (0.1, 0.3)

Wish = tuple[Nanos, StrategyName, InstrumentId, str]
"""When a strategy asked for what, in words."""


class LookAhead(msgspec.Struct, frozen=True):
    """A wish up to `cut` that is another one when the data ends there; empty where there is none at all."""

    cut: Nanos
    strategy: StrategyName
    instrument: InstrumentId
    time: Nanos
    whole: str
    cut_off: str

    def __str__(self) -> str:
        return (
            f"strategy {self.strategy} looks ahead: at {iso(self.time)} it asks for {self.whole or 'nothing'} in "
            f"{self.instrument}, but for {self.cut_off or 'nothing'} when the data ends at {iso(self.cut)}"
        )


class WarmUp(msgspec.Struct, frozen=True):
    """A run that begins later, against the whole one: how many bars of `bars` it is long, short or flat otherwise.

    `settled` counts the bars from its start after which both agree to the end; None where they still differ there.
    """

    start: Nanos
    strategy: StrategyName
    instrument: InstrumentId
    bars: int
    different: int
    settled: int | None

    def __str__(self) -> str:
        what = f"strategy {self.strategy} in {self.instrument}, begun at {iso(self.start)}:"
        if self.settled is None:
            return f"{what} is held otherwise to the end, on {self.different} of {self.bars} bars; give it more warmup"
        if not self.different:
            return f"{what} holds the same from the first bar on"
        return f"{what} holds the same after {self.settled} bars; it differs on {self.different} of {self.bars}"


def look_ahead(spec: BacktestSpec, data: BarData, cuts: int = CUTS) -> tuple[LookAhead, ...]:
    """The first wish at each of some cuts that depends on what comes after the cut; none for a sound strategy.

    Half of the cuts are at wishes, where a look ahead shows itself first, half are spread evenly.
    """
    whole = run_backtest(spec, data)
    known = list(_wishes(whole))
    found = []
    for cut in _cuts(whole, known, cuts):
        shown = list(_wishes(run_backtest(replace(spec, end=cut), _until(data, cut))))
        difference = _first_difference([wish for wish in known if wish[0] <= cut], shown)
        if difference is not None:
            (time, strategy, instrument, expected), got = difference
            found.append(LookAhead(cut, strategy, instrument, time, expected, got))
    return tuple(found)


def warm_up(spec: BacktestSpec, data: BarData, starts: Sequence[float] = STARTS) -> tuple[WarmUp, ...]:
    """How the whole run compares with runs that begin at some shares of its period, warm-up included."""
    whole = run_backtest(spec, data)
    closes, report = whole.total.time, []
    for share in starts:
        first = int(len(closes) * share)
        start = int(closes[first]) if len(closes) else spec.start
        later = run_backtest(replace(spec, start=start), data)
        both = whole.total.time[np.isin(whole.total.time, later.total.time)]
        for strategy, instrument in _traded(whole, later):
            differs = _stance(whole, strategy, instrument, both) != _stance(later, strategy, instrument, both)
            last = np.flatnonzero(differs)
            settled = int(last[-1]) + 1 if len(last) else 0
            report.append(
                WarmUp(start, strategy, instrument, len(both), len(last), settled if settled < len(both) else None)
            )
    return tuple(report)


def _cuts(run: BacktestRun, known: Sequence[Wish], count: int) -> list[Nanos]:
    closes = run.total.time
    if not len(closes):
        return []
    even = closes[np.linspace(0, len(closes) - 1, count - count // 2 + 1, dtype=int)[1:]].tolist()
    times = sorted({wish[0] for wish in known})
    at_wishes = [times[i] for i in np.linspace(0, len(times) - 1, count // 2, dtype=int)] if times else []
    return sorted({int(cut) for cut in (*even, *at_wishes)})


def _until(data: BarData, cut: Nanos) -> BarData:
    """The data as it was at `cut`."""
    bars: dict[InstrumentId, BarColumns] = {
        name: columns.between(int(columns.start[0]), cut) for name, columns in data.bars.items() if len(columns)
    }
    return replace(data, bars=bars)


def _wishes(run: BacktestRun) -> Iterator[Wish]:
    """Everything that was asked for, in the order of asking."""
    asked = {signal.intent_id: signal for signal in run.signals}
    for signal in run.signals:
        yield signal.time, signal.strategy, signal.instrument, f"a strength of {signal.strength:g}"
    for order in run.orders:
        if order.intent_id not in asked:
            what = f"{order.side} {order.quantity} {order.ticket.order_type}"
            yield order.created, order.strategy, order.instrument, what


def _first_difference(whole: Sequence[Wish], shown: Sequence[Wish]) -> tuple[Wish, str] | None:
    """The first wish that only one side has, as the whole run has it, and what the other has in its place."""
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


def _stance(run: BacktestRun, strategy: StrategyName, instrument: InstrumentId, closes: Instants) -> Floats:
    """Long (1), flat (0) or short (-1) at each of some closes, by the fills alone."""
    fills = [
        f.fill.execution for f in run.fills if (f.fill.strategy, f.fill.execution.instrument) == (strategy, instrument)
    ]
    held = np.cumsum([float(execution.signed_quantity) for execution in fills])
    times = np.array([execution.time for execution in fills], dtype=np.int64)
    stance: Floats = np.sign(np.round(np.concatenate(([0.0], held)), 9))[np.searchsorted(times, closes, side="left")]
    return stance
