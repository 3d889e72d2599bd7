"""Search of a grid that is too large to run whole: optuna chooses the trials. Needs the extra `search`.

Trials are asked for in rounds of as many as there are workers, and told in their order: the same seed and number of
workers choose the same trials everywhere, and a resumed search continues as if it had not been interrupted.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from mats.errors import StrategyError
from mats.sweep.grid import Axis, Parameters
from mats.sweep.trials import Trial, score

try:
    import optuna
except ImportError as error:
    raise StrategyError("--trials needs optuna; run `pip install 'mats[search]'`, or sweep the whole grid") from error


class ParameterSearch:
    """A study of the axes; `rounds` gives parameters, `tell` takes their outcomes."""

    def __init__(self, axes: Sequence[Axis], metric: str, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._metric = metric
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._distributions = {axis.name: _distribution(axis) for axis in axes}
        self._pending: dict[int, optuna.trial.Trial] = {}

    def rounds(self, trials: int, width: int) -> Iterator[list[tuple[int, Parameters]]]:
        """Number and parameters of each trial, `width` at a time; tell all of a round before the next one is taken."""
        for first in range(0, trials, width):
            trials_of_round = [self._study.ask(self._distributions) for _ in range(first, min(first + width, trials))]
            self._pending = {trial.number: trial for trial in trials_of_round}
            yield [(trial.number, dict(trial.params)) for trial in trials_of_round]

    def tell(self, outcomes: Sequence[Trial]) -> None:
        """The outcomes of the round's trials; one that cannot be ranked is a failure, which is not repeated."""
        for outcome in sorted(outcomes, key=lambda outcome: outcome.task.number):
            value = score(outcome, self._metric)
            trial = self._pending.pop(outcome.task.number)
            if value is None:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(trial, value)


def _distribution(axis: Axis) -> Any:
    """A range keeps its order, so that a search can move towards its better end; a list is a choice."""
    if not axis.ranged or len(axis.values) < 2:
        return optuna.distributions.CategoricalDistribution(axis.values)
    numbers = [value for value in axis.values if isinstance(value, int | float)]
    low, step, high = numbers[0], numbers[1] - numbers[0], numbers[-1]
    if all(isinstance(number, int) for number in numbers):
        return optuna.distributions.IntDistribution(int(low), int(high), step=int(step))
    return optuna.distributions.FloatDistribution(low, high, step=step)
