"""Runs a sweep and stores its outcomes as they come, so that an interruption loses nothing."""

from collections.abc import Callable, Mapping
from time import monotonic

from mats.model.bar_columns import BarData
from mats.sweep.executor import Executor
from mats.sweep.results_table import Manifest, SweepTable
from mats.sweep.run import run_sweep
from mats.sweep.trials import Trial
from mats.sweep.walk_forward import stitch

STORE_SECONDS = 1.0
"""Outcomes wait at most about this long for their common commit."""


def run_and_store(
    manifest: Manifest,
    data: BarData,
    executor: Executor,
    table: SweepTable,
    known: Mapping[int, Trial],
    on_trial: Callable[[Trial], None],
) -> list[Trial]:
    """All outcomes, with those `known` from an earlier attempt; each new one goes to `on_trial` and is stored.

    The tests of a walk-forward are stored together, after the curve that is stitched from them. If the
    sweep ends early, the outcomes so far are stored.
    """
    new: list[Trial] = []
    waiting: list[Trial] = []
    due = monotonic() + STORE_SECONDS
    try:
        for outcome in run_sweep(manifest.plan, data, executor, known):
            new.append(outcome)
            on_trial(outcome)
            if outcome.task.leg != "test":
                waiting.append(outcome)
            if waiting and monotonic() > due:
                table.append(manifest, waiting)
                waiting, due = [], monotonic() + STORE_SECONDS
    finally:
        if waiting:
            table.append(manifest, waiting)
    tests = sorted((o for o in new if o.task.leg == "test"), key=lambda outcome: outcome.task.window)
    if tests:
        curves = [outcome.curve for outcome in tests if outcome.curve is not None]
        table.write_curve(*stitch(curves, float(manifest.plan.spec.capital)))
        table.append(manifest, tests)
    return [*known.values(), *new]
