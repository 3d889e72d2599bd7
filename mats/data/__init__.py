"""Bars: building them from shorter ones, and reading them from files.

What takes files into the store is in `mats.data.importer`: strategies need bars, and no store.
"""

from mats.data.bar_aggregation import BarBuilder, aggregate, to_frame
from mats.data.bar_files import BarTable, find_bar_files, read_table
from mats.data.corporate_actions import actions_between
from mats.data.quality import checked_bars
from mats.data.session_bars import data_calendar, fitting_calendar, in_sessions, whole_bars

__all__ = [
    "BarBuilder",
    "BarTable",
    "actions_between",
    "aggregate",
    "checked_bars",
    "data_calendar",
    "find_bar_files",
    "fitting_calendar",
    "in_sessions",
    "read_table",
    "to_frame",
    "whole_bars",
]
