"""From a request to a plan with its data, and from the best trials of a sweep to stored backtests."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from mats.backtest import Prepared, Request, code_of, prepare
from mats.backtest.engine import run_backtest
from mats.backtest.result import hold_all, make_result, replace_result, result_name
from mats.errors import StrategyError, SweepError
from mats.model import Nanos
from mats.model.bar_columns import BarData
from mats.settings import Settings
from mats.sweep.grid import Axis
from mats.sweep.plan import SweepPlan, check, corners
from mats.sweep.results_table import METRICS, Manifest
from mats.sweep.trials import Trial, ranked


class SweepRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep as requested; the parameters of `request` are given by the axes."""

    request: Request
    axes: tuple[Axis, ...]
    metric: str
    trials: int = 0
    walk: tuple[Nanos, Nanos] | None = None


def plan_sweep(requested: SweepRequest, settings: Settings, now: Nanos) -> tuple[Manifest, BarData]:
    """The manifest of a new sweep, and its data. Raises StrategyError, SweepError and DataError."""
    if not requested.request.strategies[0]:
        raise SweepError("a sweep needs a strategy; name a FILE.py or one of the strategy table")
    if not requested.axes:
        raise SweepError("a sweep needs parameters to vary; give at least one as --param fast=5:50:5")
    if requested.metric not in METRICS:
        raise SweepError(f"metric {requested.metric!r} is not known; rank by one of {', '.join(METRICS)}")
    prepared = _prepared(requested, settings)
    plan = SweepPlan(
        spec=prepared.spec, axes=requested.axes, metric=requested.metric, trials=requested.trials, walk=requested.walk
    )
    check(plan)
    plan.windows()
    manifest = Manifest(
        name=f"sweep_{result_name(plan.spec, now)}",
        plan=plan,
        source=requested.request.source,
        data_fingerprint=prepared.data.fingerprint(),
        code=code_of(plan.spec),
        started=now,
    )
    return manifest, prepared.data


def best_results(
    trained: Sequence[Trial], manifest: Manifest, data: BarData, count: int, uri: str, now: Nanos
) -> Sequence[str]:
    """Run the best again in full, and store each as a backtest, in place of an earlier one; their names."""
    names = []
    for rank, outcome in enumerate(ranked(trained, manifest.plan.metric)[:count], 1):
        spec = manifest.plan.run_of(outcome.task)
        named = replace(spec, description=f"{spec.description}-best{rank}")
        run = run_backtest(named, data)
        traded = sorted({fill.fill.execution.instrument for fill in run.fills})
        benchmark = hold_all(data, traded, spec.start) if traded else None
        result = make_result(run, data, manifest.source, benchmark, now)
        replace_result(uri, result)
        names.append(result.name)
    return names


def _prepared(requested: SweepRequest, settings: Settings) -> Prepared:
    """The backtest of the first combination that the strategy accepts; the others differ only in parameters."""
    refusal: StrategyError | None = None
    for parameters in corners(requested.axes):
        try:
            return prepare(replace(requested.request, params=parameters), settings)
        except StrategyError as error:
            refusal = refusal or error
    raise refusal or SweepError("there is no combination to run; give the parameters values")
