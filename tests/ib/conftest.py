"""What the tests of the IB edge share: async tests, a listener, sessions, and a server that a test scripts."""

import asyncio
import inspect
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mats.ib import IbSession, Opened
from mats.ib.events import SessionEvent
from mats.runtime import SystemClock
from tests.patience import PATIENCE

CLOCK = SystemClock()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in a loop of its own; leftover tasks and unhandled errors are failures."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(_in_loop(pyfuncitem.obj(**arguments)))
    return True


async def _in_loop(test: Any) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with asyncio.timeout(PATIENCE):
        await test
    assert not complaints, complaints


class EventRecorder:
    """A sink that a test can wait on."""

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []
        self._more = asyncio.Event()

    def __call__(self, event: SessionEvent) -> None:
        self.events.append(event)
        self._more.set()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, enough: Callable[[list[SessionEvent]], Any]) -> Any:
        """The first true value of `enough(events)`."""
        async with asyncio.timeout(PATIENCE):
            while not (value := enough(self.events)):
                self._more.clear()
                await self._more.wait()
        return value

    async def first(self, kind: type) -> Any:
        return (await self.until(lambda _: self.of(kind)))[0]


@asynccontextmanager
async def _session(
    port: int, client_id: int = 1, **options: Any
) -> AsyncIterator[tuple[IbSession, EventRecorder, Opened]]:
    recorded = EventRecorder()
    session = IbSession(client_id, recorded, clock=CLOCK.now, monotonic=CLOCK.monotonic, **options)
    try:
        yield session, recorded, await session.connect("127.0.0.1", port, PATIENCE)
    finally:
        session.close()


@pytest.fixture
def open_session() -> Callable[..., Any]:
    """`async with open_session(port, client_id=1) as (session, recorded, opened)`."""
    return _session


@pytest.fixture
def new_recorder() -> type[EventRecorder]:
    return EventRecorder


Message = tuple[object, ...]
Answers = dict[int, Callable[[list[str]], Iterable[Message]]]

START_UP: tuple[Message, ...] = ((15, 1, "DU1"), (9, 1, 100))


def frame(*fields: object) -> bytes:
    body = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


class Script:
    """A gateway that finishes the handshake and then answers only what `answers` says, by request number."""

    def __init__(self, answers: Answers, start_up: Iterable[Message] | None, version: int, time: str) -> None:
        self.answers, self.start_up, self.version, self.time = answers, start_up, version, time
        self.received: list[list[str]] = []
        self.port = 0
        self._writer: asyncio.StreamWriter | None = None
        self._more = asyncio.Event()

    def push(self, *messages: Message) -> None:
        """Send messages in one write, which loopback delivers as one packet."""
        self.push_raw(b"".join(frame(*message) for message in messages))

    def push_raw(self, data: bytes) -> None:
        assert self._writer
        self._writer.write(data)

    def close(self) -> None:
        assert self._writer
        self._writer.transport.abort()

    async def got(self, number: int, times: int = 1) -> list[list[str]]:
        """The requests with this number, once there are so many."""
        async with asyncio.timeout(PATIENCE):
            while len(found := [fields for fields in self.received if fields[0] == str(number)]) < times:
                self._more.clear()
                await self._more.wait()
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            await reader.readexactly(4)
            await self._read(reader)
            if self.version:
                self.push((self.version, self.time))
            while True:
                self._answer(await self._read(reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, fields: list[str]) -> None:
        self.received.append(fields)
        self._more.set()
        if fields[0] == "71":
            if self.start_up is None:
                self.close()
            else:
                self.push(*self.start_up)
        elif fields[0] in map(str, self.answers) and (messages := list(self.answers[int(fields[0])](fields))):
            self.push(*messages)

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> list[str]:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return (await reader.readexactly(length)).decode().split("\0")[:-1]


@asynccontextmanager
async def _scripted(
    answers: Answers | None = None,
    start_up: Iterable[Message] | None = START_UP,
    version: int = 178,
    time: str = "20260413 15:27:04 EST",
) -> AsyncIterator[Script]:
    script = Script(answers or {}, start_up, version, time)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()


@pytest.fixture
def scripted() -> Callable[..., Any]:
    """`async with scripted(answers) as script`."""
    return _scripted


SPY = (756733, "SPY", "STK", "", 0.0, "", "", "SMART", "USD", "SPY", "SPY")


def _execution(
    exec_id: str, request_id: object = -1, time: str = "20260413 15:27:04 US/Eastern", quantity: object = 100
) -> Message:
    """execDetails of a purchase of SPY at 512.31 by client 1."""
    return (
        *(11, request_id, 7, *SPY, exec_id, time, "DU1", "ARCA", "BOT", quantity, 512.31, 900, 1, 0),
        *(quantity, 512.31, "ibs:i7", "", "", "", 1, 0),
    )


@pytest.fixture
def execution() -> Callable[..., Message]:
    return _execution


def _snapshot(executions: Iterable[Message] = ()) -> Answers:
    """The answers of a gateway with nothing but these executions (whose request id is replaced)."""
    received = list(executions)
    return {
        61: lambda _: [(62, 1)],
        5: lambda _: [(53, 1)],
        16: lambda _: [(53, 1)],
        99: lambda _: [(102,)],
        7: lambda request: [*[(11, request[2], *message[2:]) for message in received], (55, 1, request[2])],
        49: lambda _: [(49, 1, 1_776_108_424)],
    }


@pytest.fixture
def snapshot_answers() -> Callable[..., Answers]:
    return _snapshot
