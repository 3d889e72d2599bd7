"""The stage gate: a stage receives entry n of the fill log only after the stage above acknowledged n."""

from collections.abc import Sequence

import msgspec


class Span(msgspec.Struct, frozen=True):
    """Entries `first` to `last`, both included, that `stage` may receive now.

    When it has applied them it hands them on to the first stage of `onward`, and so forth.
    """

    stage: str
    first: int
    last: int
    onward: tuple[str, ...] = ()


class StageGate:
    """Cursors of all stages, from the first to the last.

    A stage that has not reported its cursor since it (re)started is down: no entry is sent to it or passes it. At most
    `window` entries are unacknowledged at a stage. Entries are handed on from stage to stage as far as each one has got
    all that came before; the others get them from the log, when the stage above has acknowledged them. Source of the
    design: the consumer dependency graph of LMAX's Disruptor, where a consumer advances to what those before it have
    finished.
    """

    def __init__(self, stages: Sequence[str], window: int) -> None:
        self.stages = tuple(stages)
        self._window = window
        self._cursor: dict[str, int | None] = dict.fromkeys(self.stages)
        self._sent: dict[str, int] = dict.fromkeys(self.stages, 0)

    def report_cursor(self, stage: str, cursor: int) -> None:
        """The stage (re)started, or found a gap: it has applied entries up to `cursor` and needs the rest again."""
        self._cursor[stage] = self._sent[stage] = cursor
        for below in self.stages[self.stages.index(stage) + 1 :]:
            self._sent[below] = self._cursor[below] or 0  # what it was to hand on to them may be lost with it

    def acknowledge(self, stage: str, seq: int) -> None:
        """The stage has applied everything up to `seq`. One from before its last report of a cursor changes nothing."""
        cursor = self._cursor[stage]
        if cursor is not None and cursor < seq <= self._sent[stage]:
            self._cursor[stage] = seq

    def down(self, stage: str) -> None:
        """The stage is down until it reports its cursor."""
        self._cursor[stage] = None

    def pop_spans(self, last_seq: int) -> list[Span]:
        """The spans to send now, given the last entry of the log; they count as sent from here on."""
        spans = []
        allowed: int = last_seq
        for stage in self.stages:
            cursor = self._cursor[stage]
            if cursor is None:
                break
            last = min(allowed, cursor + self._window)
            if last > self._sent[stage]:
                spans.append(self._send(stage, self._sent[stage] + 1, last))
            allowed = cursor
        return spans

    def _send(self, stage: str, first: int, last: int) -> Span:
        """Entries for the stage, and for those below it that lack no entry before `first` and have room."""
        self._sent[stage] = last
        onward = []
        for below in self.stages[self.stages.index(stage) + 1 :]:
            cursor = self._cursor[below]
            if cursor is None or self._sent[below] != first - 1 or last > cursor + self._window:
                break
            self._sent[below] = last
            onward.append(below)
        return Span(stage, first, last, tuple(onward))

    def cursors(self) -> dict[str, int | None]:
        """Each stage's cursor; None for one that is down."""
        return dict(self._cursor)

    def behind(self, last_seq: int) -> tuple[str, ...]:
        """The stages that are down or have not acknowledged `last_seq`."""
        return tuple(stage for stage, cursor in self._cursor.items() if cursor is None or cursor < last_seq)
