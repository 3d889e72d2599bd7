"""Tasks of a sweep, their outcomes, and the ranking of outcomes."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from mats.model import Nanos
from mats.model.bar_columns import Floats, Instants
from mats.sweep.grid import Parameters

State = Literal["complete", "failed", "refused"]
"""`failed`: the run ended early, or its worker did. `refused`: the strategy rejects the combination."""
Leg = Literal["", "train", "test"]

SMALLER_IS_BETTER = frozenset({"volatility", "max_drawdown_days", "turnover", "costs"})


class TrialTask(msgspec.Struct, frozen=True, kw_only=True):
    """One run: these parameters over bars that start in `[start, end)`; with `curve` its equity is returned too."""

    number: int
    parameters: Parameters
    start: Nanos
    end: Nanos
    window: int = 0
    leg: Leg = ""
    curve: bool = False


class Trial(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The outcome of a task. Metrics are those of a backtest's total; None is not defined, as without trades."""

    task: TrialTask
    state: State
    reason: str = ""
    metrics: dict[str, float | None] = {}
    curve: tuple[Instants, Floats] | None = None


def score(outcome: Trial, metric: str) -> float | None:
    """The larger the better; None for what cannot be ranked: not complete, or not defined."""
    value = outcome.metrics.get(metric)
    if outcome.state != "complete" or value is None or not math.isfinite(value):
        return None
    return -value if metric in SMALLER_IS_BETTER else value


def ranked(outcomes: Iterable[Trial], metric: str) -> list[Trial]:
    """The complete ones, best first; of equals the one with the lower number."""
    scored = [(score(outcome, metric), outcome) for outcome in outcomes]
    order = sorted((-value, outcome.task.number, at) for at, (value, outcome) in enumerate(scored) if value is not None)
    return [scored[at][1] for _, _, at in order]


def unranked(outcomes: Iterable[Trial]) -> list[Trial]:
    """Those that did not complete, by number."""
    return sorted((o for o in outcomes if o.state != "complete"), key=lambda outcome: outcome.task.number)


def reasons(outcomes: Sequence[Trial]) -> dict[str, int]:
    """How often each kind of failure occurred, most frequent first."""
    counted: dict[str, int] = {}
    for outcome in unranked(outcomes):
        counted[outcome.reason] = counted.get(outcome.reason, 0) + 1
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
