"""The plan of a sweep, and the tasks that follow from it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mats.backtest import BacktestSpec
from mats.errors import StrategyError
from mats.model import StrategyRecord
from mats.strategy.hosting import convert_params, load_class
from mats.sweep.grid import Axis, Parameters, combinations
from mats.sweep.trials import Trial, TrialTask
from mats.sweep.walk_forward import WalkForwardWindow, windows


class SweepPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All of a grid, or `trials` of it; over the whole period, or walking forward through it by `walk` nanoseconds."""

    spec: BacktestSpec
    axes: tuple[Axis, ...]
    metric: str
    trials: int = 0
    walk: tuple[int, int] | None = None

    def windows(self) -> tuple[WalkForwardWindow, ...]:
        """The windows of a walk-forward; none for a plain sweep."""
        return windows(self.spec.start, self.spec.end, *self.walk) if self.walk else ()

    def record(self, parameters: Parameters) -> StrategyRecord:
        """The strategy with these of its parameters replaced."""
        first = self.spec.strategies[0]
        return replace(first, params={**first.params, **parameters})

    def run_of(self, task: TrialTask) -> BacktestSpec:
        """The backtest of a task."""
        return replace(self.spec, strategies=(self.record(task.parameters),), start=task.start, end=task.end)


def grid_tasks(plan: SweepPlan) -> list[TrialTask]:
    """A task for each combination, and for each window of a walk-forward its training."""
    made = combinations(plan.axes)
    whole = [WalkForwardWindow(0, plan.spec.start, plan.spec.end, plan.spec.end)]
    return [
        TrialTask(
            number=at + len(made) * index,
            parameters=parameters,
            start=window.start,
            end=window.turn,
            window=window.number,
            leg="train" if plan.walk else "",
        )
        for index, window in enumerate(plan.windows() or whole)
        for at, parameters in enumerate(made)
    ]


def refused(plan: SweepPlan, tasks: Iterable[TrialTask]) -> dict[int, Trial]:
    """Tasks whose parameters the strategy rejects, by number, each with its reason; they are not run."""
    params = _params_of(plan)
    reasons: dict[tuple[object, ...], str] = {}
    found = {}
    for task in tasks:
        key = tuple(task.parameters.items())
        if key not in reasons:
            reasons[key] = _parameter_error(plan, params, task.parameters)
        if reasons[key]:
            found[task.number] = Trial(task=task, state="refused", reason=reasons[key])
    return found


def check(plan: SweepPlan) -> None:
    """Raises StrategyError for several strategies, and for parameters that the strategy does not have."""
    if len(plan.spec.strategies) != 1:
        raise StrategyError(f"a sweep takes one strategy, not {len(plan.spec.strategies)}; name one")
    if plan.trials and plan.walk:
        raise StrategyError("--trials and --walk-forward cannot be combined; leave one of them out")
    params = _params_of(plan)
    errors = [_parameter_error(plan, params, parameters) for parameters in corners(plan.axes)]
    if errors and all(errors):
        raise StrategyError(errors[0])


def corners(axes: Sequence[Axis]) -> list[Parameters]:
    """Combinations from all over the grid, a few thousand at most."""
    made = combinations(axes)
    return made[:: max(1, len(made) // 2_000)]


def _params_of(plan: SweepPlan) -> type[msgspec.Struct]:
    record = plan.spec.strategies[0]
    return load_class(record.file, record.class_name, Path(plan.spec.folder), record.name).Params


def _parameter_error(plan: SweepPlan, params: type[msgspec.Struct], parameters: Parameters) -> str:
    record = plan.record(parameters)
    try:
        convert_params(params, record.name, record.params)
    except StrategyError as error:
        return str(error)
    return ""
