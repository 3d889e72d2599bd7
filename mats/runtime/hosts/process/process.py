"""One process of actors: what it says is read, and its end noticed, on a thread of its own."""

import logging
import select
import signal
from threading import Lock, Thread
from typing import Any, Protocol, assert_never

import structlog

from mats.runtime.hosts.link import (
    ActorEnded,
    ActorStarted,
    Answered,
    BrokenFrame,
    FromProcess,
    Handled,
    LineLimit,
    Link,
    Logged,
    LostInside,
    Noticed,
    Offered,
    ProcessEnded,
    Told,
    ToProcess,
    Watched,
    decode_plain,
    encode,
)
from mats.runtime.hosts.process.fork_server import Forked
from mats.runtime.hosts.process.output import LINES, Output
from mats.runtime.interfaces import Supervision
from mats.runtime.messaging import DeadLetters, Envelope, Ref

LEVELS = logging.getLevelNamesMapping()


class HostRuntime(Supervision, Protocol):
    """The runtime as its processes see it."""

    name: str
    dead_letters: DeadLetters


class Resident(Protocol):
    """An actor of the process, as the runtime has it. All calls come from the thread of the process."""

    name: str

    def progressed(self, frame: ActorStarted | Handled) -> None: ...

    def answered(self, frame: Answered) -> None: ...

    def watch_for(self, frame: Watched) -> None: ...

    def ended(self, error: Exception | None) -> None: ...


class Process:
    """A process and its residents. When it ends without a goodbye, each of them fails with one sentence."""

    def __init__(self, name: str, forked: Forked, memory_mb: int, runtime: HostRuntime) -> None:
        self.name = name
        self._forked, self._memory_mb, self._runtime = forked, memory_mb, runtime
        self._link = Link(forked.link)
        self._output = Output(forked.output, name, LineLimit(LINES, runtime.monotonic))
        self._residents: dict[str, Resident] = {}
        self._lock = Lock()
        self._closing = False

    def start(self) -> None:
        Thread(target=self._run, name=f"process {self.name}", daemon=True).start()

    def enter(self, resident: Resident) -> bool:
        """Take one more resident; False where the process is ending."""
        with self._lock:
            if not self._closing:
                self._residents[resident.name] = resident
            return not self._closing

    def leave(self, resident: Resident, *, over: bool) -> None:
        """A resident is gone. Unless it is `over` there too, or others are left, the process ends now."""
        with self._lock:
            self._residents.pop(resident.name, None)
            self._closing = self._closing or not over or not self._residents
            closing = self._closing
        if closing:
            self._forked.kill()

    def kill(self) -> None:
        """End the process at once, with all residents."""
        with self._lock:
            self._closing = True
        self._forked.kill()

    def print_stacks(self) -> None:
        """Have it print where its threads are, which it can whatever they do; see `Output`."""
        self._forked.send(signal.SIGUSR1)

    def write(self, frame: ToProcess) -> None:
        """Send a frame. One that cannot be sent because the process has gone is dropped: its end is told anyway."""
        try:
            self._link.write(encode(frame))
        except OSError:
            return

    # The thread

    def _run(self) -> None:
        broken = ""
        try:
            self._read_until_its_end()
        except BrokenFrame as error:
            broken = str(error)
            self.kill()
        except BaseException as error:
            broken = repr(error)
            self.kill()
        self._close(broken)

    def _read_until_its_end(self) -> None:
        sources: dict[int, Link | Output] = {self._link.fileno(): self._link, self._output.fileno(): self._output}
        poll = select.poll()
        for descriptor in (*sources, self._forked.life):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(_milliseconds(self._output.due))]
            if not ready:
                self._output.tell_missed()
            if ready == [self._forked.life]:
                return
            for source in [sources[descriptor] for descriptor in ready if descriptor in sources]:
                if not self._read(source):
                    poll.unregister(source.fileno())

    def _read(self, source: Link | Output) -> bool:
        """Take what has come; False at the end of the source."""
        if isinstance(source, Output):
            return source.read()
        payloads = source.read()
        for payload in payloads or ():
            self._take(decode_plain(payload, self._ref))
        return payloads is not None

    def _ref(self, name: str) -> Ref[Any]:
        return self._runtime.ref(name)

    def _take(self, frame: FromProcess) -> None:
        match frame:
            case Told():
                self._pass_on(frame)
            case ActorStarted(name=name) | Handled(name=name):
                self._resident(name).progressed(frame)
            case Answered(name=name):
                self._resident(name).answered(frame)
            case ActorEnded(name=name, error=error):
                self._resident(name).ended(None if error is None else error.error())
            case Watched(name=name):
                self._resident(name).watch_for(frame)
            case LostInside(letter=letter):
                self._runtime.dead_letters.record(letter)
            case Noticed(event=event):
                self._runtime.emit(event)
            case Logged(level=level, event=event, fields=fields):
                structlog.get_logger().log(LEVELS.get(level.upper(), logging.INFO), event, **fields)
            case _:
                assert_never(frame)

    def _resident(self, name: str) -> Resident:
        with self._lock:
            resident = self._residents.get(name)
        if resident is None:
            raise BrokenFrame(f"a frame is about {name}, which does not live there")
        return resident

    def _pass_on(self, told: Told) -> None:
        envelope = Envelope(told.message, None, told.id, told.cause, told.root, self._runtime.monotonic())
        refusal = "stale" if self._closing else told.to.deliver(envelope)
        if told.offer:
            self.write(Offered(told.offer, refusal is None))
        elif refusal is not None:
            self._runtime.lose(told.to.name, envelope, refusal)

    def _close(self, broken: str) -> None:
        """Everything is read, or of no use: tell the residents that are left."""
        select.select([self._forked.life], [], [])
        ending = self._forked.ending()
        with self._lock:
            self._closing = True
            left = tuple(self._residents.values())
        self._output.close()
        for resident in left:
            resident.ended(ProcessEnded(self._sentence(resident.name, broken, ending)))
        self._link.close()

    def _sentence(self, resident: str, broken: str, ending: str) -> str:
        which = f"the process of {resident}" if resident == self.name else f"the process {self.name}"
        if broken:
            return f"{which} sent what cannot be read, and was killed: {broken}"
        limit = f"; it may allocate {self._memory_mb} MiB (memory_mb)" if self._memory_mb else ""
        return f"{which} ended {ending}{limit}"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1 + seconds * 1000
