"""The backtest engine: strategies, the order flow, a market of bars and the books in one thread."""

from mats.backtest.engine.assembly import BacktestError
from mats.backtest.engine.engine import Engine, Progress, run_backtest
from mats.backtest.engine.run_records import BacktestRun, CashEvent, Curve, Records, RuledFill, RunState
from mats.backtest.engine.trades import completed_trades

__all__ = [
    "BacktestError",
    "BacktestRun",
    "CashEvent",
    "Curve",
    "Engine",
    "Progress",
    "Records",
    "RuledFill",
    "RunState",
    "completed_trades",
    "run_backtest",
]
