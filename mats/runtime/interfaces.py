"""What actors and their incarnations need of the runtime around them, which they do not import."""

import random
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Never, Protocol, TypeVar, overload

import msgspec

from mats.model import Nanos
from mats.runtime.clock import Clock
from mats.runtime.events import Event
from mats.runtime.messaging import (
    Address,
    Delivery,
    Down,
    DownReason,
    Envelope,
    Outcome,
    Reason,
    Ref,
    Slot,
    Started,
    Telemetry,
)
from mats.runtime.resources import Resources
from mats.runtime.timers import Timer

M = TypeVar("M")

State = Literal["new", "starting", "running", "backoff", "parked", "stopped"]
ParentSink = Callable[[Started | Down], object]
"""Where the notices about an actor go: its supervisor's system lane, or a function of the runtime."""


class ActorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the operator's tree. `depth` counts waiting user messages, `since` is when `state` began.

    `refused` counts the messages for which there was no room; `behind` names their classes until the actor has caught
    up. `slow` is the last message whose handler held the actor for too long, and how long; empty when there was none.
    """

    name: str
    actor: str
    state: State
    incarnation: int
    restarts: int
    depth: int
    conflated: int
    last_failure: str
    since: Nanos
    parked: str
    slow: str = ""
    refused: int = 0
    behind: str = ""


class ActorSystem(Protocol):
    """The runtime as the actors in it see it."""

    clock: Clock
    next_id: Callable[[], int]
    monotonic: Callable[[], float]

    @overload
    def ref(self, at: Address[M]) -> Ref[M]: ...
    @overload
    def ref(self, at: str) -> Ref[Never]: ...

    def status(self) -> tuple[ActorStatus, ...]: ...

    def in_handler(self) -> bool: ...

    def add_timer(self, timer: Timer) -> None: ...


class Supervision(ActorSystem, Delivery, Protocol):
    """The runtime as slots and incarnations see it."""

    seed: int

    def emit(self, event: Event) -> None: ...

    def lose(self, name: str, envelope: Envelope, reason: Reason, error: BaseException | None = None) -> None: ...

    def incarnation_ended(self, incarnation: "RunningActor") -> None: ...


class ActorHome(Slot, Protocol):
    """The slot as an incarnation sees it."""

    ref: Ref[Any]
    supervised: bool
    telemetry: Telemetry

    @property
    def runtime(self) -> Supervision: ...

    def enter(self, state: State) -> None: ...

    def ended(self, incarnation: "RunningActor", reason: DownReason, error: BaseException | None) -> bool: ...


class RunningActor(Protocol):
    """The incarnation as its own actor sees it."""

    number: int
    exit: DownReason | None
    error: BaseException | None
    envelope: Envelope | None
    fenced: bool
    timers: set[Timer]
    resources: Resources

    @property
    def slot(self) -> ActorHome: ...

    def random(self) -> random.Random: ...

    def spawn_task(
        self, coroutine: Coroutine[Any, Any, object], then: Callable[[Outcome[Any]], object] | None
    ) -> object: ...

    def report_started(self) -> None: ...

    def report_fault(self, error: BaseException) -> None: ...

    def stack(self) -> str: ...
