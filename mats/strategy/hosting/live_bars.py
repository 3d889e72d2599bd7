"""A live strategy's bars: built from what arrives one by one, handed out close by close."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from mats.data import BarBuilder
from mats.model import MINUTE, SECOND, Bar, InstrumentId, Nanos
from mats.sessions import BarSpans
from mats.strategy.hosting.bar_holes import LATEST, BarHole

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
    the latest when `BAR_CLOSE_GRACE` has passed. Closes come in the order of time. An instrument whose parts are
    interrupted keeps no close waiting, and its bar under way waits for what it lacks.
    """

    def __init__(self, spans: Mapping[InstrumentId, BarSpans]) -> None:
        self._spans = spans
        self._builders: dict[InstrumentId, BarBuilder] = {}
        self._held: dict[Nanos, dict[InstrumentId, Bar]] = {}
        self._missing: dict[Nanos, set[InstrumentId]] = {}
        self._started: Nanos = 0
        self._history: dict[InstrumentId, Nanos] = {}
        """The end of the last bar that is known of each."""
        self._interrupted: set[InstrumentId] = set()

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
        self._interrupted.discard(part.instrument)
        builder = self._builders.get(part.instrument)
        if builder is None:
            builder = self._builders[part.instrument] = self._builder(part)
        for bar in builder.add(part):
            self._hold(bar)

    def closes(self, horizon: Nanos) -> Iterator[Close]:
        """The closes that are complete, and those up to `horizon` as they are."""
        for name, builder in self._builders.items():
            for bar in builder.close_until(horizon) if name not in self._interrupted else ():
                self._hold(bar)
        while self._held and ((end := min(self._held)) <= horizon or self._complete(end)):
            self._missing.pop(end)
            bars = self._held.pop(end)
            yield Close(end, [bars[name] for name in sorted(bars)])

    def interrupt(self, instrument: InstrumentId) -> None:
        """Parts of it do not come, or may have been lost."""
        if instrument in self._builders:
            self._interrupted.add(instrument)

    def resume(self, instrument: InstrumentId) -> None:
        """Its parts come again, or none are to come."""
        self._interrupted.discard(instrument)

    @property
    def interrupted(self) -> AbstractSet[InstrumentId]:
        return self._interrupted

    def known_until(self, name: InstrumentId) -> Nanos:
        """The end of the last part or bar of an instrument, long ago where there was none."""
        builder = self._builders.get(name)
        return LONG_AGO if builder is None else builder.known_until

    def fill(self, hole: BarHole, parts: Sequence[Bar]) -> list[Bar]:
        """Build what a hole has touched anew of parts; the bars that ended too long ago to be handed out as closes."""
        name = hole.instrument
        self._interrupted.discard(name)
        known = max(hole.begin, self._history.get(name, LONG_AGO))
        builder = self._builders[name] = BarBuilder(name, self._spans[name], known)
        past: list[Bar] = []
        for bar in (bar for part in parts for bar in builder.add(part)):
            if bar.end > hole.until - LATEST:
                self._hold(bar)
            else:
                self._history[name] = bar.end
                past.append(bar)
        return past

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
        self._history[bar.instrument] = bar.end
        if bar.end not in self._held:
            self._held[bar.end] = {}
            self._missing[bar.end] = {name for name, spans in self._spans.items() if _ends(spans, bar.end)}
        self._held[bar.end][bar.instrument] = bar

    def _complete(self, end: Nanos) -> bool:
        missing, held = self._missing[end], self._held[end]
        missing.difference_update([name for name in missing if name in held or self._shown(name, end)])
        return not missing

    def _shown(self, name: InstrumentId, end: Nanos) -> bool:
        return name in self._interrupted or self.known_until(name) >= end


def first_whole(spans: BarSpans, first: Nanos, started: Nanos) -> Nanos:
    """When the first whole bar may begin of what comes in since `started` and whose first part begins at `first`."""
    span = spans.at(first)
    return first if span is None or first == span[0] or started <= span[0] - SETTLING else span[1]


def _ends(spans: BarSpans, instant: Nanos) -> bool:
    """Whether a bar may end at an instant."""
    last = spans.at(instant - 1)
    return last is not None and last[1] == instant
