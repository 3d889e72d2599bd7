"""The actor: state that only its own messages touch."""

import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, ClassVar, Literal, NoReturn

import pykka
import structlog

from mats.runtime.clock import Clock
from mats.runtime.envelope import CURRENT, Envelope
from mats.runtime.mailbox import Mailbox, MailboxSpec
from mats.runtime.messages import Drain, Fault, Outcome, Stop
from mats.runtime.reply import Reply
from mats.runtime.timers import Timer

if TYPE_CHECKING:
    from mats.runtime.incarnation import Incarnation
    from mats.runtime.ref import Ref
    from mats.runtime.runtime import Runtime

if TYPE_CHECKING:

    class _Base:
        """pykka's actor without the types of its hooks, which are narrower than what a loop allows."""

        actor_urn: str
        actor_stopped: Event
        _actor_ref: Ref

else:
    _Base = pykka.Actor

HostKind = Literal["thread", "loop"]


class Actor(_Base):
    """Subclass it, give it `on_receive`, and let a supervisor or `Runtime.spawn` start it.

    All of an actor runs in its own host, `__init__` too, and one thing at a time. Any exception that leaves a hook or a
    handler ends this incarnation; the next one is a new object with the same name, ref and mailbox.
    """

    host: ClassVar[HostKind] = "thread"
    """`thread`: an own thread. `loop`: an own asyncio loop in an own thread; hooks and handlers may be coroutines."""
    mailbox: ClassVar[MailboxSpec] = MailboxSpec()
    started_at_once: ClassVar[bool] = True
    """Whether the actor counts as started when `on_start` has returned."""

    runtime: "Runtime"
    ref: "Ref"
    name: str
    incarnation: int
    clock: Clock

    def inhabit(self, incarnation: "Incarnation") -> None:
        """Called by the runtime before `__init__`: everything above is there from the first line on."""
        cell = incarnation.cell
        self._incarnation = incarnation
        self.runtime, self.ref, self.name, self.clock = cell.runtime, cell.ref, cell.name, cell.runtime.clock
        self.incarnation = incarnation.number
        self.actor_urn, self._actor_ref = cell.ref.actor_urn, cell.ref
        self.actor_stopped = Event()

    def __init__(self) -> None:
        """Nothing to do: subclasses need not call it."""

    @cached_property
    def random(self) -> random.Random:
        """Random numbers that are the same in each run with the same seed."""
        return self._incarnation.random()

    @cached_property
    def log(self) -> structlog.stdlib.BoundLogger:
        """The log, with the actor's name in each line."""
        logger: structlog.stdlib.BoundLogger = structlog.get_logger(name=self.name)
        return logger

    def on_start(self) -> Awaitable[None] | None:
        """Recover the state and prepare; messages wait until this has returned."""
        return None

    def on_receive(self, message: object) -> object:
        """Handle a message; what is returned (or awaited, on a loop) answers an ask."""
        self.log.warning("unexpected message", message=repr(message))
        return None

    def on_stop(self) -> Awaitable[None] | None:
        """The actor ends normally: let go of what it holds."""
        return None

    def on_failure(self, error: BaseException) -> None:
        """The actor ends because of `error`: let go of what it holds; its state is not to be trusted."""

    def on_stop_asked(self, request: Stop | Drain) -> None:
        """Somebody wants this actor to end. Supervisors first end their children."""
        self._incarnation.exit = "normal"

    def after(self, seconds: float, message: object) -> Timer:
        """Tell this incarnation `message` in `seconds`."""
        return self._arm(seconds, None, message)

    def every(self, seconds: float, message: object, first: float | None = None) -> Timer:
        """Tell this incarnation `message` every `seconds`, from `first` (default: `seconds`) on.

        Ticks keep their grid; a tick is left out while the one before it still waits in the mailbox.
        """
        if seconds <= 0:
            raise ValueError(f"{self.name} asked for a timer every {seconds} s; give more than 0")
        return self._arm(seconds if first is None else first, seconds, message)

    def _arm(self, seconds: float, interval: float | None, message: object) -> Timer:
        incarnation = self._incarnation
        timer = Timer(self.clock.monotonic() + seconds, interval, message, self._deliver, incarnation.timers)
        cause = incarnation.envelope
        if cause is not None:
            timer.cause, timer.root = cause.id, cause.root
        if incarnation.fenced or incarnation.exit is not None:
            timer.cancel()
        else:
            self.runtime.add_timer(timer)
        return timer

    def _deliver(self, timer: Timer) -> None:
        runtime, cell = self.runtime, self._incarnation.cell
        number = runtime.next_id()
        root = timer.root or number
        cell.mailbox.put(Envelope(timer, None, number, timer.cause, root, runtime.monotonic(), self.incarnation))

    def watch(self, ref: "Ref", tag: object = None) -> None:
        """Be told exactly one `Down` when the target's incarnation ends, or at once if it has none."""
        number = self.incarnation
        ref._cell.watch(lambda down: self.ref.signal(down, number), tag, self._incarnation)

    def spawn_task(
        self, coroutine: Coroutine[object, object, object], then: Callable[[Outcome], object] | None = None
    ) -> object:
        """Run a long request beside the handlers; only on a loop. Returns the asyncio task, which may be cancelled.

        In the actor's own turn `then` is called with the `Outcome`. Without `then`, a result other than None is a
        message to this actor, and an exception is its failure.
        """
        if CURRENT.get() is None and not self.runtime.in_handler():
            coroutine.close()
            raise RuntimeError(f"a task of {self.name} was started outside of the actor")
        return self.runtime.spawn_task(self._incarnation, coroutine, then)

    def reply_later(self) -> Reply:
        """Answer the ask in hand later: return this from the handler, and `set` or `fail` it in a later turn."""
        envelope = self._incarnation.envelope
        return envelope.reply if envelope is not None and envelope.reply is not None else Reply()

    def fail(self, error: BaseException) -> None:
        """End this incarnation with an error that happened outside of a handler, for example in a library callback."""
        self.ref.signal(Fault(error), self.incarnation)

    def stop(self) -> None:
        """End normally after the message in hand."""
        self._incarnation.exit = self._incarnation.exit or "normal"

    @classmethod
    def start(cls, *_args: object, **_kwargs: object) -> NoReturn:
        """Refused: only a runtime starts actors, because there is no global registry."""
        raise TypeError(f"{cls.__name__} is started by Runtime.spawn or by a supervisor")

    def _create_actor_inbox(self) -> Mailbox:
        """The mailbox belongs to the name, and outlives the actor object."""
        return self.ref.mailbox

    @staticmethod
    def _create_future() -> Reply:
        return Reply()

    def _start_actor_loop(self) -> None:
        raise TypeError(f"{self.name} is run by its runtime")
