"""The actor: state that only its own messages touch."""

import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Never, NoReturn, Protocol, TypeVar, overload

import msgspec
import pykka
import structlog

from mats.runtime.clock import Clock
from mats.runtime.errors import NotUnderstood
from mats.runtime.interfaces import ActorSystem, RunningActor
from mats.runtime.messaging import (
    CURRENT,
    Down,
    Drain,
    Envelope,
    Life,
    Mailbox,
    MailboxSpec,
    Outcome,
    Ref,
    Reply,
    Stop,
    Vocabulary,
    union_of,
    vocabulary_of,
)
from mats.runtime.timers import Timer

if TYPE_CHECKING:

    class _Base:
        """pykka's actor without the types of its hooks, which are narrower than what a loop allows."""

        actor_urn: str
        _actor_ref: Ref[Any]

else:
    _Base = pykka.Actor

M = TypeVar("M")
T = TypeVar("T")
A_contra = TypeVar("A_contra", contravariant=True)

HostKind = Literal["thread", "loop", "pykka"]


class NoArgs(msgspec.Struct, frozen=True):
    """The arguments of an actor that needs none."""


class Watching(Protocol):
    """An actor among whose messages is `Down`."""

    incarnation: int

    @property
    def name(self) -> str: ...

    @property
    def ref(self) -> Ref[Down]: ...


class Actor(_Base, Generic[M]):
    """Subclass it with the union of its messages and an `on_receive`; a supervisor or `Runtime.spawn` starts it.

    All of an actor runs in its own host, `__init__` too, and one thing at a time. Any exception that leaves a hook or a
    handler ends this incarnation; the next one is a new object with the same name, ref and mailbox. A message that is
    not in the union does not reach the handler: it becomes a dead letter, and its asker gets `NotUnderstood`.
    """

    host: ClassVar[HostKind] = "thread"
    """`thread`: an own thread. `loop`: an own asyncio loop in an own thread; hooks and handlers may be coroutines.
    `pykka`: an own thread, on which a plain pykka actor may wait for others, as pykka lets it."""
    mailbox: ClassVar[MailboxSpec] = MailboxSpec()
    started_at_once: ClassVar[bool] = True
    """Whether the actor counts as started when `on_start` has returned."""
    vocabulary: ClassVar[Vocabulary] = Vocabulary((object,))
    """The messages that reach `on_receive`; all, where the class names none."""

    runtime: ActorSystem
    ref: Ref[M]
    name: str
    incarnation: int
    clock: Clock

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.vocabulary = vocabulary_of(union_of(cls, Actor))

    def inhabit(self, incarnation: RunningActor) -> None:
        """Called by the runtime before `__init__`: everything above is there from the first line on."""
        slot = incarnation.slot
        self._incarnation = incarnation
        self.runtime, self.ref, self.name, self.clock = slot.runtime, slot.ref, slot.name, slot.runtime.clock
        self.incarnation = incarnation.number
        self.actor_urn, self._actor_ref = slot.ref.actor_urn, slot.ref

    def __init__(self, args: NoArgs = NoArgs()) -> None:  # noqa: B008
        """A subclass takes one frozen struct, its `Args`, or nothing; it need not call this."""

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

    def on_receive(self, message: M) -> object:
        """Handle a message; what is returned (or awaited, on a loop) answers an ask."""
        raise NotUnderstood(f"{self.name} does not understand {type(message).__name__}")

    def on_stop(self) -> Awaitable[None] | None:
        """The actor ends normally: release its resources."""
        return None

    def on_failure(self, error: BaseException) -> None:
        """The actor ends because of `error`: release its resources; its state is not to be trusted."""

    def on_stop_asked(self, request: Stop | Drain) -> None:
        """This actor is to end. Supervisors first end their children."""
        self._incarnation.exit = "normal"

    def after(self, seconds: float, message: M) -> Timer:
        """Send this incarnation `message` in `seconds`."""
        return self._arm(seconds, None, message)

    def every(self, seconds: float, message: M, first: float | None = None) -> Timer:
        """Send this incarnation `message` every `seconds`, from `first` (default: `seconds`) on.

        Ticks keep their grid; a tick is left out while the one before it still waits in the mailbox.
        """
        if not seconds > 0:
            raise ValueError(f"{self.name}: invalid timer interval of {seconds} s; give more than 0")
        return self._arm(seconds if first is None else first, seconds, message)

    def _arm(self, seconds: float, interval: float | None, message: M) -> Timer:
        if math.isnan(seconds):
            raise ValueError(f"{self.name}: a timer in nan s is never due; give a number of seconds")
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
        runtime, slot = self.runtime, self._incarnation.slot
        number = runtime.next_id()
        root = timer.root or number
        slot.mailbox.put(Envelope(timer, None, number, timer.cause, root, runtime.monotonic(), self.incarnation))

    def watch(self: Watching, ref: Ref[Never], tag: object = None) -> None:
        """Get exactly one `Down` when the target's incarnation ends, or at once if it has none.

        Only for an actor that has `Down` among its messages.
        """
        own, number = self.ref, self.incarnation
        ref.watch(lambda down: own.signal(down, number), tag, Life(self.name, number))

    @overload
    def spawn_task(self, coroutine: Coroutine[Any, Any, M | None]) -> object: ...
    @overload
    def spawn_task(self, coroutine: Coroutine[Any, Any, T], then: Callable[[Outcome[T]], object]) -> object: ...
    def spawn_task(
        self, coroutine: Coroutine[Any, Any, Any], then: Callable[[Outcome[Any]], object] | None = None
    ) -> object:
        """Run a long request beside the handlers; only on a loop. Returns the asyncio task, which may be cancelled.

        In the actor's own turn `then` is called with the `Outcome`. Without `then`, a result other than None is a
        message to this actor, and an exception is its failure.
        """
        if CURRENT.get() is None and not self.runtime.in_handler():
            coroutine.close()
            raise RuntimeError(f"a task of {self.name} was started outside of the actor")
        return self._incarnation.spawn_task(coroutine, then)

    def reply_later(self) -> Reply:
        """Answer the ask in hand later: return this from the handler, and `set` or `fail` it in a later turn."""
        envelope = self._incarnation.envelope
        return envelope.reply if envelope is not None and envelope.reply is not None else Reply()

    def fail(self, error: BaseException) -> None:
        """End this incarnation with an error that happened outside of a handler, for example in a library callback."""
        self._incarnation.report_fault(error)

    def stop(self) -> None:
        """End normally after the message in hand."""
        self._incarnation.exit = self._incarnation.exit or "normal"
        # In a task or a library's callback, the reader of the mailbox may be waiting.
        self.ref.signal(Stop(), self.incarnation)

    def defer(self, release: Callable[[], object]) -> None:
        """Call `release` when this incarnation ends, whichever way: what it holds outside of the program ends with it.

        It comes after the last hook, the last deferred first. If the incarnation is abandoned it comes at once, from
        another thread, while this one may still hang: it must be safe to call from there. Its errors are logged.
        """
        self._incarnation.resources.add(release)

    @classmethod
    def start(cls, *_args: object, **_kwargs: object) -> NoReturn:
        """Refused: an actor has a name, a mailbox and a host of its runtime."""
        raise TypeError(f"{cls.__name__} is started by Runtime.spawn or by a supervisor")

    def _create_actor_inbox(self) -> Mailbox:
        """The mailbox belongs to the name, and outlives the actor object."""
        return self.ref.mailbox

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        """What an ask by pykka's `ActorRef` returns."""
        return pykka.ThreadingFuture()

    def _start_actor_loop(self) -> None:
        raise TypeError(f"{self.name} is run by its runtime")


class ActorClass(Protocol[A_contra, M]):
    """A class of actors that is built from the arguments A: to the type checker, the class and its `Args` are one."""

    def __call__(self, args: A_contra, /) -> Actor[M]: ...


def checked_class(candidate: object) -> type[Actor[Any]]:
    """`candidate`, if it is a class of actors; raises TypeError."""
    if not (isinstance(candidate, type) and issubclass(candidate, Actor)):
        raise TypeError(f"actor is {candidate!r}; give a subclass of Actor")
    return candidate
