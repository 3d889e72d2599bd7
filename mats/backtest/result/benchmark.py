"""What a result is compared with: bought at the first open, held to the end."""

from collections.abc import Sequence

import msgspec
import numpy as np

from mats.model import InstrumentId, Nanos
from mats.model.bar_columns import BarData, Dividend, Floats, Instants, Split


class Benchmark(msgspec.Struct, frozen=True, eq=False):
    """The value over time of one unit of money invested at the start of the run."""

    name: str
    time: Instants
    value: Floats

    def at(self, times: Instants) -> Floats:
        """Its value at each instant: the last one known by then, 1 before the first."""
        known = np.concatenate(([1.0], self.value))
        value: Floats = known[np.searchsorted(self.time, times, side="right")]
        return value


def hold(data: BarData, instrument: InstrumentId, start: Nanos = 0) -> Benchmark:
    """Buy one instrument at its first open from `start` on; splits change the units, dividends are kept as cash."""
    bars = data.bars[instrument]
    bars = bars.between(start, int(bars.end[-1]))
    units, cash = np.ones(len(bars)), np.zeros(len(bars))
    for action in data.actions.get(instrument, ()):
        first = int(np.searchsorted(bars.start, action.time, side="left"))
        if action.time <= start:
            continue
        match action:
            case Split():
                units[first:] *= float(action.ratio)
            case Dividend():
                cash[first:] += float(action.amount) * (units[first - 1] if first else 1.0)
    return Benchmark(f"{instrument} held", bars.end, (units * bars.close + cash) / bars.open[0])


def hold_all(data: BarData, names: Sequence[InstrumentId], start: Nanos = 0) -> Benchmark:
    """The same amount of money in each instrument, each in its own currency."""
    if len(names) == 1:
        return hold(data, names[0], start)
    held = [hold(data, name, start) for name in names]
    times = np.unique(np.concatenate([one.time for one in held]))
    value = np.mean([one.at(times) for one in held], axis=0)
    return Benchmark(f"{len(names)} instruments held", times, value)


def given(name: str, time: Instants, value: Floats) -> Benchmark:
    """A series of values, for example of an index, as a benchmark; its first value is the start."""
    return Benchmark(name, time, value / value[0])
