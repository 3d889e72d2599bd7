"""What a process prints: read to the end, so that it never waits, and logged within a limit."""

import os

import structlog

from mats.runtime.hosts.link import LineLimit

LINES = 40
"""So many printed lines a minute are logged."""
CHUNK_BYTES = 2**16
LINE_BYTES = 1_000
"""Of a longer line this much is logged."""


class Output:
    """The read end of the pipe that the process prints to. `due`: in how many seconds `tell_missed` has something."""

    def __init__(self, pipe: int, process: str, limit: LineLimit) -> None:
        self._pipe, self._process, self._limit = pipe, process, limit
        self._log = structlog.get_logger(name=process)
        self._rest = b""
        self._bytes = 0

    def fileno(self) -> int:
        return self._pipe

    def read(self) -> bool:
        """Take what there is; False at the end of the pipe."""
        chunk = os.read(self._pipe, CHUNK_BYTES)
        self._bytes += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[:LINE_BYTES]
        for line in lines:
            self._show(line)
        return bool(chunk)

    def _show(self, line: bytes) -> None:
        if line.strip() and self._limit.passes():
            self._log.info("printed", text=line[:LINE_BYTES].decode(errors="replace"))

    @property
    def due(self) -> float | None:
        return self._limit.seconds_left if self._limit.waiting else None

    def tell_missed(self) -> None:
        """Say once what was not logged."""
        if missed := self._limit.missed():
            self._log.warning(
                f"{self._process} printed {self._bytes / 2**20:.1f} MiB so far; {missed} lines were not logged"
            )

    def close(self) -> None:
        self._show(self._rest)
        self.tell_missed()
        os.close(self._pipe)
