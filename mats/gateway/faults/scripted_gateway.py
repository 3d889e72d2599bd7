"""Replays a recorded session: a server that sends the recorded messages when a client repeats the recorded requests.

A connection gets the next recorded one of its client id. Messages up to the next request are sent at once; then the
script waits until the client has sent a request with that number; early requests count. Requests that are not (or no
longer) in the record are not answered and listed in `unexpected_requests`. Answers have the request ids of the record.
"""

from collections import Counter, defaultdict, deque
from pathlib import Path
from types import TracebackType

import structlog

from mats.gateway.faults.recording import RecordLine, read_record
from mats.gateway.faults.traffic import Traffic
from mats.gateway.listener import Listener
from mats.gateway.protocol import START_API, ClientSession, Fields, encode
from mats.venue import SystemClock

log = structlog.get_logger("mats.gateway")


class RecordedConnection:
    """The lines of one recorded connection, and the requests that arrived early."""

    def __init__(self, lines: list[RecordLine]) -> None:
        self._lines = deque(lines)
        self._early: Counter[str] = Counter()

    def accept_request(self, number: str) -> bool:
        """Counts a request; False if the rest of the record does not contain it."""
        waiting = sum(line.kind == "in" and line.fields[0] == number for line in self._lines)
        if waiting <= self._early[number]:
            return False
        self._early[number] += 1
        return True

    def pop_due(self) -> list[RecordLine]:
        """Removes and returns the lines to be played now."""
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
    """Plays a record: an async context manager. Raises ValueError if the record cannot be read, OSError if it cannot
    listen."""

    def __init__(self, record: Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._connections = _connections(record)
        self._playing: dict[ClientSession, RecordedConnection] = {}
        self._clock = clock = SystemClock()
        self._listener = Listener(host, port, lambda: ClientSession(self, Traffic(clock), clock), clock)
        self.unexpected_requests: list[str] = []

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
        self._listener.close()
        for session in tuple(self._playing):
            session.close()
        await self._clock.sleep(0)

    def on_connect(self, session: ClientSession) -> None:
        """Nothing is sent before the handshake."""

    def on_disconnect(self, session: ClientSession) -> None:
        self._playing.pop(session, None)

    def on_start(self, session: ClientSession, client_id: int) -> None:
        session.client_id = client_id
        if not self._connections[client_id]:
            self._on_unexpected(f"client {client_id} connected, but the record has no further connection of it")
            session.close()
            return
        self._playing[session] = self._connections[client_id].popleft()
        self._play(session)

    def on_request(self, session: ClientSession, number: int, fields: Fields) -> None:
        connection = self._playing.get(session)
        if connection and connection.accept_request(str(number)):
            self._play(session)
        else:
            self._on_unexpected(f"client {session.client_id} sent request {number}, not in the rest of the record")

    def _play(self, session: ClientSession) -> None:
        for line in self._playing[session].pop_due():
            if line.kind == "out":
                session.send_raw(encode(tuple(line.fields)))
            else:
                session.flush()
                session.close()
        session.flush()

    def _on_unexpected(self, text: str) -> None:
        log.warning("request not in the script", reason=text)
        self.unexpected_requests.append(text)


def _connections(record: Path) -> dict[int, deque[RecordedConnection]]:
    """The lines after startApi of each recorded connection, by client id."""
    connections: dict[int, list[RecordLine]] = defaultdict(list)
    for entry in read_record(record):
        connections[entry.connection].append(entry)
    by_client: dict[int, deque[RecordedConnection]] = defaultdict(deque)
    for lines in connections.values():
        for at, line in enumerate(lines):
            if line.kind == "in" and line.fields[0] == str(START_API):
                by_client[int(line.fields[2])].append(RecordedConnection(lines[at + 1 :]))
                break
    return by_client
