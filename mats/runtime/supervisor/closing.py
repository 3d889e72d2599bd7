"""The end of a supervisor: who of its children goes next, and how much of the time is theirs."""

from collections.abc import Sequence

from mats.runtime.messaging import Stop
from mats.runtime.supervisor.child import Child

OWN_SECONDS = 1.0
"""What a supervisor keeps of the time that it is given, to abandon who is left and to say that it has ended."""
OWN_SHARE = 0.1
"""What it keeps of a short time."""


class Closing:
    """`request` is why the supervisor ends; its `within`, in seconds from `now`, is what there is for all children."""

    def __init__(self, request: Stop, now: float, *, together: bool) -> None:
        self.request = request
        self._together = together
        within = request.within
        self._until = None if within is None else now + within - min(OWN_SECONDS, OWN_SHARE * within)

    def next(self, children: Sequence[Child]) -> list[Child]:
        """Who is to end now: the last one that lives, or all at once."""
        live = [child for child in reversed(children) if child.live]
        return live if self._together else live[:1]

    def share(self, child: Child, children: Sequence[Child], now: float) -> float:
        """Seconds for this child: its deadline; where time is short, its part of what is left for all that live.

        So the last one always has its turn, and what the others do not need is for those after them.
        """
        if self._until is None:
            return child.stop_deadline
        left, live = max(0.0, self._until - now), [other for other in children if other.live]
        if self._together:
            return min(child.stop_deadline, left)
        return min(child.stop_deadline, left * child.stop_deadline / sum(other.stop_deadline for other in live))
