"""What keeps the log readable and bounded: fields are cut, repeated lines are counted, a full disk is said once."""

from mats.logs.cutting import cut, cut_fields
from mats.logs.file import LogFile
from mats.logs.repeats import RepeatLimit

__all__ = ["LogFile", "RepeatLimit", "cut", "cut_fields"]
