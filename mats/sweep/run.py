"""A sweep from its plan to its outcomes, each told as soon as it is there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from mats.data.columns import MarketData
from mats.sweep.engines import Engine, Lost
from mats.sweep.job import Job, run_task
from mats.sweep.outcomes import Outcome, Task, ranked
from mats.sweep.plan import Plan, grid_tasks, refused

Known = Mapping[int, Outcome]
Run = Callable[[Job, Task], Outcome]


def run_sweep(
    plan: Plan, data: MarketData, engine: Engine, known: Known | None = None, run: Run = run_task
) -> Iterator[Outcome]:
    """Every outcome that is not among the `known` ones of an earlier attempt, in the order in which they end.

    Combinations that the strategy refuses come first. A walk-forward ends with the test of each window.
    """
    job = Job(plan, data)
    if plan.trials:
        yield from _search(job, engine, known or {}, run)
        return
    tasks = grid_tasks(plan)
    done = dict(known or {})
    for outcome in _outcomes(job, engine, tasks, done, run):
        done[outcome.task.number] = outcome
        yield outcome
    if plan.walk:
        yield from _outcomes(job, engine, _tests(plan, tasks, done), done, run)


def count(plan: Plan) -> int:
    """How many outcomes a sweep will have."""
    return plan.trials or len(grid_tasks(plan)) + len(plan.windows())


def _outcomes(job: Job, engine: Engine, tasks: Sequence[Task], known: Known, run: Run) -> Iterator[Outcome]:
    left = [task for task in tasks if task.number not in known]
    bad = refused(job.plan, left)
    yield from bad.values()
    left = [task for task in left if task.number not in bad]
    for at, result in engine.map_tasks(run, left, job):
        yield _outcome(left[at], result)


def _outcome(task: Task, result: Any) -> Outcome:
    return Outcome(task=task, state="failed", reason=result.reason) if isinstance(result, Lost) else result


def _tests(plan: Plan, tasks: Sequence[Task], done: Known) -> list[Task]:
    """For each window its best training, over the stretch behind it; none where no training could be ranked."""
    tests = []
    for window in plan.windows():
        own = [done[task.number] for task in tasks if task.window == window.number]
        for best in ranked(own, plan.metric)[:1]:
            number = len(tasks) + window.number - 1
            where = {"start": window.turn, "end": window.end, "leg": "test", "curve": True}
            tests.append(replace(best.task, number=number, **where))
    return tests


def _search(job: Job, engine: Engine, known: Known, run: Run) -> Iterator[Outcome]:
    """Trials in rounds; one that has been tried before, in this attempt or an earlier one, is not run again."""
    from mats.sweep.search import Search

    plan = job.plan
    search = Search(plan.axes, plan.metric, plan.spec.seed)
    tried: dict[tuple[object, ...], Outcome] = {}
    for asked in search.rounds(plan.trials, engine.workers):
        tasks = [
            Task(number=number, parameters=parameters, start=plan.spec.start, end=plan.spec.end)
            for number, parameters in asked
        ]
        again = {task.number: _repeated(task, known, tried) for task in tasks}
        old = {number: outcome for number, outcome in again.items() if outcome is not None}
        new = {outcome.task.number: outcome for outcome in _outcomes(job, engine, tasks, old, run)}
        for number in sorted({**old, **new}.keys() - known.keys()):
            yield {**old, **new}[number]
        results = [{**old, **new}[task.number] for task in tasks]
        tried |= {tuple(outcome.task.parameters.items()): outcome for outcome in results}
        search.tell(results)


def _repeated(task: Task, known: Known, tried: Mapping[tuple[object, ...], Outcome]) -> Outcome | None:
    if task.number in known:
        return known[task.number]
    earlier = tried.get(tuple(task.parameters.items()))
    return None if earlier is None else replace(earlier, task=task)
