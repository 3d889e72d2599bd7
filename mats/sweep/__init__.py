"""Sweeps: one strategy with many parameters, on all cores or a cluster; ranked, and tested out of sample."""

from mats.sweep.executor import Executor
from mats.sweep.grid import Axis, Scalar, parse_axes
from mats.sweep.local_pool import LocalPool
from mats.sweep.plan import SweepPlan
from mats.sweep.request import SweepRequest, best_results, plan_sweep
from mats.sweep.results_table import Manifest, SweepTable
from mats.sweep.resumable_run import run_and_store
from mats.sweep.run import count
from mats.sweep.trials import Trial, ranked, reasons, unranked
from mats.sweep.walk_forward import parse_spans

__all__ = [
    "Axis",
    "Executor",
    "LocalPool",
    "Manifest",
    "Scalar",
    "SweepPlan",
    "SweepRequest",
    "SweepTable",
    "Trial",
    "best_results",
    "count",
    "parse_axes",
    "parse_spans",
    "plan_sweep",
    "ranked",
    "reasons",
    "run_and_store",
    "unranked",
]
