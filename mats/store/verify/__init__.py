"""Whether the tables say what the fill log says, and how they are put right."""

from mats.store.verify.contents import Contents
from mats.store.verify.rebuild import Difference, Name, Table, against_journal, differences, missing, recompute
from mats.store.verify.repair import mend_log, mend_views

__all__ = [
    "Contents",
    "Difference",
    "Name",
    "Table",
    "against_journal",
    "differences",
    "mend_log",
    "mend_views",
    "missing",
    "recompute",
]
