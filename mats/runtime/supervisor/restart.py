"""Which children restart together, and how many failures are too many."""

from collections import deque
from collections.abc import Sequence

from mats.runtime.spec import Limit, Strategy
from mats.runtime.supervisor.child import Child


class Restart:
    """A group that goes down from the last to the first, and comes up when it is `due`.

    `in_turn`: each member waits for the start of the one before; a single child that failed does not wait.
    """

    def __init__(self, number: int, group: list[Child], in_turn: bool) -> None:
        self.number = number
        self.group = group
        self.in_turn = in_turn
        self.due = False

    @property
    def still_up(self) -> Child | None:
        """The last member that lives: the next one to go."""
        return next((child for child in reversed(self.group) if child.live), None)


def group_of(child: Child, children: Sequence[Child], strategy: Strategy) -> list[Child]:
    """Who is restarted when `child` failed, in start order."""
    match strategy:
        case "one_for_one":
            return [child]
        case "rest_for_one":
            children = children[children.index(child) :]
        case "one_for_all":
            pass
    return [member for member in children if member.restartable]


def over(limit: Limit, failures: deque[float], now: float) -> bool:
    """Count a failure at `now`; whether there are now more than the limit allows in its window.

    `failures` keeps the times inside the window, as `add_restart` of OTP's supervisor does.
    """
    failures.append(now)
    while failures[0] <= now - limit.seconds or len(failures) > limit.restarts + 1:
        failures.popleft()
    return len(failures) > limit.restarts
