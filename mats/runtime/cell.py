"""Everything the runtime keeps about one name: mailbox, incarnations, watchers, status."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from mats.model import Nanos
from mats.runtime.errors import NameTaken
from mats.runtime.events import Abandoned, HighWater
from mats.runtime.messages import Down, DownReason

if TYPE_CHECKING:
    from mats.runtime.incarnation import Incarnation
    from mats.runtime.mailbox import Mailbox
    from mats.runtime.runtime import Runtime
    from mats.runtime.spec import ChildSpec, SupervisorSpec

State = Literal["new", "starting", "running", "backoff", "parked", "stopped"]
Sink = Callable[[object], object]
"""Where a notice goes: a ref's system lane, or a function of the runtime."""


class ActorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the operator's tree. `depth` counts waiting user messages, `since` is when `state` began.

    `slow` is the last message whose handler held the actor for too long, and how long; empty when there was none.
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


class _Watch(NamedTuple):
    sink: Sink
    tag: object
    watcher: "Incarnation | None"


def _outlived(old: "Incarnation | None", new: "Incarnation") -> bool:
    return old is not None and old.cell is new.cell and old is not new


class Cell:
    """One name.

    `supervised`: the mailbox outlives an incarnation, and only the supervisor closes it. `children`: whom a supervisor
    of this name has, over its restarts. `order`: of the launches in the runtime.
    """

    def __init__(self, runtime: "Runtime", name: str) -> None:
        self.runtime = runtime
        self.name = name
        self.lock = Lock()
        self.mailbox = runtime.new_mailbox(self)
        self.ref = runtime.new_ref(self)
        self.incarnation: Incarnation | None = None
        self.number = 0
        self.supervised = False
        self.actor = ""
        self.state: State = "new"
        self.since = runtime.clock.now()
        self.last_failure = ""
        self.parked = ""
        self.slow = ""
        self.order = 0
        self.children: tuple[ChildSpec | SupervisorSpec, ...] | None = None
        self._watchers: list[_Watch] = []

    def enter(self, state: State) -> None:
        self.state = state
        self.since = self.runtime.clock.now()

    def watch(self, sink: Sink, tag: object, watcher: "Incarnation | None" = None) -> None:
        """Tell `sink` exactly one Down: at the end of the incarnation that runs (or will be the first), or now.

        With `watcher`, the watches of its cell's ended incarnations are dropped: nobody would read their Downs.
        """
        with self.lock:
            if self.incarnation is not None or self.number == 0:
                self._watchers = [w for w in self._watchers if watcher is None or not _outlived(w.watcher, watcher)]
                self._watchers.append(_Watch(sink, tag, watcher))
                return
        sink(Down(self.name, self.number, tag, "noproc"))

    def launch(self, incarnation: "Incarnation", parent: Sink | None, supervised: bool) -> None:
        """Make `incarnation` the one that runs, watched by `parent`; raises NameTaken if there is one."""
        with self.lock:
            if self.incarnation is not None:
                raise NameTaken(f"actor {self.name} is running already; choose another name")
            self.incarnation = incarnation
            self.number = incarnation.number = self.number + 1
            self.supervised = supervised
            self.actor = incarnation.actor_class.__name__
            self.parked = ""
            if parent is not None:
                self._watchers.append(_Watch(parent, None, None))
        if self.mailbox.closed:
            self.mailbox = self.runtime.new_mailbox(self)
        self.mailbox.configure(incarnation.actor_class.mailbox)
        self.enter("starting")

    def ended(self, incarnation: "Incarnation", reason: DownReason, error: BaseException | None) -> bool:
        """Record the end and tell the watchers, once; False if this incarnation was not the current one."""
        with self.lock:
            if self.incarnation is not incarnation:
                return False
            self.incarnation = None
            watchers, self._watchers = self._watchers, []
        if reason != "normal":
            self.last_failure = describe(error) if error is not None else reason
        self.enter("stopped")
        if not self.supervised:
            self.close()
        for watch in watchers:
            watch.sink(Down(self.name, incarnation.number, watch.tag, reason, error))
        return True

    def abandon(self, incarnation: "Incarnation") -> Abandoned | None:
        """Give up an incarnation that does not end: fence it, hand the mailbox on, and say where it hangs."""
        incarnation.fenced = True
        notice = Abandoned(self.name, incarnation.number, incarnation.stack())
        self.runtime.new_mailbox(self).take_over(self.mailbox, self._install)
        incarnation.release()
        return notice if self.ended(incarnation, "abandoned", None) else None

    def close(self) -> None:
        """Close the mailbox: askers are told, told messages become dead letters."""
        for envelope in self.mailbox.close():
            self.runtime.lose(self.name, envelope, "unprocessed")

    def flush(self) -> None:
        """Lose what waits and go on with an empty mailbox."""
        old, self.mailbox = self.mailbox, self.runtime.new_mailbox(self)
        for envelope in old.close():
            self.runtime.lose(self.name, envelope, "unprocessed")

    def _install(self, mailbox: "Mailbox") -> None:
        self.mailbox = mailbox

    def park(self, reason: str) -> None:
        self.parked = reason
        self.close()
        self.enter("parked")

    def retire(self) -> None:
        """Nobody is meant to run here any more; a child of the same name starts afresh."""
        self.parked = ""
        self.enter("stopped")

    def high_water(self, depth: int) -> None:
        self.runtime.emit(HighWater(self.name, depth))

    def status(self) -> ActorStatus:
        return ActorStatus(
            name=self.name,
            actor=self.actor,
            state=self.state,
            incarnation=self.number,
            restarts=max(0, self.number - 1),
            depth=len(self.mailbox),
            conflated=self.mailbox.conflated,
            last_failure=self.last_failure,
            since=self.since,
            parked=self.parked,
            slow=self.slow,
        )


def describe(error: BaseException) -> str:
    """One line: the type and text of an error."""
    return f"{type(error).__name__}: {error}"
