"""A sweep's task without a backtest: a hill of parameters, with its top at fast 10 and slow 60."""

from mats.sweep.trials import Trial, TrialTask
from mats.sweep.worker_task import WorkerTask

DAY = 86_400 * 10**9


def hill(job: WorkerTask, task: TrialTask) -> Trial:
    """The top moves with the stretch of time; fast 7 fails."""
    if task.parameters["fast"] == 7:
        return Trial(task=task, state="failed", reason="strategy ema raised ValueError")
    fast, slow = float(task.parameters["fast"]), float(task.parameters["slow"])
    top = 10 + (task.start - job.plan.spec.start) // DAY % 5
    value = 2 - (fast - top) ** 2 / 100 - (slow - 60) ** 2 / 1_000
    bars = job.data.bars["SYN"].between(task.start, task.end)
    curve = (bars.end, 1_000_000 * bars.close / bars.open[0]) if task.curve else None
    return Trial(task=task, state="complete", metrics={"sharpe": value, "trades": fast, "calmar": None}, curve=curve)


def nothing(job: WorkerTask, task: TrialTask) -> Trial:
    """Complete, and not defined."""
    return Trial(task=task, state="complete", metrics={"sharpe": None})
