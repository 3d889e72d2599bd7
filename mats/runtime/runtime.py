"""The runtime: names, refs and what all hosts share."""

import itertools
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from threading import Event as Flag
from threading import Lock

import msgspec
import structlog

from mats.runtime import events
from mats.runtime.actor import Actor
from mats.runtime.cell import ActorStatus, Cell, Sink, describe
from mats.runtime.clock import Clock
from mats.runtime.deadletters import DeadLetter, DeadLetters, Reason
from mats.runtime.envelope import CURRENT, Envelope
from mats.runtime.errors import ActorDeadError, StartTimeout
from mats.runtime.incarnation import Incarnation
from mats.runtime.mailbox import Mailbox
from mats.runtime.messages import Down, Outcome, Started, Stop
from mats.runtime.probe import Probe
from mats.runtime.ref import Ref
from mats.runtime.reply import Reply
from mats.runtime.spec import SupervisorSpec
from mats.runtime.supervisor import as_child
from mats.runtime.timers import Timer
from mats.runtime.trace import Trace


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
        self._cells: dict[str, Cell] = {}
        self._lock = Lock()
        self._root: Cell | None = None
        self._root_started = Flag()
        self._root_down = Flag()
        self._abandoned: list[events.Abandoned] = []
        self._probes = itertools.count(1)
        self._launches = itertools.count(1)
        self._log = structlog.get_logger(name=name)

    # Hosts provide

    @abstractmethod
    def new_mailbox(self, cell: Cell) -> Mailbox: ...

    @abstractmethod
    def new_ref(self, cell: Cell) -> Ref: ...

    @abstractmethod
    def new_reply(self) -> Reply: ...

    @abstractmethod
    def in_handler(self) -> bool:
        """Whether the caller is inside an actor, as far as the host knows better than the context."""

    @abstractmethod
    def run(self, incarnation: Incarnation) -> None:
        """Let an incarnation live."""

    @abstractmethod
    def interrupt(self, incarnation: Incarnation) -> None:
        """Free whatever can be freed of an abandoned incarnation."""

    @abstractmethod
    def add_timer(self, timer: Timer) -> None: ...

    @abstractmethod
    def spawn_task(
        self,
        incarnation: Incarnation,
        coroutine: Coroutine[object, object, object],
        then: Callable[[Outcome], object] | None,
    ) -> object: ...

    @abstractmethod
    def wait(self, flag: Flag, timeout: float) -> bool:
        """Let time pass until the flag is set; False if it is not within `timeout` seconds."""

    @abstractmethod
    def receive(self, mailbox: Mailbox, timeout: float) -> Envelope | None:
        """Let time pass until a probe's mailbox has something; None if it has not within `timeout` seconds."""

    # Names

    def cell(self, path: str) -> Cell:
        """The cell of a name, made when first asked for."""
        with self._lock:
            cell = self._cells.get(path)
            if cell is None:
                cell = self._cells[path] = Cell(self, path)
            return cell

    def ref(self, path: str) -> Ref:
        """The ref of a name. It may be told before anybody runs there: the messages wait."""
        return self.cell(path).ref

    def probe(self, name: str | None = None) -> Probe:
        """A mailbox for tests and edges, to be queried."""
        return Probe(self, self.cell(name or f"probe-{next(self._probes)}"))

    def status(self) -> tuple[ActorStatus, ...]:
        """One line for each actor that was ever launched, by name."""
        return tuple(cell.status() for cell in sorted(self._launched(), key=lambda cell: cell.name))

    # Life and death

    def start(self, spec: SupervisorSpec) -> Ref:
        """Start the tree. Returns at once; `wait_started` waits."""
        child = as_child(spec, "")
        self._root = self.cell(spec.name)
        self.launch(spec.name, child.actor, kwargs=child.args, parent=self._on_root, supervised=False)
        return self._root.ref

    def wait_started(self, timeout: float) -> None:
        """Wait until the whole tree has had its turn to start; raises StartTimeout after `timeout` seconds."""
        if not self.wait(self._root_started, timeout) or self.escalated.is_set():
            late = [f"{x.name} ({x.state}{', ' + x.last_failure if x.last_failure else ''})" for x in self.status()
                    if x.state != "running"]  # fmt: skip
            raise StartTimeout(f"not started within {timeout} s: {', '.join(late) or 'the root'}")

    def spawn(self, actor_class: type[Actor], *args: object, name: str | None = None, **kwargs: object) -> Ref:
        """Start an actor without a supervisor, for tests and edges; its end is final and closes its mailbox."""
        path = name or actor_class.__name__.lower()
        self.launch(path, actor_class, args, kwargs)
        return self.ref(path)

    def launch(
        self,
        path: str,
        actor_class: type[Actor],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
        parent: Sink | None = None,
        supervised: bool = False,
    ) -> int:
        """Start the next incarnation of a name and return its number; `parent` is told Started and Down."""
        turn = CURRENT.get()
        if turn is not None and turn.incarnation.fenced:
            raise RuntimeError(f"{turn.incarnation.cell.name} was abandoned and cannot start {path}")
        cell = self.cell(path)
        cell.order = next(self._launches)
        incarnation = Incarnation(cell, actor_class, args, kwargs or {}, parent)
        cell.launch(incarnation, parent, supervised)
        number = incarnation.number
        self.run(incarnation)
        return number

    def incarnation_ended(self, incarnation: Incarnation) -> None:
        """Called by hosts after the last hook."""
        cell, error = incarnation.cell, incarnation.error
        reason = incarnation.exit or "normal"
        if error is not None and not incarnation.fenced:
            self._log.error("actor failed", actor=cell.name, incarnation=incarnation.number, error=describe(error))
            if not cell.supervised:
                self.emit(events.ChildFailed(cell.name, incarnation.number, reason, describe(error)))
        cell.ended(incarnation, reason, error)

    def abandon(self, path: str) -> None:
        """Give up an actor that does not end, and everybody below it; what they still send is dead (`stale`)."""
        for cell in reversed(self._tree(path)):
            incarnation = cell.incarnation
            if incarnation is not None and (notice := cell.abandon(incarnation)) is not None:
                self._abandoned.append(notice)
                self.emit(notice)
                self.interrupt(incarnation)

    def _tree(self, path: str) -> list[Cell]:
        with self._lock:
            cells = [c for c in self._cells.values() if c.name == path or c.name.startswith(f"{path}/")]
        return sorted(cells, key=lambda cell: cell.order)

    def close(self, path: str) -> None:
        """Close the mailbox of a name and of all names below it, as far as nobody runs there."""
        for cell in self._tree(path):
            if cell.incarnation is None:
                cell.close()
                cell.children = None
                if cell.state == "backoff":
                    cell.enter("stopped")

    def stop(self, timeout: float = 30.0) -> StopReport:
        """Stop the tree in reverse start order, then whatever was spawned; abandon what is left after `timeout`."""
        began = self.monotonic()
        before = len(self._abandoned)
        if self._root is not None and self._root.ref.signal(Stop()):
            self.wait(self._root_down, timeout)
        for cell in reversed(self._launched()):
            if cell.incarnation is not None and not cell.supervised and cell is not self._root:
                gone = Flag()
                cell.watch(partial(_raise_flag, gone), None)
                cell.ref.stop()
                self.wait(gone, max(0.0, timeout - (self.monotonic() - began)))
        for cell in reversed(self._launched()):
            self.abandon(cell.name)
            cell.close()
        return StopReport(self.monotonic() - began, tuple(self._abandoned[before:]))

    def _launched(self) -> list[Cell]:
        with self._lock:
            cells = [cell for cell in self._cells.values() if cell.number]
        return sorted(cells, key=lambda cell: cell.order)

    def forget(self, cell: Cell) -> None:
        """Take a probe's name back."""
        with self._lock:
            self._cells.pop(cell.name, None)

    def _on_root(self, notice: object) -> None:
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
        """Record a user message that nobody will handle, and tell its asker."""
        if envelope.reply is not None:
            envelope.reply.fail(ActorDeadError(f"{name} did not handle the message: {reason}"))
        if envelope.only:
            return
        text = describe(error) if error is not None else ""
        self.dead_letters.record(
            DeadLetter(reason, name, envelope.message, envelope.id, envelope.cause, envelope.root, text, _trace(error))
        )


def _raise_flag(flag: Flag, _down: object) -> None:
    flag.set()


def _trace(error: BaseException | None) -> str:
    return "".join(traceback.format_exception(error)) if error is not None else ""
