"""The live table on a terminal, and the report at the end of a run."""

from actors.screen.run_report import report
from actors.screen.screen import draw
from actors.screen.snapshot import StartPhase, SystemSnapshot

__all__ = [
    "StartPhase",
    "SystemSnapshot",
    "draw",
    "report",
]
