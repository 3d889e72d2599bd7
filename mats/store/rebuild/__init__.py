"""Rebuilds the tables: recomputes the views, compares them and the fill log with the journal, and repairs both."""

from mats.store.rebuild.comparison import Difference, differences, journal_differences, missing_entries
from mats.store.rebuild.contents import Contents
from mats.store.rebuild.recompute_views import recompute
from mats.store.rebuild.repair import repair_log, repair_views
from mats.store.rebuild.view_tables import Name, Table

__all__ = [
    "Contents",
    "Difference",
    "Name",
    "Table",
    "differences",
    "journal_differences",
    "missing_entries",
    "recompute",
    "repair_log",
    "repair_views",
]
