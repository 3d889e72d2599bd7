"""How far a start is: what it waits for, since when, and how long nothing has gone further."""

from actors.operator.queries import Queries, answered
from actors.screen import StartPhase
from mats.runtime import Clock

LOOK_SECONDS = 0.5


class StartProgress:
    """Looks at what a start works on. Spans are seconds.

    Only what goes further than ever before is progress: a replay that begins anew has to come beyond the last one.
    """

    def __init__(self, queries: Queries, clock: Clock) -> None:
        self._queries, self._clock = queries, clock
        self._furthest: dict[str, int] = {}
        self._looked_at = clock.monotonic() - LOOK_SECONDS
        self.wait_for("")

    def wait_for(self, what: str) -> None:
        """A phase of the start begins, or (empty) the start is over."""
        self._waiting, self._begun = what, self._clock.monotonic()
        self._moved_at = self._begun
        self.phase = StartPhase(what)

    @property
    def silence(self) -> float:
        """How long nothing has gone further."""
        return self._clock.monotonic() - self._moved_at

    def look(self) -> None:
        """Ask the actors, if that was not done a moment ago."""
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self.phase = StartPhase(self._waiting, now - self._begun, self._count())

    def _count(self) -> str:
        """What can be counted, as a sentence; empty where nothing can."""
        progress = answered(self._queries.progress)
        if progress is None:
            return ""
        self._reach("replayed", progress.replayed)
        self._reach("log", progress.last_seq)
        cursors = {stage: cursor or 0 for stage, cursor in progress.cursors.items()}
        for stage, cursor in cursors.items():
            self._reach(stage, cursor)
        last = min(cursors, key=cursors.__getitem__)
        if progress.replayed:
            return f"replaying: {progress.replayed:,} executions so far"
        if cursors[last] < progress.last_seq:
            return f"booking: entry {cursors[last]:,} of {progress.last_seq:,} has reached {last}"
        return ""

    def _reach(self, what: str, number: int) -> None:
        if number > self._furthest.get(what, 0):
            self._furthest[what], self._moved_at = number, self._clock.monotonic()
