"""Who may receive which entry of the fill log: a stage gets entry n only after the stage above acknowledged n."""

from collections.abc import Sequence

import msgspec


class Span(msgspec.Struct, frozen=True):
    """Entries `first` to `last`, both included, that `stage` may receive now."""

    stage: str
    first: int
    last: int


class StageGate:
    """Cursors of all stages, from the first to the last.

    A stage that has not said hello since it (re)started is down: nothing is sent to it and nothing passes it. At most
    `window` entries are with a stage unacknowledged. Source of the shape: the consumer dependency graph of LMAX's
    Disruptor, where a consumer advances to what those before it have finished.
    """

    def __init__(self, stages: Sequence[str], window: int) -> None:
        self.stages = tuple(stages)
        self._window = window
        self._cursor: dict[str, int | None] = dict.fromkeys(self.stages)
        self._sent: dict[str, int] = dict.fromkeys(self.stages, 0)

    def hello(self, stage: str, cursor: int) -> None:
        """The stage (re)started, or found a gap: it holds entries up to `cursor` and wants the rest again."""
        self._cursor[stage] = cursor
        self._sent[stage] = cursor

    def acknowledge(self, stage: str, seq: int) -> None:
        """The stage has applied everything up to `seq`. One from before its last hello changes nothing."""
        cursor = self._cursor[stage]
        if cursor is not None and cursor < seq <= self._sent[stage]:
            self._cursor[stage] = seq

    def down(self, stage: str) -> None:
        """The stage is gone until it says hello."""
        self._cursor[stage] = None

    def take(self, last_seq: int) -> list[Span]:
        """What may be sent now, given the last entry of the log; it counts as sent from here on."""
        spans = []
        allowed: int = last_seq
        for stage in self.stages:
            cursor = self._cursor[stage]
            if cursor is None:
                break
            last = min(allowed, cursor + self._window)
            if last > self._sent[stage]:
                spans.append(Span(stage, self._sent[stage] + 1, last))
                self._sent[stage] = last
            allowed = cursor
        return spans

    def lowest(self) -> int:
        """The cursor of the stage that is furthest behind; 0 while one is down."""
        return min(cursor or 0 for cursor in self._cursor.values())

    def cursors(self) -> dict[str, int | None]:
        """Each stage's cursor; None for one that is down."""
        return dict(self._cursor)

    def behind(self, last_seq: int) -> tuple[str, ...]:
        """The stages that are down or have not acknowledged `last_seq`."""
        return tuple(stage for stage, cursor in self._cursor.items() if cursor is None or cursor < last_seq)
