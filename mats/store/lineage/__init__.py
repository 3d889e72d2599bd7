"""Whether journal and tables have one past, and how they get one again where a file was put back or lost."""

from mats.store.lineage.join import LineageError, check_lineage, join_tables, require_lineage
from mats.store.lineage.marks import ForeignTablesError, states_of_the_log
from mats.store.lineage.merge import merge

__all__ = [
    "ForeignTablesError",
    "LineageError",
    "check_lineage",
    "join_tables",
    "merge",
    "require_lineage",
    "states_of_the_log",
]
