"""How a strategy is loaded and run, the same live and in a backtest."""

from mats.strategy.history import Delivery
from mats.strategy.hosting.bar_holes import FILL_SECONDS, BarHole, HoleFilling
from mats.strategy.hosting.credit import Credit
from mats.strategy.hosting.loader import find_file, load_class, make_runner, only_class
from mats.strategy.hosting.local_host import LocalHost, OrderCommand
from mats.strategy.hosting.runner import BarListener, StrategyRunner
from mats.strategy.hosting.table_changes import check_change, differing, shares, turned_off, turned_on
from mats.strategy.hosting.written_names import WrittenNames
from mats.strategy.params import convert_params

__all__ = [
    "FILL_SECONDS",
    "BarHole",
    "BarListener",
    "Credit",
    "Delivery",
    "HoleFilling",
    "LocalHost",
    "OrderCommand",
    "StrategyRunner",
    "WrittenNames",
    "check_change",
    "convert_params",
    "differing",
    "find_file",
    "load_class",
    "make_runner",
    "only_class",
    "shares",
    "turned_off",
    "turned_on",
]
