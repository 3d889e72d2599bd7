"""Market data as it is kept and shaped: bar building and bar files."""

from mats.data.bar_files import BarTable, bar_tables, read_table
from mats.data.bars import BarBuilder, aggregate, ceil_time, to_frame
from mats.data.corporate_actions import actions_between
from mats.data.importer import Imported, Stamp, file_actions, import_file
from mats.data.quality import checked

__all__ = [
    "BarBuilder",
    "BarTable",
    "Imported",
    "Stamp",
    "actions_between",
    "aggregate",
    "bar_tables",
    "ceil_time",
    "checked",
    "file_actions",
    "import_file",
    "read_table",
    "to_frame",
]
