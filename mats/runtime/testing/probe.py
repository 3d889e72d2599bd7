"""The probe: a mailbox that a test or an edge can query, in real and in virtual time."""

from collections.abc import Callable
from typing import Any, Never, Protocol, TypeVar

from mats.runtime.messaging import Down, Envelope, Mailbox, Ref

M = TypeVar("M")

PATIENCE = 90.0
"""Seconds a probe waits for what has to come. It ends a test that hangs and measures nothing."""


class ProbeRuntime(Protocol):
    """What a probe needs of the runtime."""

    monotonic: Callable[[], float]

    def receive(self, mailbox: Mailbox, timeout: float) -> Envelope | None: ...

    def forget(self, path: str) -> None: ...


class Probe:
    """Give `ref` to actors, then `expect` what they tell it. Failures list what was received instead.

    Timeouts are in seconds of the runtime's clock; in virtual time, waiting lets the actors run.
    """

    def __init__(self, runtime: ProbeRuntime, ref: Ref[Any]) -> None:
        self._runtime = runtime
        self._seen: list[object] = []
        self._last: Envelope | None = None
        self._watched: set[str] = set()
        self.ref = ref

    def expect(self, kind: type[M], timeout: float = PATIENCE) -> M:
        """The next message, which must be a `kind`."""
        message = self._next(timeout, f"a {kind.__name__}")
        if not isinstance(message, kind):
            raise AssertionError(f"{self.ref.name} expected a {kind.__name__}, got {message!r}; {self._history()}")
        return message

    def expect_message(self, message: object, timeout: float = PATIENCE) -> None:
        """The next message must equal this one."""
        got = self._next(timeout, repr(message))
        if got != message:
            raise AssertionError(f"{self.ref.name} expected {message!r}, got {got!r}; {self._history()}")

    def expect_nothing(self, within: float = 0.1) -> None:
        """No message may come for `within` seconds."""
        if (message := self._take(within)) is not None:
            raise AssertionError(f"{self.ref.name} expected nothing, got {message.message!r}; {self._history()}")

    def receive(self, n: int, timeout: float = PATIENCE) -> list[object]:
        """The next `n` messages."""
        return [self._next(timeout, f"message {i + 1} of {n}") for i in range(n)]

    def fish(self, predicate: Callable[[object], bool], timeout: float = PATIENCE) -> object:
        """The first message for which `predicate` holds; those before it are thrown away."""
        deadline = self._runtime.monotonic() + timeout
        while True:
            message = self._next(deadline - self._runtime.monotonic(), "a message that the predicate accepts")
            if predicate(message):
                return message

    def expect_down(self, ref: Ref[Never], timeout: float = PATIENCE) -> Down:
        """The Down of `ref`, watched from now on if it was not; other messages before it are thrown away."""
        self.watch(ref)
        down = self.fish(lambda message: isinstance(message, Down) and message.name == ref.name, timeout)
        self._watched.discard(ref.name)
        assert isinstance(down, Down)
        return down

    def watch(self, ref: Ref[Never], tag: object = None) -> None:
        """Get one Down when `ref` ends; watching twice is watching once."""
        if ref.name not in self._watched:
            self._watched.add(ref.name)
            ref.watch(self.ref.signal, tag)

    def reply(self, value: object) -> None:
        """Answer the ask that was received last."""
        if self._last is None or self._last.reply is None:
            raise AssertionError(f"{self.ref.name} has no ask to answer; {self._history()}")
        self._last.reply.set(value)

    @property
    def last(self) -> Envelope:
        """The envelope of the message received last: its id, cause and root."""
        if self._last is None:
            raise AssertionError(f"{self.ref.name} has received nothing")
        return self._last

    def close(self) -> None:
        """Take no more messages, and give the name back."""
        self.ref.mailbox.close()
        self._runtime.forget(self.ref.name)

    def _take(self, timeout: float) -> Envelope | None:
        envelope = self._runtime.receive(self.ref.mailbox, max(0.0, timeout))
        if envelope is not None:
            self._last = envelope
            self._seen.append(envelope.message)
        return envelope

    def _next(self, timeout: float, what: str) -> object:
        if (envelope := self._take(timeout)) is None:
            raise AssertionError(f"{self.ref.name} waited in vain for {what}; {self._history()}")
        return envelope.message

    def _history(self) -> str:
        return "received so far: " + (", ".join(map(repr, self._seen[-20:])) or "nothing")
