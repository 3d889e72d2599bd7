"""The ref of an actor outside of this process: what it is sent goes over the link."""

import itertools
from collections.abc import Callable
from threading import Lock
from typing import Any, NoReturn, Protocol, TypeVar

import msgspec

from mats.runtime.hosts.link import FromProcess, Told, Watched, WatchEnded
from mats.runtime.messaging import Delivery, Down, Envelope, Life, Ref, Reply

M_contra = TypeVar("M_contra", contravariant=True)


class FarRuntime(Delivery, Protocol):
    """What a far ref needs of the runtime in its process."""

    offers: "Offers"
    watches: "Watches"

    def write(self, frame: FromProcess) -> None: ...


class FarRef(Ref[M_contra]):
    """Sends as any ref does. It can be watched; nobody can be asked from inside a process."""

    def __init__(self, name: str, runtime: FarRuntime) -> None:
        self._far, self._runtime = runtime, runtime
        self.name = name
        self.actor_urn = f"mats:{name}"

    def tell(self, message: M_contra) -> None:
        self._write(self.envelope(message), 0)

    def offer(self, message: M_contra) -> bool:
        """Send if there is room: waits for the link, which answers at once, and not for the actor."""
        envelope = self.envelope(message)
        answer = self._far.offers.begin(envelope.id)
        self._write(envelope, envelope.id)
        return bool(answer.get())

    def _write(self, envelope: Envelope, offer: int) -> None:
        self._far.write(
            Told(
                to=self,
                message=envelope.message,
                id=envelope.id,
                cause=envelope.cause,
                root=envelope.root,
                offer=offer,
            )
        )

    def watch(self, sink: Callable[[Down], object], tag: object, watcher: Life | None = None) -> None:
        name = "" if watcher is None else watcher.name
        self._far.write(Watched(name, self, self._far.watches.begin(sink, tag)))

    def ask(self, question: object, *, timeout: float) -> NoReturn:  # type: ignore[override]
        raise TypeError(f"{self.name} cannot be asked from the process of an actor; send a message")

    def signal(self, message: object, only: int = 0) -> NoReturn:
        raise TypeError(f"{self.name} lives in another process; only its runtime can signal it")

    def stop(self, only: int = 0) -> NoReturn:  # type: ignore[override]
        raise TypeError(f"{self.name} lives in another process; only its runtime can stop it")

    def is_alive(self) -> NoReturn:
        raise TypeError(f"{self.name} lives in another process; watch it to know when it ends")

    @property
    def incarnation(self) -> NoReturn:
        raise TypeError(f"{self.name} lives in another process, where its incarnations are counted")

    @property
    def mailbox(self) -> NoReturn:
        raise TypeError(f"{self.name} lives in another process, and its mailbox too")


class Offers:
    """Offers that wait for their answer."""

    def __init__(self) -> None:
        self._waiting: dict[int, Reply] = {}

    def begin(self, number: int) -> Reply:
        reply = self._waiting[number] = Reply()
        return reply

    def settle(self, number: int, taken: bool) -> None:
        self._waiting.pop(number).set(taken)


class _Watch(msgspec.Struct, frozen=True):
    sink: Callable[[Down], object]
    tag: object


class Watches:
    """What the actors of this process watch outside; a tag need not leave it."""

    def __init__(self) -> None:
        self._watches: dict[int, _Watch] = {}
        self._numbers = itertools.count(1)
        self._lock = Lock()

    def begin(self, sink: Callable[[Down], object], tag: object) -> int:
        with self._lock:
            number = next(self._numbers)
            self._watches[number] = _Watch(sink, tag)
            return number

    def end(self, frame: WatchEnded) -> None:
        with self._lock:
            watch = self._watches.pop(frame.watch)
        error: Any = frame.error and frame.error.error()
        watch.sink(Down(frame.target, frame.incarnation, watch.tag, frame.reason, error))
