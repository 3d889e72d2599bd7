"""How a strategy is loaded and run, the same live and in a backtest."""

from mats.strategy.hosting.loader import check_record, find_file, load_class, make_runner, only_class
from mats.strategy.hosting.local_host import LocalHost, OrderCommand
from mats.strategy.hosting.runner import StrategyRunner
from mats.strategy.hosting.table_changes import check_change, differing, shares, turned_off, turned_on

__all__ = [
    "LocalHost",
    "OrderCommand",
    "StrategyRunner",
    "check_change",
    "check_record",
    "differing",
    "find_file",
    "load_class",
    "make_runner",
    "only_class",
    "shares",
    "turned_off",
    "turned_on",
]
