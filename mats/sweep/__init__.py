"""Sweeps: one strategy with many parameters, on all cores or a cluster; which were best, and would they have lasted."""

from mats.sweep.executor import Executor
from mats.sweep.grid import Axis, Scalar, parse_axes
from mats.sweep.local_pool import LocalPool
from mats.sweep.plan import SweepPlan
from mats.sweep.request import SweepRequest, begin, best_results
from mats.sweep.run import count
from mats.sweep.runner import conduct
from mats.sweep.table import Manifest, SweepTable
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
    "begin",
    "best_results",
    "conduct",
    "count",
    "parse_axes",
    "parse_spans",
    "ranked",
    "reasons",
    "unranked",
]
