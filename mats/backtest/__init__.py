"""Backtests: a run of strategies over stored bars, what it gave, and how results are measured, compared and drawn."""

from mats.backtest import api, engine
from mats.backtest.api import load, run, save
from mats.backtest.bias import look_ahead, warm_up
from mats.backtest.data import DataSource
from mats.backtest.engine import run_backtest
from mats.backtest.preparation import Prepared, Request, data_for, instant, prepare
from mats.backtest.provenance import Code, code_of
from mats.backtest.run import BacktestRun, Curve
from mats.backtest.spec import BacktestSpec, FeeSchedule, Style

__all__ = [
    "BacktestRun",
    "BacktestSpec",
    "Code",
    "Curve",
    "DataSource",
    "FeeSchedule",
    "Prepared",
    "Request",
    "Style",
    "api",
    "code_of",
    "data_for",
    "engine",
    "instant",
    "load",
    "look_ahead",
    "prepare",
    "run",
    "run_backtest",
    "save",
    "warm_up",
]
