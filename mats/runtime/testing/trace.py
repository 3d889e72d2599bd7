"""A record of who handled what, for a look into a running system and for the proof that a run repeats."""

import hashlib
from collections import deque

import msgspec

from mats.runtime.messaging import Envelope
from mats.runtime.timers import Timer


class Step(msgspec.Struct, frozen=True):
    """Actor `name` handled a message of class `kind` at `time` (monotonic seconds); ids as in its envelope."""

    time: float
    name: str
    kind: str
    id: int
    cause: int
    root: int


class Trace:
    """Off by default. Keeps the last `capacity` steps of the actors chosen, and a running hash of all of them."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.on = False
        self.steps: deque[Step] = deque(maxlen=capacity)
        self._names: frozenset[str] = frozenset()
        self._hash = hashlib.sha256()

    def switch_on(self, *names: str) -> None:
        """Record the actors named, or all of them."""
        self._names = frozenset(names)
        self.on = True

    def switch_off(self) -> None:
        self.on = False

    def record(self, name: str, envelope: Envelope, time: float) -> None:
        if self._names and name not in self._names:
            return
        message = envelope.message.message if isinstance(envelope.message, Timer) else envelope.message
        step = Step(time, name, type(message).__name__, envelope.id, envelope.cause, envelope.root)
        self.steps.append(step)
        self._hash.update(f"{step.time!r} {name} {step.kind} {step.id} {step.cause}\n".encode())

    def chain(self, root: int) -> tuple[Step, ...]:
        """The recorded steps that go back to the message `root`."""
        return tuple(step for step in self.steps if step.root == root)

    def digest(self) -> str:
        """Equal for two runs that took the same steps at the same virtual times."""
        return self._hash.hexdigest()
