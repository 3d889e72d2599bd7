"""The actor runtime: isolated actors with mailboxes, supervised, in real or in virtual time, on pykka."""

from mats.runtime import chaos, events
from mats.runtime.actor import Actor
from mats.runtime.cell import ActorStatus
from mats.runtime.chaos import ChaosPlan
from mats.runtime.clock import Clock, FollowedClock, SystemClock, VirtualClock
from mats.runtime.deadletters import DeadLetter, DeadLetters
from mats.runtime.errors import (
    ActorDeadError,
    ActorFailed,
    AskInHandler,
    AskTimeout,
    Deadlock,
    NameTaken,
    RestartLimitReached,
    SimulatedCrash,
    StartTimeout,
    TestCrash,
)
from mats.runtime.events import (
    Abandoned,
    ChildFailed,
    ChildParked,
    ChildRestarted,
    ChildRestarting,
    ChildStarted,
    ChildStopped,
    Escalated,
    Event,
    HandlerSlow,
    HighWater,
)
from mats.runtime.hosts.thread import ThreadRuntime
from mats.runtime.hosts.virtual import VirtualRuntime
from mats.runtime.mailbox import MailboxSpec
from mats.runtime.messages import Crash, Down, Drain, Outcome, Park, Refused, StartChild, Stop, StopChild, Unpark
from mats.runtime.probe import Probe
from mats.runtime.ref import Ref
from mats.runtime.reply import Reply
from mats.runtime.runtime import Runtime, StopReport
from mats.runtime.spec import Backoff, ChildSpec, Limit, SupervisorSpec
from mats.runtime.timers import Timer

__all__ = [
    "Abandoned",
    "Actor",
    "ActorDeadError",
    "ActorFailed",
    "ActorStatus",
    "AskInHandler",
    "AskTimeout",
    "Backoff",
    "ChaosPlan",
    "ChildFailed",
    "ChildParked",
    "ChildRestarted",
    "ChildRestarting",
    "ChildSpec",
    "ChildStarted",
    "ChildStopped",
    "Clock",
    "Crash",
    "DeadLetter",
    "DeadLetters",
    "Deadlock",
    "Down",
    "Drain",
    "Escalated",
    "Event",
    "FollowedClock",
    "HandlerSlow",
    "HighWater",
    "Limit",
    "MailboxSpec",
    "NameTaken",
    "Outcome",
    "Park",
    "Probe",
    "Ref",
    "Refused",
    "Reply",
    "RestartLimitReached",
    "Runtime",
    "SimulatedCrash",
    "StartChild",
    "StartTimeout",
    "Stop",
    "StopChild",
    "StopReport",
    "SupervisorSpec",
    "SystemClock",
    "TestCrash",
    "ThreadRuntime",
    "Timer",
    "Unpark",
    "VirtualClock",
    "VirtualRuntime",
    "chaos",
    "events",
]
