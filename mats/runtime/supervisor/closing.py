"""The end of a supervisor: who of its children goes next, and how much of the time is theirs."""

from collections.abc import Sequence

from mats.runtime.messaging import Stop
from mats.runtime.supervisor.child import Child

OWN_SECONDS = 1.0
"""What a supervisor keeps of the time that it is given, to abandon who is left and to say that it has ended."""
OWN_SHARE = 0.5
"""What it keeps of a short time: its parent must not take it for one that hangs while it abandons its children."""


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

        So the last one always has its turn, and what the others do not need is for those after them. The part is an
        equal one, or more where the others cannot need as much as theirs.
        """
        if self._until is None:
            return child.stop_deadline
        left = max(0.0, self._until - now)
        if self._together:
            return min(child.stop_deadline, left)
        others = [other.stop_deadline for other in children if other.live and other is not child]
        return min(child.stop_deadline, max(left / (1 + len(others)), left - sum(others)))
