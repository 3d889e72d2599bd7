"""Backtests: a run of strategies over stored bars, what it gave, and how results are measured, compared and drawn."""

from mats.backtest.api import load, run, save

__all__ = ["load", "run", "save"]
