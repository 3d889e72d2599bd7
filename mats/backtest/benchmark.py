"""What a result is compared with: bought at the first open, held to the end."""

import msgspec
import numpy as np

from mats.data.columns import BarColumns, Dividend, Floats, Instants, MarketData, Split
from mats.model.instrument import InstrumentId


class Benchmark(msgspec.Struct, frozen=True, eq=False):
    """The worth over time of one unit of money invested at the start of the run."""

    name: str
    time: Instants
    value: Floats

    def at(self, times: Instants) -> Floats:
        """Its worth at each instant: that of the last time before or at it, 1 before the first."""
        known = np.concatenate(([1.0], self.value))
        worth: Floats = known[np.searchsorted(self.time, times, side="right")]
        return worth


def hold(data: MarketData, instrument: InstrumentId) -> Benchmark:
    """Buy one instrument at its first open and hold it; splits change the units, dividends are kept as cash."""
    bars = data.bars[instrument]
    units, cash = np.ones(len(bars)), np.zeros(len(bars))
    for action in data.actions.get(instrument, ()):
        first = int(np.searchsorted(bars.start, action.time, side="left"))
        match action:
            case Split():
                units[first:] *= float(action.ratio)
            case Dividend():
                cash[first:] += float(action.amount) * (units[first - 1] if first else 1.0)
    return Benchmark(f"{instrument} held", bars.end, (units * bars.close + cash) / bars.open[0])


def hold_all(data: MarketData) -> Benchmark:
    """The same amount of money in every instrument of the data, each in its own currency."""
    names = sorted(data.bars)
    if len(names) == 1:
        return hold(data, names[0])
    times = np.unique(np.concatenate([data.bars[name].end for name in names]))
    worth = np.mean([hold(data, name).at(times) for name in names], axis=0)
    return Benchmark(f"{len(names)} instruments held", times, worth)


def series(name: str, bars: BarColumns) -> Benchmark:
    """The closes of given bars, for example of an index, as a benchmark."""
    return Benchmark(name, bars.end, bars.close / bars.open[0])
