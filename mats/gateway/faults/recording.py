"""Records everything sent and received, as JSON lines.

A line holds the time of the gateway in nanoseconds, the number of the connection (from 1), and its kind: `open`,
`in` (a request), `out` (a message) or `close`. The fields are those on the wire, in the version of the client.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from mats.gateway.protocol import ClientSession, decode
from mats.model import Nanos

Kind = Literal["open", "in", "out", "close"]


class RecordLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a record."""

    time: Nanos
    connection: int
    kind: Kind
    fields: list[str] = []


class Recorder:
    """Writes the record unbuffered, line by line. Raises OSError if the file cannot be written."""

    def __init__(self, path: Path, now: Callable[[], Nanos]) -> None:
        self._file, self._now = path.open("ab", buffering=0), now
        self._numbers: dict[ClientSession, int] = {}
        self._connections = 0

    def on_connect(self, session: ClientSession) -> None:
        self._connections += 1
        self._numbers[session] = self._connections
        self._write(session, "open", [])

    def on_request(self, session: ClientSession, fields: list[str]) -> None:
        self._write(session, "in", fields)

    def on_write(self, session: ClientSession, frames: list[bytes]) -> None:
        for frame in frames:
            for fields in decode(frame):
                self._write(session, "out", fields)

    def on_disconnect(self, session: ClientSession) -> None:
        self._write(session, "close", [])
        self._numbers.pop(session, None)

    def close(self) -> None:
        self._file.close()

    def _write(self, session: ClientSession, kind: Kind, fields: list[str]) -> None:
        number = self._numbers.get(session)
        if number:
            self._file.write(msgspec.json.encode(RecordLine(self._now(), number, kind, fields)) + b"\n")


def read_record(path: Path) -> Iterator[RecordLine]:
    """The lines of a record; raises ValueError with the number of a line that cannot be read."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield msgspec.json.decode(line, type=RecordLine)
            except msgspec.DecodeError as error:
                raise ValueError(f"record {path}, line {number}: {error}; fix or remove the line") from error
