"""Named points at which a simulation may crash an actor. Inert everywhere else.

The code under test names them, because a crash between two of its lines cannot be caused from outside.
"""

from collections import Counter
from collections.abc import Mapping
from random import Random

from mats.runtime.errors import SimulatedCrash


class ChaosPlan:
    """With which probability each point crashes; `default` for those not named. `crashes` counts what happened."""

    def __init__(self, seed: int, default: float = 0.0, points: Mapping[str, float] | None = None) -> None:
        self._random = Random(f"chaos/{seed}")
        self._default = default
        self._points = dict(points or {})
        self.crashes: Counter[str] = Counter()

    def visit(self, name: str) -> None:
        """Crash here, or not."""
        chance = self._points.get(name, self._default)
        if chance and self._random.random() < chance:
            self.crashes[name] += 1
            raise SimulatedCrash(f"simulated crash at {name}")

    def heal(self) -> None:
        """No more crashes."""
        self._default = 0.0
        self._points.clear()


_plan: ChaosPlan | None = None


def point(name: str) -> None:
    """A place where a crash must do no harm. It raises SimulatedCrash only inside a simulation that plans it."""
    if _plan is not None:
        _plan.visit(name)


def install(plan: ChaosPlan | None) -> ChaosPlan | None:
    """Make `plan` the one in force and return the one before; called by the virtual runtime around its steps."""
    global _plan
    before, _plan = _plan, plan
    return before
