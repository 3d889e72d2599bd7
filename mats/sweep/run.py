"""Runs a sweep from its plan; each outcome is yielded as soon as it is known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from mats.model.bar_columns import BarData
from mats.sweep.executor import Executor, Lost
from mats.sweep.plan import SweepPlan, grid_tasks, refused
from mats.sweep.trials import Trial, TrialTask, ranked
from mats.sweep.worker_task import WorkerTask, run_task

Known = Mapping[int, Trial]
Run = Callable[[WorkerTask, TrialTask], Trial]


def run_sweep(
    plan: SweepPlan, data: BarData, executor: Executor, known: Known | None = None, run: Run = run_task
) -> Iterator[Trial]:
    """Every outcome that is not among the `known` ones of an earlier attempt, in the order in which they end.

    Combinations that the strategy rejects come first. A walk-forward ends with the test of each window.
    """
    job = WorkerTask(plan, data)
    if plan.trials:
        yield from _search(job, executor, known or {}, run)
        return
    tasks = grid_tasks(plan)
    done = dict(known or {})
    for outcome in _outcomes(job, executor, tasks, done, run):
        done[outcome.task.number] = outcome
        yield outcome
    if plan.walk:
        yield from _outcomes(job, executor, _tests(plan, tasks, done), done, run)


def count(plan: SweepPlan) -> int:
    """How many outcomes a sweep will have."""
    return plan.trials or len(grid_tasks(plan)) + len(plan.windows())


def _outcomes(
    job: WorkerTask, executor: Executor, tasks: Sequence[TrialTask], known: Known, run: Run
) -> Iterator[Trial]:
    left = [task for task in tasks if task.number not in known]
    bad = refused(job.plan, left)
    yield from bad.values()
    left = [task for task in left if task.number not in bad]
    for at, result in executor.map_tasks(run, left, job):
        yield _outcome(left[at], result)


def _outcome(task: TrialTask, result: Any) -> Trial:
    return Trial(task=task, state="failed", reason=result.reason) if isinstance(result, Lost) else result


def _tests(plan: SweepPlan, tasks: Sequence[TrialTask], done: Known) -> list[TrialTask]:
    """For each window its best training, over the stretch behind it; none where no training could be ranked."""
    tests = []
    for window in plan.windows():
        own = [done[task.number] for task in tasks if task.window == window.number]
        for best in ranked(own, plan.metric)[:1]:
            number = len(tasks) + window.number - 1
            span = {"start": window.turn, "end": window.end, "leg": "test", "curve": True}
            tests.append(replace(best.task, number=number, **span))
    return tests


def _search(job: WorkerTask, executor: Executor, known: Known, run: Run) -> Iterator[Trial]:
    """Trials in rounds; one that has been tried before, in this attempt or an earlier one, is not run again."""
    from mats.sweep.search import ParameterSearch

    plan = job.plan
    search = ParameterSearch(plan.axes, plan.metric, plan.spec.seed)
    tried: dict[tuple[object, ...], Trial] = {}
    for batch in search.rounds(plan.trials, executor.workers):
        tasks = [
            TrialTask(number=number, parameters=parameters, start=plan.spec.start, end=plan.spec.end)
            for number, parameters in batch
        ]
        again = {task.number: _repeated(task, known, tried) for task in tasks}
        old = {number: outcome for number, outcome in again.items() if outcome is not None}
        new = {outcome.task.number: outcome for outcome in _outcomes(job, executor, tasks, old, run)}
        for number in sorted({**old, **new}.keys() - known.keys()):
            yield {**old, **new}[number]
        results = [{**old, **new}[task.number] for task in tasks]
        tried |= {tuple(outcome.task.parameters.items()): outcome for outcome in results}
        search.tell(results)


def _repeated(task: TrialTask, known: Known, tried: Mapping[tuple[object, ...], Trial]) -> Trial | None:
    if task.number in known:
        return known[task.number]
    earlier = tried.get(tuple(task.parameters.items()))
    return None if earlier is None else replace(earlier, task=task)
