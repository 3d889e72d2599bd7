"""Verifies the tables against the fill log, and repairs them."""

from mats.store.rebuild.contents import Contents
from mats.store.rebuild.rebuild import (
    Difference,
    Name,
    Table,
    differences,
    journal_differences,
    missing_entries,
    recompute,
)
from mats.store.rebuild.repair import repair_log, repair_views

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
