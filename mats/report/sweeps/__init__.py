"""Reports of sweeps: tables, heat maps, charts."""

from mats.report.sweeps.page import SweepReport, best_table, failure_table, html, window_table
from mats.report.sweeps.stored_sweep import stored

__all__ = [
    "SweepReport",
    "best_table",
    "failure_table",
    "html",
    "stored",
    "window_table",
]
