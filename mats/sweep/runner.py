"""A sweep with its table: outcomes are stored as they come, so that nothing that was worked out is lost."""

from collections.abc import Callable, Mapping
from time import monotonic

from mats.model.bar_columns import BarData
from mats.sweep.executor import Executor
from mats.sweep.run import run_sweep
from mats.sweep.table import Manifest, SweepTable
from mats.sweep.trials import Trial
from mats.sweep.walk_forward import stitch

STORE_SECONDS = 1.0
"""Outcomes wait at most about so long for the commit that they share."""


def conduct(
    manifest: Manifest,
    data: BarData,
    engine: Executor,
    table: SweepTable,
    known: Mapping[int, Trial],
    tell: Callable[[Trial], None],
) -> list[Trial]:
    """All outcomes of a sweep, those `known` from an earlier attempt among them; each new one is told and stored.

    The tests of a walk-forward are stored together, after the curve that is stitched from them. Whatever ends the
    sweep early, what came before is stored.
    """
    new: list[Trial] = []
    waiting: list[Trial] = []
    due = monotonic() + STORE_SECONDS
    try:
        for outcome in run_sweep(manifest.plan, data, engine, known):
            new.append(outcome)
            tell(outcome)
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
