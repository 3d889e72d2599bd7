"""What a worker does for one task: a backtest, of which only its figures go back."""

import msgspec

from mats.backtest import BacktestRun, run_backtest
from mats.backtest.result.metrics import measure_curve
from mats.model.bar_columns import BarData
from mats.sweep.plan import SweepPlan
from mats.sweep.trials import Trial, TrialTask


class WorkerTask(msgspec.Struct, frozen=True, eq=False):
    """What all tasks of a sweep have in common; it is sent to each worker once."""

    plan: SweepPlan
    data: BarData


def run_task(job: WorkerTask, task: TrialTask) -> Trial:
    """Run the task's backtest. What a strategy does wrong is the outcome `failed`, with its sentence."""
    run = run_backtest(job.plan.run_of(task), job.data)
    if run.state == "failed":
        return Trial(task=task, state="failed", reason=run.failure)
    curve = (run.total.time, run.total.equity) if task.curve else None
    return Trial(task=task, state="complete", metrics=_figures(run), curve=curve)


def _figures(run: BacktestRun) -> dict[str, float | None]:
    """Those of the account; of its only strategy they are the same."""
    capital = float(run.spec.capital)
    return measure_curve(run, run.total, capital, run.fills, run.trades, run.cash_events, None).figures()
