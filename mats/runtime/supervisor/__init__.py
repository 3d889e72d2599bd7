"""Supervisors: their commands, their record of each child, and the rules of restarts."""

from mats.runtime.supervisor.commands import (
    CommandResult,
    Park,
    Refused,
    StartChild,
    StopChild,
    SupervisorMessage,
    Unpark,
)
from mats.runtime.supervisor.supervisor import as_child

__all__ = [
    "CommandResult",
    "Park",
    "Refused",
    "StartChild",
    "StopChild",
    "SupervisorMessage",
    "Unpark",
    "as_child",
]
