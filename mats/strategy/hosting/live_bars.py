"""A live strategy's bars: built from what arrives one by one, handed out close by close."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mats.data import BarBuilder
from mats.model import MINUTE, SECOND, Bar, InstrumentId, Nanos
from mats.sessions import BarSpans

BAR_CLOSE_GRACE: Nanos = 10 * SECOND
"""How long after its end a bar waits for its last part, and a close for the bars of the other instruments."""

SETTLING: Nanos = MINUTE
"""A bar that begins so long after the start is whole: by then what trades has arrived from its begin on."""

LONG_AGO: Nanos = -1


class Close(NamedTuple):
    """The bars that ended at one instant, in the order of their instruments' names."""

    end: Nanos
    bars: Sequence[Bar]


class LiveBars:
    """The bars of one size of several instruments.

    A close is handed out when each instrument that has a bar there has given it, or shown that there is none, and at
    the latest when `BAR_CLOSE_GRACE` has passed. Closes come in the order of time.
    """

    def __init__(self, spans: Mapping[InstrumentId, BarSpans]) -> None:
        self._spans = spans
        self._builders: dict[InstrumentId, BarBuilder] = {}
        self._held: dict[Nanos, dict[InstrumentId, Bar]] = {}
        self._missing: dict[Nanos, set[InstrumentId]] = {}
        self._started: Nanos = 0
        self._history: dict[InstrumentId, Nanos] = {}

    def start(self, now: Nanos, history: Mapping[InstrumentId, Nanos]) -> None:
        """Parts arrive from `now` on; bars that end by `history` are known already."""
        self._started = now
        self._history.update(history)

    def respan(self, instrument: InstrumentId, spans: BarSpans) -> None:
        """The instrument has other sessions; a bar under way keeps its span."""
        self._spans = {**self._spans, instrument: spans}
        if instrument in self._builders:
            self._builders[instrument].spans = spans

    def take(self, part: Bar) -> None:
        """A part arrives."""
        builder = self._builders.get(part.instrument)
        if builder is None:
            builder = self._builders[part.instrument] = self._builder(part)
        for bar in builder.add(part):
            self._hold(bar)

    def closes(self, horizon: Nanos) -> Iterator[Close]:
        """The closes that are complete, and those up to `horizon` as they are."""
        for builder in self._builders.values():
            for bar in builder.close_until(horizon):
                self._hold(bar)
        while self._held and ((end := min(self._held)) <= horizon or self._complete(end)):
            self._missing.pop(end)
            bars = self._held.pop(end)
            yield Close(end, [bars[name] for name in sorted(bars)])

    @property
    def waiting(self) -> Nanos | None:
        """The end of the earliest close that waits for other instruments."""
        return min(self._held, default=None)

    def _builder(self, part: Bar) -> BarBuilder:
        """It starts with a whole bar, after the history: no bar is partial."""
        spans = self._spans[part.instrument]
        whole = first_whole(spans, part.start, self._started)
        return BarBuilder(part.instrument, spans, max(whole, self._history.get(part.instrument, LONG_AGO)))

    def _hold(self, bar: Bar) -> None:
        if bar.end not in self._held:
            self._held[bar.end] = {}
            self._missing[bar.end] = {name for name, spans in self._spans.items() if _ends(spans, bar.end)}
        self._held[bar.end][bar.instrument] = bar

    def _complete(self, end: Nanos) -> bool:
        missing, held = self._missing[end], self._held[end]
        missing.difference_update([name for name in missing if name in held or self._known_until(name) >= end])
        return not missing

    def _known_until(self, name: InstrumentId) -> Nanos:
        builder = self._builders.get(name)
        return LONG_AGO if builder is None else builder.known_until


def first_whole(spans: BarSpans, first: Nanos, started: Nanos) -> Nanos:
    """When the first whole bar may begin of what comes in since `started` and whose first part begins at `first`."""
    span = spans.at(first)
    return first if span is None or first == span[0] or started <= span[0] - SETTLING else span[1]


def _ends(spans: BarSpans, instant: Nanos) -> bool:
    """Whether a bar may end at an instant."""
    last = spans.at(instant - 1)
    return last is not None and last[1] == instant
