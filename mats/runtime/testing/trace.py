"""A record of who handled what, for a look into a running system and for the proof that a run repeats."""

import hashlib
from collections import deque

import msgspec
import structlog

from mats.runtime.containment import contain, safe_repr
from mats.runtime.messaging import Envelope
from mats.runtime.timers import carried

TEXT_CHARS = 500
"""Of a message that is logged, so much of its text."""


class Step(msgspec.Struct, frozen=True):
    """Actor `name` handled a message of class `kind` at `time` (monotonic seconds); ids as in its envelope."""

    time: float
    name: str
    kind: str
    id: int
    cause: int
    root: int


class Trace:
    """Off by default. Keeps the last `capacity` steps of the actors chosen, and a running hash of all of them.

    Apart from that, the messages of single actors can be logged while they run.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self.on = False
        self.steps: deque[Step] = deque(maxlen=capacity)
        self._names: frozenset[str] = frozenset()
        self._hash = hashlib.sha256()
        self._recording = False
        self._logged: frozenset[str] = frozenset()

    def switch_on(self, *names: str) -> None:
        """Record the actors named, or all of them."""
        self._names = frozenset(names)
        self._recording = self.on = True

    def switch_off(self) -> None:
        self._recording = False
        self.on = bool(self._logged)

    @property
    def logged(self) -> frozenset[str]:
        """The actors whose messages are logged."""
        return self._logged

    def log(self, name: str) -> None:
        """Log each message of this actor from now on, over its restarts."""
        self._logged |= {name}
        self.on = True

    def stop_logging(self, name: str) -> None:
        self._logged -= {name}
        self.on = self._recording or bool(self._logged)

    def record(self, name: str, envelope: Envelope, time: float) -> None:
        """An actor is about to handle a message, at `time` (monotonic seconds)."""
        if name in self._logged:
            contain("a message was not traced", _log, name, envelope, time)
        if self._recording and (not self._names or name in self._names):
            self._keep(name, envelope, time)

    def _keep(self, name: str, envelope: Envelope, time: float) -> None:
        kind = type(carried(envelope.message)).__name__
        step = Step(time, name, kind, envelope.id, envelope.cause, envelope.root)
        self.steps.append(step)
        self._hash.update(f"{step.time!r} {name} {step.kind} {step.id} {step.cause}\n".encode())

    def chain(self, root: int) -> tuple[Step, ...]:
        """The recorded steps that go back to the message `root`."""
        return tuple(step for step in self.steps if step.root == root)

    def digest(self) -> str:
        """Equal for two runs that took the same steps at the same virtual times."""
        return self._hash.hexdigest()


def _log(name: str, envelope: Envelope, time: float) -> None:
    message = carried(envelope.message)
    structlog.get_logger(name=name).info(
        "trace",
        message=type(message).__name__,
        content=safe_repr(message)[:TEXT_CHARS],
        id=envelope.id,
        cause=envelope.cause,
        root=envelope.root,
        queued_ms=round((time - envelope.sent) * 1000, 3),
    )
