"""What to run and how to keep it running: plain data, checked when it is built."""

import inspect
import re
from typing import Any, Generic, Literal, TypeVar

import msgspec

from mats.runtime.actor import ActorClass, checked_class

A = TypeVar("A")

RestartKind = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "rest_for_one", "one_for_all"]
OverLimit = Literal["escalate", "park", "keep"]
MailboxAtRestart = Literal["keep", "flush"]
Shutdown = Literal["drain", "stop"]

_NAME = re.compile(r"[A-Za-z0-9_.\-]+")


def _choose(owner: str, field: str, value: object, choices: object) -> None:
    allowed: tuple[str, ...] = getattr(choices, "__args__", ())
    if value not in allowed:
        raise ValueError(f"{owner}: {field} is {value!r}; choose one of {', '.join(allowed)}")


def _check_name(kind: str, name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{kind} name {name!r} is not usable; write letters, digits, '_', '.' or '-', without '/'")


class Limit(msgspec.Struct, frozen=True):
    """At most `restarts` failures within any `seconds`; one more is over the limit."""

    restarts: int
    seconds: float

    def __post_init__(self) -> None:
        if self.restarts < 0 or self.seconds <= 0:
            raise ValueError(f"limit of {self.restarts} in {self.seconds} s; give at least 0 restarts in more than 0 s")


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Delay before restart n (from 0): `min(max, min * 2**n) * (1 + u * jitter)` seconds, u uniform in [0, 1).

    n starts again at 0 when the child had run for `reset_after` seconds.
    """

    min: float = 0.1
    max: float = 10.0
    jitter: float = 0.2
    reset_after: float = 30.0

    def __post_init__(self) -> None:
        if not 0 <= self.min <= self.max or self.jitter < 0 or self.reset_after < 0:
            raise ValueError(f"{self} is no backoff; give 0 <= min <= max, and jitter and reset_after of at least 0")

    def delay(self, attempt: int, u: float) -> float:
        """Seconds to wait before restart `attempt`."""
        return min(self.max, self.min * 2.0 ** min(attempt, 60)) * (1 + u * self.jitter)


class OwnProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process for an actor: of its own, or that of this `name`, which all actors that name it share.

    `memory_mb`: what the process may allocate, in MiB, beyond what it begins with; 0 is no limit. It is a limit of the
    process, so those that share one give the same.
    """

    name: str = ""
    memory_mb: int = 0

    def __post_init__(self) -> None:
        if self.name:
            _check_name("process", self.name)
        if self.memory_mb < 0:
            raise ValueError(f"memory_mb is {self.memory_mb}; give MiB above 0, or 0 for no limit")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor can run; the deadlines are in seconds.

    A base, and not the union of both: where a `ChildSpec[Any]` is expected the type checker takes the arguments of one
    actor for another's.
    """

    name: str

    @property
    def start_deadline(self) -> float:
        raise NotImplementedError

    @property
    def stop_deadline(self) -> float:
        raise NotImplementedError


class ChildSpec(Spec, Generic[A], frozen=True, kw_only=True):
    """One actor under a supervisor.

    `args` are the actor's `Args`. `restart`: always (`permanent`), after failures only (`transient`) or never
    (`temporary`). `limit`, `backoff` and `over_limit` default to the supervisor's. At a restart waiting messages are
    kept or flushed. `start_deadline` and `stop_deadline` are in seconds. At shutdown the child handles what waits
    (`drain`) or ends after the message in hand (`stop`). `process`: where it runs; None is the runtime's own process.
    """

    actor: ActorClass[A, Any]
    args: A
    restart: RestartKind = "permanent"
    limit: Limit | None = None
    backoff: Backoff | None = None
    over_limit: OverLimit | None = None
    mailbox_at_restart: MailboxAtRestart = "keep"
    start_deadline: float = 10.0
    stop_deadline: float = 5.0
    shutdown: Shutdown = "drain"
    process: OwnProcess | None = None

    def __post_init__(self) -> None:
        _check_name("child", self.name)
        try:
            actor = checked_class(self.actor)
        except TypeError as error:
            raise TypeError(f"child {self.name}: {error}") from None
        _choose(f"child {self.name}", "restart", self.restart, RestartKind)
        _choose(f"child {self.name}", "mailbox_at_restart", self.mailbox_at_restart, MailboxAtRestart)
        _choose(f"child {self.name}", "shutdown", self.shutdown, Shutdown)
        if self.process is not None and actor.host != "thread":
            what = "lives on a loop" if actor.host == "loop" else "is a plain pykka actor"
            raise ValueError(f"child {self.name}: {actor.__name__} {what}; only actors on a thread can move")
        if self.over_limit is not None:
            _choose(f"child {self.name}", "over_limit", self.over_limit, OverLimit)
        for field, value in (("start_deadline", self.start_deadline), ("stop_deadline", self.stop_deadline)):
            if value <= 0:
                raise ValueError(f"child {self.name}: {field} is {value} s; give more than 0")
        try:
            inspect.signature(actor).bind(self.args)
        except TypeError as error:
            raise TypeError(f"child {self.name}: args do not fit {actor.__name__}: {error}") from None
        expected = getattr(actor, "Args", None)
        if expected is not None and not isinstance(self.args, expected):
            raise TypeError(f"child {self.name}: args are {self.args!r}; give {expected.__qualname__}")


class SupervisorSpec(Spec, frozen=True, kw_only=True):
    """A supervisor and its children, in start order.

    `strategy`: when a child fails, restart it (`one_for_one`), it and those after it (`rest_for_one`), or all. `limit`
    counts the failures of all children that have no limit of their own; None is no limit. `backoff` and `over_limit`
    hold for children without their own. Over the limit: give up and let the parent decide (`escalate`), keep the child
    down until it is unparked (`park`), or go on (`keep`). `stop_together`: children that do not need each other end
    side by side, and not one after the other.
    """

    strategy: Strategy = "one_for_one"
    children: tuple[Spec, ...] = ()
    limit: Limit | None = None
    backoff: Backoff = Backoff()
    over_limit: OverLimit = "escalate"
    stop_together: bool = False

    def __post_init__(self) -> None:
        _check_name("supervisor", self.name)
        _choose(f"supervisor {self.name}", "strategy", self.strategy, Strategy)
        _choose(f"supervisor {self.name}", "over_limit", self.over_limit, OverLimit)
        names = [child.name for child in self.children]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"supervisor {self.name}: child name {name!r} is used twice; names are unique")

    @property
    def start_deadline(self) -> float:
        """Seconds: all children one after the other, and one more."""
        return 1.0 + sum(child.start_deadline for child in self.children)

    @property
    def stop_deadline(self) -> float:
        """Seconds: all children one after the other (or side by side), and one more."""
        return self.stop_seconds(self.children)

    def stop_seconds(self, children: tuple[Spec, ...]) -> float:
        """The stop deadline with these children, some of which may have been added at run time."""
        deadlines = [child.stop_deadline for child in children]
        return 1.0 + (max(deadlines, default=0.0) if self.stop_together else sum(deadlines))
