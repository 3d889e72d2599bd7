"""The runtime: names, refs and what all hosts share."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from threading import Event as Flag
from threading import Lock
from typing import Any, Never, TypeVar, overload

import msgspec

from mats.runtime import events
from mats.runtime.actor import Actor, ActorClass, NoArgs, checked_class
from mats.runtime.actor_slot import ActorSlot
from mats.runtime.clock import Clock
from mats.runtime.containment import contain, describe, format_trace, log_error
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
    MessageStats,
    Reason,
    Ref,
    Reply,
    Started,
    Stop,
)
from mats.runtime.spec import ChildSpec, OwnProcess, Spec, SupervisorSpec
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
        self._launching = Lock()
        self._stopping = self._over = False
        self._root_started = Flag()
        self._root_down = Flag()
        self._abandoned: list[events.Abandoned] = []
        self._settled = False
        self._probes = itertools.count(1)
        self._launches = itertools.count(1)

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
                if self._settled:
                    slot.close()
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
        slot = self.slot(name or f"probe-{next(self._probes)}")
        slot.open()
        return Probe(self, slot.ref)

    def status(self) -> tuple[ActorStatus, ...]:
        """One line for each actor that was ever launched, by name."""
        return tuple(slot.status() for slot in sorted(self._launched(), key=lambda slot: slot.name))

    def message_stats(self) -> tuple[MessageStats, ...]:
        """How long messages have waited and taken, by actor and message class."""
        slots = sorted(self._launched(), key=lambda slot: slot.name)
        return tuple(line for slot in slots for line in slot.message_stats())

    # Life and death

    def start(self, spec: SupervisorSpec) -> Ref[SupervisorMessage]:
        """Start the tree. Returns at once; `wait_started` waits."""
        child = as_child(spec, "", self)
        self._expect(spec.name, "", spec)
        self._root = self.slot(spec.name)
        self.launch(spec.name, child.actor, child.args, parent=self._on_root)
        return self._root.ref

    def _expect(self, path: str, prefix: str, spec: Spec) -> None:
        """Messages may wait for the actors of this spec, as these actors want it."""
        slot = self.slot(path)
        slot.expected = True
        if isinstance(spec, ChildSpec):
            slot.mailbox.configure(checked_class(spec.actor).mailbox)
        elif isinstance(spec, SupervisorSpec):
            for child in spec.children:
                self._expect(f"{prefix}{child.name}", f"{prefix}{child.name}/", child)

    def _settle(self) -> None:
        """The start is over: for a name that nobody has launched and that is in no spec, nobody will come."""
        with self._lock:
            self._settled = True
            unknown = [slot for slot in self._slots.values() if not slot.number and not slot.expected]
        for slot in unknown:
            slot.close()

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
        turn, slot = CURRENT.get(), self.slot(path)
        incarnation = self.new_incarnation(slot, checked_class(actor), args, parent, process)
        with self._launching:
            if self._over:
                raise RuntimeError(f"the runtime has stopped and cannot start {path}")
            if turn is not None and turn.sender.fenced:
                raise RuntimeError(f"{turn.sender.name} was abandoned and cannot start {path}")
            slot.order = next(self._launches)
            slot.launch(incarnation, parent, supervised)
        number = incarnation.number
        try:
            self.run(slot, incarnation)
        except BaseException as error:
            # There is no thread for it. Its parent learns that as it learns of every failing start.
            incarnation.fail(error)
            incarnation.over()
            if not isinstance(error, Exception):
                raise
        return number

    def incarnation_ended(self, incarnation: RunningActor) -> None:
        """Called by hosts after the last hook."""
        slot, error = incarnation.slot, incarnation.error
        reason = incarnation.exit or "normal"
        if error is not None and not incarnation.fenced:
            text = describe(error)
            log_error(self.name, "actor failed", actor=slot.name, incarnation=incarnation.number, error=text)
            if not slot.supervised:
                self.emit(events.ChildFailed(slot.name, incarnation.number, reason, text))
        slot.ended(incarnation, reason, error)

    def abandon(self, path: str) -> None:
        """Give up an actor that does not end, and all actors below it; what they still send is lost (`stale`)."""
        self._abandon(self._tree(path))

    def _abandon(self, slots: list[ActorSlot]) -> None:
        """All of them at once, so that no supervisor among them restarts what falls."""
        with self._launching:
            falling = [(slot, slot.incarnation) for slot in slots if slot.incarnation is not None]
            for _, incarnation in falling:
                incarnation.fenced = True
        for slot, incarnation in falling:
            contain(f"{slot.name} was not abandoned", self._give_up, slot, incarnation)

    def _give_up(self, slot: ActorSlot, incarnation: Incarnation) -> None:
        """One of which nothing has run yet is no loss: it is only not waited for."""
        born = incarnation.is_born
        if (notice := slot.abandon(incarnation)) is not None:
            if born:
                self._abandoned.append(notice)
                self.emit(notice)
            self.interrupt(incarnation)

    def _tree(self, path: str) -> list[ActorSlot]:
        """The actor of this name and all below it; below the root is everybody who is supervised."""
        is_root = self._root is not None and path == self._root.name
        with self._lock:
            slots = [
                slot
                for slot in self._slots.values()
                if slot.name == path or slot.name.startswith(f"{path}/") or (is_root and slot.supervised)
            ]
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
        self._stopping = True
        if self._root is not None and self._root.ref.signal(Stop(within=timeout)):
            self.wait(self._root_down, timeout)
        for slot in reversed(self._launched()):
            if slot.incarnation is not None and not slot.supervised and slot is not self._root:
                gone = Flag()
                slot.watch(partial(_set_flag, gone), None)
                slot.ref.stop()
                self.wait(gone, max(0.0, timeout - (self.monotonic() - began)))
        with self._launching:
            self._over = True
        self._abandon(self._launched())
        for slot in self._launched():
            slot.close()
        self._close_unborn()
        return StopReport(self.monotonic() - began, tuple(self._abandoned[before:]))

    def _close_unborn(self) -> None:
        """Nobody will be launched any more."""
        self._settle()
        with self._lock:
            unborn = [slot for slot in self._slots.values() if not slot.number and not slot.probed]
        for slot in unborn:
            slot.close()

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
                self._settle()
                self._root_started.set()
            case Down(reason=reason, error=error):
                self._settle()
                if reason != "normal" and not self._stopping:
                    self.escalation = describe(error) if error is not None else reason
                    self.escalated.set()
                    self._root_started.set()
                self._root_down.set()

    # Notices

    def emit(self, event: events.Event) -> None:
        """Tell the hooks; one that raises is logged, because the tree must go on. Who was abandoned says nothing."""
        if (turn := CURRENT.get()) is not None and turn.sender.fenced:
            return
        for hook in tuple(self.on_event):
            contain("an event hook failed", hook, event)

    def lose(self, name: str, envelope: Envelope, reason: Reason, error: BaseException | None = None) -> None:
        """Record a user message that will not be handled, and fail its ask."""
        if envelope.reply is not None:
            error_class = NotUnderstood if reason == "not understood" else ActorDeadError
            envelope.reply.fail(error_class(f"{name} did not handle {type(envelope.message).__name__}: {reason}"))
        if envelope.only:
            return
        text, trace = ("", "") if error is None else (describe(error), format_trace(error))
        self.dead_letters.record(
            DeadLetter(reason, name, envelope.message, envelope.id, envelope.cause, envelope.root, text, trace)
        )


def _set_flag(flag: Flag, _down: object) -> None:
    flag.set()
