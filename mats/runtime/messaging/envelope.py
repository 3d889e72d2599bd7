"""What travels: a message, who waits for its answer, and what caused it."""

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec
import pykka

from mats.runtime.errors import AskTimeout

if TYPE_CHECKING:
    from pykka._types import OptExcInfo

ANYONE = 0
"""`only` of a user message: whoever runs handles it."""
WHOEVER = -1
"""`only` of a control message that is not meant for one incarnation."""


class Reply(pykka.Future[object]):
    """A slot for one value or one error. The first one set holds, so a slow actor and the runtime may race.

    `on_late` takes a value that is set after the asker has given up.
    """

    def __init__(self) -> None:
        self._get_hook = None
        self._claim = Lock()
        self._done = Lock()
        self._done.acquire()
        self._value: object = None
        self._error: BaseException | None = None
        self.settled = False
        self.abandoned = False
        self.on_late: Callable[[object], object] | None = None

    def get(self, *, timeout: float | None = None) -> object:
        """Wait at most `timeout` seconds. Raises AskTimeout, or the error that was set."""
        if not self._done.acquire(timeout=-1 if timeout is None else timeout):
            if self.give_up():
                raise AskTimeout(f"no reply within {timeout} seconds")
            self._done.acquire()  # it is being set in this moment
        self._done.release()
        if self._error is not None:
            raise self._error
        return self._value

    def __await__(self) -> NoReturn:
        raise TypeError(
            "a reply cannot be awaited, it would block the loop; send a message and get the answer as a message"
        )

    def set(self, value: object | None = None) -> None:
        """Answer with `value`, unless there is an answer already."""
        self._settle(value, None)

    def set_exception(self, exc_info: "OptExcInfo | None" = None) -> None:
        self._settle(None, exc_info[1] if exc_info else None)

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless there is an answer already."""
        self._settle(None, error)

    def give_up(self) -> bool:
        """Nobody waits any more; False if there is an answer already."""
        if not self._claim.acquire(blocking=False):
            return False
        self.abandoned = True
        return True

    def answer(self, value: object) -> bool:
        """Answer with `value`, unless there is an answer already; False if the asker has given up."""
        return self._settle(value, None) or not self.abandoned

    def _settle(self, value: object, error: BaseException | None) -> bool:
        if self._claim.acquire(blocking=False):
            self._value, self._error = value, error
            self.settled = True
            self._done.release()
            return True
        if self.abandoned and error is None and self.on_late is not None:
            self.on_late(value)
        return False


class Envelope(msgspec.Struct):
    """One message on its way. Collected as garbage like any object: a message may hold the ref of its own mailbox.

    `id` is unique in a runtime; `cause` is the id of the message whose handling sent this one (0: an edge), `root` the
    first of that chain. `sent` is in monotonic seconds. `only` names the incarnation that may handle it; `key` is its
    conflation key when a later message may replace it.
    """

    message: object
    reply: Reply | None
    id: int
    cause: int
    root: int
    sent: float
    only: int = ANYONE
    key: Hashable = None


class Sender(Protocol):
    """Who is sending: an incarnation. A fenced one was abandoned, and what it still sends is lost.

    `may_wait`: a plain pykka actor, which may wait for others.
    """

    may_wait: bool

    @property
    def name(self) -> str: ...

    @property
    def fenced(self) -> bool: ...

    def report_fault(self, error: BaseException) -> None: ...


class Turn:
    """What is being handled, by whom: the context in which messages are sent."""

    __slots__ = ("envelope", "sender")

    def __init__(self, sender: Sender, envelope: Envelope | None) -> None:
        self.sender = sender
        self.envelope = envelope


CURRENT: ContextVar[Turn | None] = ContextVar("turn", default=None)
"""The turn of this thread or task. Set once for a thread: the turn changes inside, so a message costs no set."""
