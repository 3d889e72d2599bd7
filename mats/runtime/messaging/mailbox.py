"""Where messages wait: two lanes, a bound, conflation, and a close that is one step with put."""

import time
from collections import deque
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Literal

import msgspec
import structlog

from mats.runtime.messaging.envelope import Envelope

Refusal = Literal["closed", "full"]


class MailboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How an actor's mailbox treats user messages.

    `capacity` messages wait at most. `never_full` names classes that are taken beyond it. `conflate` gives a message's
    key, or None: of the waiting messages with one key only the latest is kept, at the place of the first.
    `high_water` is the depth that is reported once as a `HighWater` event (None: the capacity).
    """

    capacity: int = 10_000
    conflate: Callable[[object], Hashable | None] | None = None
    never_full: tuple[type, ...] = ()
    high_water: int | None = None

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"mailbox capacity is {self.capacity}; give at least 1")
        if self.high_water is not None and not 1 <= self.high_water <= self.capacity:
            raise ValueError(f"mailbox high_water is {self.high_water}; give 1 to the capacity, {self.capacity}")


class Mailbox:
    """Any number of senders, one reader. Once closed it stays closed; who opens again gets a new one."""

    __slots__ = (
        "_alarmed",
        "_closed",
        "_latest",
        "_lock",
        "_mark",
        "_notify",
        "_ready",
        "_spec",
        "_system",
        "_user",
        "_waiting",
        "conflated",
        "on_high_water",
    )  # fmt: skip

    def __init__(self, on_high_water: Callable[[int], None]) -> None:
        self.on_high_water = on_high_water
        self.conflated = 0
        self._lock = Lock()
        self._ready = Lock()
        self._ready.acquire()
        self._notify: Callable[[], object] = self._ready.release
        self._system: deque[Envelope] = deque()
        self._user: deque[Envelope] = deque()
        self._latest: dict[Hashable, Envelope] = {}
        self._waiting = self._closed = self._alarmed = False
        self.configure(MailboxSpec())

    def configure(self, spec: MailboxSpec) -> None:
        """Take the policy of the actor class that is about to run."""
        with self._lock:
            self._spec = spec
            self._mark = min(spec.capacity, spec.high_water or spec.capacity)

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        """User messages that wait."""
        return len(self._user)

    @property
    def pending(self) -> int:
        """Messages of both lanes that wait."""
        return len(self._user) + len(self._system)

    def put(self, envelope: Envelope) -> Refusal | None:
        """Take a user message; None, or why not. Never blocks for longer than another put."""
        with self._lock:
            if self._closed:
                return "closed"
            if self._spec.conflate is not None and self._replace(envelope):
                return None
            if len(self._user) >= self._mark and self._crowded(envelope):
                return "full"
            self._user.append(envelope)
            if self._waiting:
                self._waiting = False
                self._notify()
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

    def _replace(self, envelope: Envelope) -> bool:
        if envelope.reply is not None or envelope.only or (key := self._key(envelope.message)) is None:
            return False
        waiting = self._latest.get(key)
        if waiting is None:
            if len(self._user) < self._spec.capacity:
                envelope.key = key
                self._latest[key] = envelope
            return False
        waiting.message, waiting.id, waiting.sent = envelope.message, envelope.id, envelope.sent
        waiting.cause, waiting.root = envelope.cause, envelope.root
        self.conflated += 1
        return True

    def _key(self, message: object) -> Hashable | None:
        """The receiver's key; if that raises, the sender does not pay for it: the message is taken as it is."""
        try:
            return self._spec.conflate(message) if self._spec.conflate else None
        except Exception as error:
            structlog.get_logger(name="mailbox").error("conflate failed", message=repr(message), error=repr(error))
            return None

    def _crowded(self, envelope: Envelope) -> bool:
        """Whether to refuse, at or above the mark. Timers (`only` is set) bound themselves."""
        depth = len(self._user)
        if not self._alarmed:
            self._alarmed = True
            self.on_high_water(depth)
        return depth >= self._spec.capacity and not envelope.only and not isinstance(
            envelope.message, self._spec.never_full
        )  # fmt: skip

    def poll(self) -> Envelope | None:
        """The next envelope, system lane first; None if there is none."""
        if self._system:
            return self._system.popleft()
        if not self._user:
            self._alarmed = False
            return None
        envelope = self._user.popleft()
        if envelope.key is not None:
            with self._lock:
                del self._latest[envelope.key]
        return envelope

    def poll_or_wait(self) -> Envelope | None:
        """As `poll`; with None, the next put (or the close) calls the notifier once."""
        if self._system or self._user:
            return self.poll()
        with self._lock:
            if not (self._system or self._user or self._closed):
                self._waiting = True
                self._alarmed = False
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
            self._user.extend(left)
            self._latest.update((envelope.key, envelope) for envelope in left if envelope.key is not None)

    def close(self) -> list[Envelope]:
        """Refuse everything from now on; the user messages left, each of which is owed an answer or a dead letter."""
        with self._lock:
            self._closed = True
            left = []
            while self._user:
                left.append(self._user.popleft())
            self._system.clear()
            self._latest.clear()
            if self._waiting:
                self._waiting = False
                self._notify()
            return left
