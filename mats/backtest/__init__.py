"""Backtests: a run of strategies over stored bars, what it gave, and how results are measured, compared and drawn."""

import mats.backtest.run  # noqa: F401 - first, for the module would take the name of the function otherwise
from mats.backtest.api import load, run, save

__all__ = ["load", "run", "save"]
