"""Backtests: a run of strategies over stored bars, what it gave, and how results are measured, compared and drawn."""

from mats.backtest import api
from mats.backtest.api import load, run, save
from mats.backtest.bar_sources import DataSource
from mats.backtest.bias import look_ahead, warm_up
from mats.backtest.preparation import Prepared, Request, data_for, instant, prepare
from mats.backtest.provenance import Code, code_of
from mats.backtest.spec import BacktestSpec, FeeSchedule, Style

__all__ = [
    "BacktestSpec",
    "Code",
    "DataSource",
    "FeeSchedule",
    "Prepared",
    "Request",
    "Style",
    "api",
    "code_of",
    "data_for",
    "instant",
    "load",
    "look_ahead",
    "prepare",
    "run",
    "save",
    "warm_up",
]
