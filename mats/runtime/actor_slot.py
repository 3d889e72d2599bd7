"""Everything the runtime keeps about one name: mailbox, incarnations, watchers, status."""

from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple, Protocol

from mats.runtime.containment import contain, describe
from mats.runtime.errors import NameTaken
from mats.runtime.events import Abandoned, HighWater, MessagesRefused
from mats.runtime.incarnation import Incarnation
from mats.runtime.interfaces import ActorStatus, ParentSink, RunningActor, State, Supervision
from mats.runtime.messaging import Down, DownReason, Life, Mailbox, MessageStats, Reason, Ref, Telemetry
from mats.runtime.spec import Spec
from mats.runtime.timers import carried


class _Watch(NamedTuple):
    sink: Callable[[Down], object]
    tag: object
    watcher: Life | None


class SlotRuntime(Supervision, Protocol):
    """The runtime as a slot sees it: it makes the parts that depend on the host."""

    def new_mailbox(self, slot: "ActorSlot") -> Mailbox: ...

    def new_ref(self, slot: "ActorSlot") -> Ref[Any]: ...


def _outlived(old: Life | None, new: Life | None) -> bool:
    return old is not None and new is not None and old.name == new.name and old.number != new.number


class ActorSlot:
    """One name: its mailbox, its incarnations, its watchers.

    `supervised`: the mailbox outlives an incarnation, and only the supervisor closes it. `children`: those that a
    supervisor of this name has, over its restarts. `order`: of the launches in the runtime. `expected`: a message may
    wait for the first launch; there will be one, or it is `probed`.
    """

    def __init__(self, runtime: SlotRuntime, name: str) -> None:
        self.runtime = runtime
        self.name = name
        self.lock = Lock()
        self.mailbox = runtime.new_mailbox(self)
        self.ref = runtime.new_ref(self)
        self.telemetry = Telemetry()
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
        self.expected = self.probed = False
        self.children: tuple[Spec, ...] | None = None
        self._watchers: list[_Watch] = []

    def enter(self, state: State) -> None:
        self.state = state
        self.since = self.runtime.clock.now()

    @property
    def live(self) -> bool:
        """Whether an incarnation is starting or running now."""
        return self.incarnation is not None

    def open(self) -> None:
        """A probe reads what comes here."""
        self.expected = self.probed = True
        if self.mailbox.closed:
            self.mailbox = self._next_mailbox()

    def watch(self, sink: Callable[[Down], object], tag: object, watcher: Life | None = None) -> None:
        """See `Ref.watch`. The watches of a watcher's ended incarnations are dropped: their Downs would not be read."""
        with self.lock:
            if self.incarnation is not None or self.number == 0:
                self._watchers = [w for w in self._watchers if not _outlived(w.watcher, watcher)]
                self._watchers.append(_Watch(sink, tag, watcher))
                return
        sink(Down(self.name, self.number, tag, "noproc"))

    def launch(self, incarnation: Incarnation, parent: ParentSink | None, supervised: bool) -> None:
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
            self.mailbox = self._next_mailbox()
        self.mailbox.configure(incarnation.actor_class.mailbox)
        self.enter("starting")

    def ended(self, incarnation: RunningActor, reason: DownReason, error: BaseException | None) -> bool:
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
            contain("a watcher was not told", watch.sink, Down(self.name, incarnation.number, watch.tag, reason, error))
        return True

    def abandon(self, incarnation: Incarnation) -> Abandoned | None:
        """Give up an incarnation that does not end: fence it, hand the mailbox on, and say where it hangs."""
        incarnation.fenced = True
        notice = Abandoned(self.name, incarnation.number, incarnation.stack())
        self._next_mailbox().take_over(self.mailbox, self._install)
        incarnation.release()
        return notice if self.ended(incarnation, "abandoned", None) else None

    def close(self) -> None:
        """Close the mailbox: asks fail, and other messages become dead letters."""
        reason: Reason = "unprocessed" if self.number else "no such actor"
        for envelope in self.mailbox.close():
            self.runtime.lose(self.name, envelope, reason)

    def _next_mailbox(self) -> Mailbox:
        """Under the policy of the one before, until an actor brings its own: the actor may be down for long."""
        mailbox, old = self.runtime.new_mailbox(self), self.mailbox
        mailbox.configure(old.spec)
        mailbox.conflated, mailbox.refused = old.conflated, old.refused
        return mailbox

    def flush(self) -> None:
        """Lose what waits and go on with an empty mailbox."""
        old, self.mailbox = self.mailbox, self._next_mailbox()
        for envelope in old.close():
            self.runtime.lose(self.name, envelope, "unprocessed")

    def _install(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def park(self, reason: str) -> None:
        self.parked = reason
        self.close()
        self.enter("parked")

    def retire(self) -> None:
        """No actor is meant to run here any more; a child of the same name starts without a past."""
        self.parked = ""
        self.enter("stopped")

    def high_water(self, depth: int) -> None:
        self.runtime.emit(HighWater(self.name, depth))

    def messages_refused(self, message: str, depth: int) -> None:
        self.runtime.emit(MessagesRefused(self.name, message, depth))

    def message_stats(self) -> list[MessageStats]:
        waiting = Counter(type(carried(envelope.message)).__name__ for envelope in self.mailbox.waiting())
        return self.telemetry.read(self.name, waiting, self.runtime.monotonic())

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
            refused=self.mailbox.refused,
            behind=self.mailbox.behind,
        )
