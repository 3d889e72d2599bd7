"""Messages on their way: refs, envelopes, mailboxes, and what becomes of a message that reaches no handler."""

from mats.runtime.messaging.dead_letters import DeadLetter, DeadLetters, Reason
from mats.runtime.messaging.envelope import CURRENT, Envelope, Reply, Turn
from mats.runtime.messaging.inbox import Inbox
from mats.runtime.messaging.mailbox import Mailbox, MailboxObserver, MailboxSpec, Refusal
from mats.runtime.messaging.messages import Crash, Down, DownReason, Drain, Fault, Outcome, Started, Stop, TaskEnded
from mats.runtime.messaging.ref import Address, Askable, Delivery, Life, M_contra, Question, Ref, Slot, ref_named
from mats.runtime.messaging.telemetry import MAX_CLASSES, MessageStats, Meter, Telemetry
from mats.runtime.messaging.vocabulary import Vocabulary, union_of, vocabulary_of

__all__ = [
    "CURRENT",
    "MAX_CLASSES",
    "Address",
    "Askable",
    "Crash",
    "DeadLetter",
    "DeadLetters",
    "Delivery",
    "Down",
    "DownReason",
    "Drain",
    "Envelope",
    "Fault",
    "Inbox",
    "Life",
    "M_contra",
    "Mailbox",
    "MailboxObserver",
    "MailboxSpec",
    "MessageStats",
    "Meter",
    "Outcome",
    "Question",
    "Reason",
    "Ref",
    "Refusal",
    "Reply",
    "Slot",
    "Started",
    "Stop",
    "TaskEnded",
    "Telemetry",
    "Turn",
    "Vocabulary",
    "ref_named",
    "union_of",
    "vocabulary_of",
]
