"""The actor runtime: isolated actors with mailboxes, supervised, in real or in virtual time, on pykka."""

from mats.runtime import events
from mats.runtime.actor import Actor, ActorClass, NoArgs
from mats.runtime.clock import Clock, FollowedClock, SystemClock, VirtualClock
from mats.runtime.containment import describe, text_of
from mats.runtime.errors import (
    ActorDeadError,
    ActorFailed,
    AskInHandler,
    AskTimeout,
    Deadlock,
    NameTaken,
    NotUnderstood,
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
    MessagesRefused,
)
from mats.runtime.hosts.plain_actor import PlainArgs, plain_actor
from mats.runtime.hosts.thread import ThreadRuntime
from mats.runtime.hosts.virtual import VirtualRuntime
from mats.runtime.interfaces import ActorStatus
from mats.runtime.messaging.dead_letters import DeadLetter, DeadLetters
from mats.runtime.messaging.envelope import Reply
from mats.runtime.messaging.mailbox import MailboxSpec
from mats.runtime.messaging.messages import Crash, Down, Drain, Outcome, Stop
from mats.runtime.messaging.ref import Address, Askable, Question, Ref
from mats.runtime.messaging.telemetry import MessageStats
from mats.runtime.runtime import Runtime, StopReport
from mats.runtime.spec import Backoff, ChildSpec, Limit, OwnProcess, Spec, SupervisorSpec
from mats.runtime.supervisor.commands import (
    CommandResult,
    Park,
    Refused,
    StartChild,
    StopChild,
    SupervisorMessage,
    Unpark,
)
from mats.runtime.timers import Timer

__all__ = [
    "Abandoned",
    "Actor",
    "ActorClass",
    "ActorDeadError",
    "ActorFailed",
    "ActorStatus",
    "Address",
    "AskInHandler",
    "AskTimeout",
    "Askable",
    "Backoff",
    "ChildFailed",
    "ChildParked",
    "ChildRestarted",
    "ChildRestarting",
    "ChildSpec",
    "ChildStarted",
    "ChildStopped",
    "Clock",
    "CommandResult",
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
    "MessageStats",
    "MessagesRefused",
    "NameTaken",
    "NoArgs",
    "NotUnderstood",
    "Outcome",
    "OwnProcess",
    "Park",
    "PlainArgs",
    "Question",
    "Ref",
    "Refused",
    "Reply",
    "RestartLimitReached",
    "Runtime",
    "SimulatedCrash",
    "Spec",
    "StartChild",
    "StartTimeout",
    "Stop",
    "StopChild",
    "StopReport",
    "SupervisorMessage",
    "SupervisorSpec",
    "SystemClock",
    "TestCrash",
    "ThreadRuntime",
    "Timer",
    "Unpark",
    "VirtualClock",
    "VirtualRuntime",
    "describe",
    "events",
    "plain_actor",
    "text_of",
]
