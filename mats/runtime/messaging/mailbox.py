"""Where messages wait: three lanes, a bound, conflation, and a close that is one step with put."""

import time
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from threading import Lock
from typing import Literal, Protocol

import msgspec

from mats.runtime.containment import contain, describe, log_error, safe_repr
from mats.runtime.messaging.envelope import Envelope

Refusal = Literal["closed", "full"]


class MailboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How an actor's mailbox treats user messages.

    `capacity` messages wait at most. `never_full` names classes that are taken beyond it. `urgent` names the classes
    that control the actor: they overtake all other user messages, keep their order among each other, and are taken
    beyond the capacity (exactly these classes: a subclass is not urgent). `conflate` gives a message's key, or None:
    of the waiting messages with one key only the latest is kept, at the place of the first. `high_water` is the depth
    that is reported once as a `HighWater` event (None: the capacity).
    """

    capacity: int = 10_000
    conflate: Callable[[object], Hashable | None] | None = None
    never_full: tuple[type, ...] = ()
    urgent: tuple[type, ...] = ()
    high_water: int | None = None

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"mailbox capacity is {self.capacity}; give at least 1")
        if self.high_water is not None and not 1 <= self.high_water <= self.capacity:
            raise ValueError(f"mailbox high_water is {self.high_water}; give 1 to the capacity, {self.capacity}")


class MailboxObserver(Protocol):
    """Who is told what a mailbox notices, after its lock is released, in the thread of the sender."""

    def high_water(self, depth: int) -> None: ...

    def messages_refused(self, message: str, depth: int) -> None: ...


class Mailbox:
    """Any number of senders, one reader. Once closed it stays closed; who opens again gets a new one.

    Nothing of an actor or an observer is called while the lock is held: they may send to this very mailbox.
    """

    __slots__ = (
        "_alarmed",
        "_bad_key",
        "_closed",
        "_conflate",
        "_latest",
        "_lock",
        "_mark",
        "_notify",
        "_plain",
        "_ready",
        "_refused_classes",
        "_report_due",
        "_spec",
        "_system",
        "_urgent",
        "_urgent_classes",
        "_user",
        "_waiting",
        "conflated",
        "observer",
        "refused",
    )  # fmt: skip

    def __init__(self, observer: MailboxObserver) -> None:
        self.observer = observer
        self.conflated = self.refused = 0
        self._lock = Lock()
        self._ready = Lock()
        self._ready.acquire()
        self._notify: Callable[[], object] = self._ready.release
        self._system: deque[Envelope] = deque()
        self._urgent: deque[Envelope] = deque()
        self._user: deque[Envelope] = deque()
        self._latest: dict[Hashable, Envelope] = {}
        self._waiting = self._closed = self._alarmed = False
        self._refused_classes: set[str] = set()
        self._report_due: list[Callable[[], object]] = []
        self.configure(MailboxSpec())

    def configure(self, spec: MailboxSpec) -> None:
        """Take the policy of the actor class that is about to run, for what waits already, too."""
        with self._lock:
            self._spec = spec
            self._conflate = spec.conflate
            self._mark = min(spec.capacity, spec.high_water or spec.capacity)
            self._urgent_classes = frozenset(spec.urgent)
            self._configured()
            self._sort((*self._urgent, *self._user))

    def _sort(self, waiting: tuple[Envelope, ...]) -> None:
        """Put what waits in the lanes that are its own."""
        self._urgent.clear()
        self._user.clear()
        for envelope in waiting:
            (self._urgent if envelope.message.__class__ in self._urgent_classes else self._user).append(envelope)

    @property
    def spec(self) -> MailboxSpec:
        return self._spec

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        """User messages that wait."""
        return len(self._user) + len(self._urgent)

    @property
    def pending(self) -> int:
        """Messages of all lanes that wait."""
        return len(self._user) + len(self._urgent) + len(self._system)

    def waiting(self) -> tuple[Envelope, ...]:
        """The user messages that wait."""
        with self._lock:
            return (*self._urgent, *self._user)

    def put(self, envelope: Envelope) -> Refusal | None:
        """Take a user message; None, or why not. Never blocks for longer than another put."""
        key = None if self._conflate is None else self._key(envelope)
        with self._lock:
            if self._plain and len(self._user) < self._mark:
                self._user.append(envelope)
                refusal = None
            else:
                refusal = self._accept(envelope, key)
            if self._waiting and not refusal:
                self._waiting = False
                self._notify()
        if self._report_due:
            self._report()
        return refusal

    def _configured(self) -> None:
        """Most mailboxes are open and have one lane and no keys: they are spared the questions of the others."""
        self._plain = not self._closed and self._conflate is None and not self._urgent_classes

    def _accept(self, envelope: Envelope, key: Hashable | None) -> Refusal | None:
        if self._closed:
            return "closed"
        if key is not None and self._replace(key, envelope):
            return None
        lane = self._user
        if self._urgent_classes and envelope.message.__class__ in self._urgent_classes:
            lane = self._urgent
        if len(lane) >= self._mark and self._crowded(envelope, lane):
            return "full"
        lane.append(envelope)
        return None

    def post(self, envelope: Envelope) -> Refusal | None:
        """Take a message of the system lane: before all user messages, without a bound."""
        with self._lock:
            if self._closed:
                return "closed"
            self._system.append(envelope)
            if self._waiting:
                self._waiting = False
                self._notify()
        return None

    def _replace(self, key: Hashable, envelope: Envelope) -> bool:
        try:
            waiting = self._latest.get(key)
        except BaseException as error:  # of the key's own methods
            text = describe(error)
            self._report_due.append(lambda: log_error("mailbox", "a conflation key cannot be compared", error=text))
            return False
        if waiting is None:
            if len(self._user) < self._spec.capacity or envelope.message.__class__ in self._urgent_classes:
                envelope.key = key
                self._latest[key] = envelope
            return False
        waiting.message, waiting.id, waiting.sent = envelope.message, envelope.id, envelope.sent
        waiting.cause, waiting.root = envelope.cause, envelope.root
        self.conflated += 1
        return True

    def _key(self, envelope: Envelope) -> Hashable | None:
        """The receiver's key; if that raises, the sender does not pay for it: the message is taken as it is."""
        if self._conflate is None or envelope.reply is not None or envelope.only:
            return None
        try:
            key = self._conflate(envelope.message)
            hash(key)
        except BaseException as error:
            log_error("mailbox", "conflate failed", message=safe_repr(envelope.message), error=describe(error))
            return None
        return key

    def _crowded(self, envelope: Envelope, lane: deque[Envelope]) -> bool:
        """Whether to refuse, at or above the mark. Timers (`only` is set) bound themselves."""
        depth = len(lane)
        if not self._alarmed:
            self._alarmed = True
            self._report_due.append(partial(self.observer.high_water, depth))
        if depth < self._spec.capacity or lane is not self._user or envelope.only:
            return False
        if isinstance(envelope.message, self._spec.never_full):
            return False
        self.refused += 1
        name = envelope.message.__class__.__name__
        if name not in self._refused_classes:
            self._refused_classes.add(name)
            self._report_due.append(partial(self.observer.messages_refused, name, depth))
        return True

    def _report(self) -> None:
        """Say what was noticed under the lock."""
        due, self._report_due = self._report_due, []
        for report in due:
            contain("the observer of a mailbox failed", report)

    @property
    def behind(self) -> str:
        """The classes of which messages were refused since the mailbox was last empty; empty when there is none."""
        return ", ".join(sorted(self._refused_classes.copy()))

    def poll(self) -> Envelope | None:
        """The next envelope, system lane first, then the urgent one; None if there is none."""
        try:
            if self._system:
                return self._system.popleft()
            envelope = self._urgent.popleft() if self._urgent else self._user.popleft()
        except IndexError:
            return None  # it is empty, or was closed in this moment
        if self._alarmed or envelope.key is not None:
            self._taken(envelope)
        return envelope

    def _taken(self, envelope: Envelope) -> None:
        if not (self._urgent or self._user):
            # It is empty: what is reported once may be reported again.
            self._alarmed = False
            self._refused_classes.clear()
        if envelope.key is not None:
            with self._lock:
                if self._latest.get(envelope.key) is envelope:
                    del self._latest[envelope.key]

    def poll_or_wait(self) -> Envelope | None:
        """As `poll`; with None, the next put (or the close) calls the notifier once."""
        if self._system or self._urgent or self._user:
            return self.poll()
        with self._lock:
            if not (self._system or self._urgent or self._user or self._closed):
                self._waiting = True
                return None
        return self.poll()

    def get(self, timeout: float | None = None) -> Envelope | None:
        """Wait for the next envelope, at most `timeout` seconds; None when time is up or the mailbox is closed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (envelope := self.poll_or_wait()) is None:
            if self._closed:
                return None
            if not self._ready.acquire(timeout=-1 if deadline is None else max(0.0, deadline - time.monotonic())):
                with self._lock:
                    if self._waiting:
                        self._waiting = False
                        return None
                    self._ready.acquire()
        return envelope

    def notify_by(self, notify: Callable[[], object]) -> None:
        """Wake the reader by this call, for hosts that do not block in `get`; pass `wake_reader` to undo."""
        with self._lock:
            self._waiting = False
            self._notify = notify

    def wake_reader(self) -> None:
        """The default notifier: let `get` go on."""
        self._ready.release()

    def take_over(self, old: "Mailbox", install: Callable[["Mailbox"], object]) -> None:
        """Become the successor of `old`: `install` makes senders see this one, then comes what waited there, first."""
        with self._lock:
            install(self)
            left = old.close()
            self._sort(tuple(left))
            self._latest.update((envelope.key, envelope) for envelope in left if envelope.key is not None)

    def close(self) -> list[Envelope]:
        """Refuse everything from now on; the user messages left, each of which is owed an answer or a dead letter."""
        with self._lock:
            self._closed = True
            self._configured()
            left = []
            for lane in (self._urgent, self._user):
                while lane:
                    left.append(lane.popleft())
            self._system.clear()
            self._latest.clear()
            if self._waiting:
                self._waiting = False
                self._notify()
            return left
