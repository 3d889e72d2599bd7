"""What travels: a message, who waits for its answer, and what caused it."""

from collections.abc import Hashable
from contextvars import ContextVar
from typing import TYPE_CHECKING

import msgspec

from mats.runtime.reply import Reply

if TYPE_CHECKING:
    from mats.runtime.incarnation import Incarnation

ANYONE = 0
"""`only` of a user message: whoever runs handles it."""
WHOEVER = -1
"""`only` of a control message that is not meant for one incarnation."""


class Envelope(msgspec.Struct, gc=False):
    """One message on its way.

    `id` is unique in a runtime; `cause` is the id of the message whose handling sent this one (0: an edge), `root` the
    first of that chain. `sent` is in monotonic seconds. `only` names the incarnation that may handle it; `slot` is its
    key when it may be replaced by a later message.
    """

    message: object
    reply: Reply | None
    id: int
    cause: int
    root: int
    sent: float
    only: int = ANYONE
    slot: Hashable = None


class Turn:
    """What is being handled, by whom: the context in which messages are sent."""

    __slots__ = ("envelope", "incarnation")

    def __init__(self, incarnation: "Incarnation", envelope: Envelope | None) -> None:
        self.incarnation = incarnation
        self.envelope = envelope


CURRENT: ContextVar[Turn | None] = ContextVar("turn", default=None)
"""The turn of this thread or task. Set once for a thread: the turn changes inside, so a message costs no set."""
