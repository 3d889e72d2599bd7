"""A recorded session played again: a server that says what a gateway once said, when a client asks what was once
asked.

A connection gets the next recorded one of its client id. What was sent up to the next request goes out at once; then
the script waits until the client has sent a request of that number, early ones counting. Requests that the record does
not have (any more) are left unanswered and kept in `surprises`. Answers carry the request ids of the record.
"""

from collections import Counter, defaultdict, deque
from pathlib import Path
from types import TracebackType

import structlog

from mats.gateway.faults.recording import Entry, read_record
from mats.gateway.faults.traffic import Traffic
from mats.gateway.listener import Listener
from mats.gateway.protocol import START_API, ClientSession, Fields, encode
from mats.venue import SystemClock

log = structlog.get_logger("mats.gateway")


class Part:
    """The lines of one recorded connection, and the requests that came before their turn."""

    def __init__(self, lines: list[Entry]) -> None:
        self._lines = deque(lines)
        self._early: Counter[str] = Counter()

    def asked(self, number: str) -> bool:
        """Notes a request; False where the rest of the record does not have it."""
        waiting = sum(line.kind == "in" and line.fields[0] == number for line in self._lines)
        if waiting <= self._early[number]:
            return False
        self._early[number] += 1
        return True

    def due(self) -> list[Entry]:
        """What goes out now."""
        due = []
        while self._lines:
            line = self._lines[0]
            if line.kind == "in":
                if not self._early[line.fields[0]]:
                    break
                self._early[line.fields[0]] -= 1
            else:
                due.append(line)
            self._lines.popleft()
        return due


class ScriptedGateway:
    """Plays a record: an async context manager. Raises ValueError where the record cannot be read, OSError where it
    cannot listen."""

    def __init__(self, record: Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._parts = _parts(record)
        self._playing: dict[ClientSession, Part] = {}
        self._clock = clock = SystemClock()
        self._listener = Listener(host, port, lambda: ClientSession(self, Traffic(clock), clock), clock)
        self.surprises: list[str] = []

    @property
    def host(self) -> str:
        return self._listener.host

    @property
    def port(self) -> int:
        return self._listener.port

    async def __aenter__(self) -> "ScriptedGateway":
        await self._listener.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shut()
        for session in tuple(self._playing):
            session.close()
        await self._clock.sleep(0)

    def opened(self, session: ClientSession) -> None:
        """Nothing is said before the greeting."""

    def closed(self, session: ClientSession) -> None:
        self._playing.pop(session, None)

    def start(self, session: ClientSession, client_id: int) -> None:
        session.client_id = client_id
        if not self._parts[client_id]:
            self._surprise(f"client {client_id} connects, and the record has no such connection left")
            session.close()
            return
        self._playing[session] = self._parts[client_id].popleft()
        self._play(session)

    def request(self, session: ClientSession, number: int, fields: Fields) -> None:
        part = self._playing.get(session)
        if part and part.asked(str(number)):
            self._play(session)
        else:
            self._surprise(f"client {session.client_id} sends request {number}, which the record has no more of")

    def _play(self, session: ClientSession) -> None:
        for line in self._playing[session].due():
            if line.kind == "out":
                session.send_raw(encode(tuple(line.fields)))
            else:
                session.flush()
                session.close()
        session.flush()

    def _surprise(self, words: str) -> None:
        log.warning("not in the script", what=words)
        self.surprises.append(words)


def _parts(record: Path) -> dict[int, deque[Part]]:
    """What follows the greeting of each recorded connection, by client id."""
    connections: dict[int, list[Entry]] = defaultdict(list)
    for entry in read_record(record):
        connections[entry.connection].append(entry)
    parts: dict[int, deque[Part]] = defaultdict(deque)
    for lines in connections.values():
        for at, line in enumerate(lines):
            if line.kind == "in" and line.fields[0] == str(START_API):
                parts[int(line.fields[2])].append(Part(lines[at + 1 :]))
                break
    return parts
