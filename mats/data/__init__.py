"""Bars: building them from shorter ones, and reading them from files."""

from mats.data.bar_aggregation import BarBuilder, aggregate, ceil_time, to_frame
from mats.data.bar_files import BarTable, find_bar_files, read_table
from mats.data.corporate_actions import actions_between
from mats.data.importer import ImportResult, Stamp, file_actions, import_file
from mats.data.quality import checked_bars

__all__ = [
    "BarBuilder",
    "BarTable",
    "ImportResult",
    "Stamp",
    "actions_between",
    "aggregate",
    "ceil_time",
    "checked_bars",
    "file_actions",
    "find_bar_files",
    "import_file",
    "read_table",
    "to_frame",
]
