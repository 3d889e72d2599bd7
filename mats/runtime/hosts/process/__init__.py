"""Actors in processes of their own, as their runtime sees them: a stand-in lives under the name, and a link leads on.

The other end of the link is `mats.runtime.hosts.child`.
"""

from mats.runtime.hosts.process.processes import Processes
from mats.runtime.hosts.process.stand_in import Placement, StandInIncarnation, stand_in_for

__all__ = [
    "Placement",
    "Processes",
    "StandInIncarnation",
    "stand_in_for",
]
