"""The runtime: names, refs and what all hosts share."""

import itertools
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from threading import Event as Flag
from threading import Lock
from typing import Any, Never, TypeVar, overload

import msgspec
import structlog

from mats.runtime import events
from mats.runtime.actor import Actor, ActorClass, NoArgs, checked_class
from mats.runtime.actor_slot import ActorSlot, describe
from mats.runtime.clock import Clock
from mats.runtime.errors import ActorDeadError, NotUnderstood, StartTimeout
from mats.runtime.incarnation import Incarnation
from mats.runtime.interfaces import ActorStatus, ParentSink, RunningActor
from mats.runtime.messaging import (
    CURRENT,
    Address,
    DeadLetter,
    DeadLetters,
    Down,
    Envelope,
    Mailbox,
    Reason,
    Ref,
    Reply,
    Started,
    Stop,
)
from mats.runtime.spec import OwnProcess, SupervisorSpec
from mats.runtime.supervisor import SupervisorMessage, as_child
from mats.runtime.testing import Probe, Trace
from mats.runtime.timers import Timer

A = TypeVar("A")
M = TypeVar("M")


class StopReport(msgspec.Struct, frozen=True):
    """How a stop went: it took `seconds`; `abandoned` did not end in time."""

    seconds: float
    abandoned: tuple[events.Abandoned, ...]

    @property
    def clean(self) -> bool:
        return not self.abandoned


class Runtime(ABC):
    """Where actors live. `on_event` hooks get every supervision event, in the thread where it happened."""

    def __init__(self, seed: int, clock: Clock, name: str) -> None:
        self.seed = seed
        self.clock = clock
        self.name = name
        self.monotonic = clock.monotonic
        self.next_id: Callable[[], int] = itertools.count(1).__next__
        self.dead_letters = DeadLetters()
        self.trace = Trace()
        self.on_event: list[Callable[[events.Event], None]] = []
        self.escalated = Flag()
        self.escalation = ""
        self._slots: dict[str, ActorSlot] = {}
        self._lock = Lock()
        self._root: ActorSlot | None = None
        self._root_started = Flag()
        self._root_down = Flag()
        self._abandoned: list[events.Abandoned] = []
        self._probes = itertools.count(1)
        self._launches = itertools.count(1)
        self._log = structlog.get_logger(name=name)

    # Hosts provide

    @abstractmethod
    def new_mailbox(self, slot: ActorSlot) -> Mailbox: ...

    @abstractmethod
    def new_ref(self, slot: ActorSlot) -> Ref[Any]: ...

    @abstractmethod
    def new_reply(self) -> Reply: ...

    def new_incarnation(
        self,
        slot: ActorSlot,
        actor: type[Actor[Any]],
        args: object,
        parent: ParentSink | None,
        process: OwnProcess | None,
    ) -> Incarnation:
        """The next incarnation of a name; a host without processes runs every actor itself."""
        return Incarnation(slot, actor, args, parent)

    @abstractmethod
    def in_handler(self) -> bool:
        """Whether the caller is inside an actor, as far as the host knows better than the context."""

    @abstractmethod
    def run(self, slot: ActorSlot, incarnation: Incarnation) -> None:
        """Let an incarnation of the name live."""

    @abstractmethod
    def interrupt(self, incarnation: Incarnation) -> None:
        """Free whatever can be freed of an abandoned incarnation."""

    @abstractmethod
    def add_timer(self, timer: Timer) -> None: ...

    @abstractmethod
    def wait(self, flag: Flag, timeout: float) -> bool:
        """Let time pass until the flag is set; False if it is not within `timeout` seconds."""

    @abstractmethod
    def receive(self, mailbox: Mailbox, timeout: float) -> Envelope | None:
        """Let time pass until a probe's mailbox has something; None if it has not within `timeout` seconds."""

    # Names

    def slot(self, path: str) -> ActorSlot:
        """The slot of a name, made when first asked for."""
        with self._lock:
            slot = self._slots.get(path)
            if slot is None:
                slot = self._slots[path] = ActorSlot(self, path)
            return slot

    @overload
    def ref(self, at: Address[M]) -> Ref[M]: ...
    @overload
    def ref(self, at: str) -> Ref[Never]: ...
    def ref(self, at: Address[Any] | str) -> Ref[Any]:
        """The ref of an address; of a mere path, to watch only. Messages sent before an actor runs there wait."""
        return self.slot(at if isinstance(at, str) else at.path).ref

    def probe(self, name: str | None = None) -> Probe:
        """A mailbox for tests and edges, to be queried."""
        return Probe(self, self.slot(name or f"probe-{next(self._probes)}").ref)

    def status(self) -> tuple[ActorStatus, ...]:
        """One line for each actor that was ever launched, by name."""
        return tuple(slot.status() for slot in sorted(self._launched(), key=lambda slot: slot.name))

    # Life and death

    def start(self, spec: SupervisorSpec) -> Ref[SupervisorMessage]:
        """Start the tree. Returns at once; `wait_started` waits."""
        child = as_child(spec, "", self)
        self._root = self.slot(spec.name)
        self.launch(spec.name, child.actor, child.args, parent=self._on_root)
        return self._root.ref

    def wait_started(self, timeout: float) -> None:
        """Wait until the whole tree has had its turn to start; raises StartTimeout after `timeout` seconds."""
        if not self.wait(self._root_started, timeout) or self.escalated.is_set():
            late = [f"{x.name} ({x.state}{', ' + x.last_failure if x.last_failure else ''})" for x in self.status()
                    if x.state != "running"]  # fmt: skip
            raise StartTimeout(f"not started within {timeout} s: {', '.join(late) or 'the root'}")

    def spawn(
        self,
        actor: ActorClass[A, M],
        args: A = NoArgs(),  # type: ignore[assignment]  # noqa: B008
        *,
        name: str | None = None,
        process: OwnProcess | None = None,
    ) -> Ref[M]:
        """Start an actor without a supervisor, for tests and edges; its end is final and closes its mailbox."""
        path = name or checked_class(actor).__name__.lower()
        self.launch(path, actor, args, process=process)
        return self.slot(path).ref

    def launch(
        self,
        path: str,
        actor: ActorClass[A, Any],
        args: A = NoArgs(),  # type: ignore[assignment]  # noqa: B008
        *,
        parent: ParentSink | None = None,
        supervised: bool = False,
        process: OwnProcess | None = None,
    ) -> int:
        """Start the next incarnation of a name and return its number; `parent` is sent Started and Down."""
        turn = CURRENT.get()
        if turn is not None and turn.sender.fenced:
            raise RuntimeError(f"{turn.sender.name} was abandoned and cannot start {path}")
        slot = self.slot(path)
        slot.order = next(self._launches)
        incarnation = self.new_incarnation(slot, checked_class(actor), args, parent, process)
        slot.launch(incarnation, parent, supervised)
        number = incarnation.number
        self.run(slot, incarnation)
        return number

    def incarnation_ended(self, incarnation: RunningActor) -> None:
        """Called by hosts after the last hook."""
        slot, error = incarnation.slot, incarnation.error
        reason = incarnation.exit or "normal"
        if error is not None and not incarnation.fenced:
            self._log.error("actor failed", actor=slot.name, incarnation=incarnation.number, error=describe(error))
            if not slot.supervised:
                self.emit(events.ChildFailed(slot.name, incarnation.number, reason, describe(error)))
        slot.ended(incarnation, reason, error)

    def abandon(self, path: str) -> None:
        """Give up an actor that does not end, and all actors below it; what they still send is lost (`stale`)."""
        for slot in reversed(self._tree(path)):
            incarnation = slot.incarnation
            if incarnation is not None and (notice := slot.abandon(incarnation)) is not None:
                self._abandoned.append(notice)
                self.emit(notice)
                self.interrupt(incarnation)

    def _tree(self, path: str) -> list[ActorSlot]:
        with self._lock:
            slots = [c for c in self._slots.values() if c.name == path or c.name.startswith(f"{path}/")]
        return sorted(slots, key=lambda slot: slot.order)

    def close(self, path: str) -> None:
        """Close the mailbox of a name and of all names below it, except where an actor runs."""
        for slot in self._tree(path):
            if slot.incarnation is None:
                slot.close()
                slot.children = None
                if slot.state == "backoff":
                    slot.enter("stopped")

    def stop(self, timeout: float = 30.0) -> StopReport:
        """Stop the tree in reverse start order, then whatever was spawned; abandon what is left after `timeout`."""
        began = self.monotonic()
        before = len(self._abandoned)
        if self._root is not None and self._root.ref.signal(Stop()):
            self.wait(self._root_down, timeout)
        for slot in reversed(self._launched()):
            if slot.incarnation is not None and not slot.supervised and slot is not self._root:
                gone = Flag()
                slot.watch(partial(_set_flag, gone), None)
                slot.ref.stop()
                self.wait(gone, max(0.0, timeout - (self.monotonic() - began)))
        for slot in reversed(self._launched()):
            self.abandon(slot.name)
            slot.close()
        return StopReport(self.monotonic() - began, tuple(self._abandoned[before:]))

    def _launched(self) -> list[ActorSlot]:
        with self._lock:
            slots = [slot for slot in self._slots.values() if slot.number]
        return sorted(slots, key=lambda slot: slot.order)

    def forget(self, path: str) -> None:
        """Take a probe's name back."""
        with self._lock:
            self._slots.pop(path, None)

    def _on_root(self, notice: Started | Down) -> None:
        match notice:
            case Started():
                self._root_started.set()
            case Down(reason=reason, error=error):
                if reason != "normal":
                    self.escalation = describe(error) if error is not None else reason
                    self.escalated.set()
                    self._root_started.set()
                self._root_down.set()

    # Notices

    def emit(self, event: events.Event) -> None:
        """Tell the hooks; one that raises is logged, because the tree must go on."""
        for hook in tuple(self.on_event):
            try:
                hook(event)
            except Exception as error:
                self._log.error("event hook failed", supervision_event=event, error=repr(error))

    def lose(self, name: str, envelope: Envelope, reason: Reason, error: BaseException | None = None) -> None:
        """Record a user message that will not be handled, and fail its ask."""
        if envelope.reply is not None:
            error_class = NotUnderstood if reason == "not understood" else ActorDeadError
            envelope.reply.fail(error_class(f"{name} did not handle {type(envelope.message).__name__}: {reason}"))
        if envelope.only:
            return
        text = describe(error) if error is not None else ""
        self.dead_letters.record(
            DeadLetter(reason, name, envelope.message, envelope.id, envelope.cause, envelope.root, text, _trace(error))
        )


def _set_flag(flag: Flag, _down: object) -> None:
    flag.set()


def _trace(error: BaseException | None) -> str:
    return "".join(traceback.format_exception(error)) if error is not None else ""
