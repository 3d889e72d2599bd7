"""A stream socket as a link that carries whole payloads, each with its length before it."""

import socket
import struct
from threading import Lock

from mats.runtime.hosts.link.codec import BrokenFrame

MAX_BYTES = 64 * 2**20
"""No payload is longer; a length above it is no length."""
CHUNK_BYTES = 2**16
_LENGTH = struct.Struct("!I")


class Link:
    """Any number of writers, one reader."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = Lock()
        self._buffer = bytearray()

    def fileno(self) -> int:
        return self._end.fileno()

    def write(self, payload: bytes) -> None:
        """Send, and wait while the other side does not read. Raises OSError when it has gone."""
        if len(payload) > MAX_BYTES:
            raise BrokenFrame(f"a frame of {len(payload)} bytes is too long; {MAX_BYTES} is the most")
        with self._lock:
            self._end.sendall(_LENGTH.pack(len(payload)) + payload)

    def read(self) -> list[bytes] | None:
        """Wait for more bytes and return the payloads that are complete now; None when the other side has gone."""
        try:
            chunk = self._end.recv(CHUNK_BYTES)
        except OSError:
            return None
        if not chunk:
            return None
        self._buffer += chunk
        return self._complete()

    def _complete(self) -> list[bytes]:
        payloads, at = list[bytes](), 0
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if length > MAX_BYTES:
                raise BrokenFrame(f"a frame says that it has {length} bytes; {MAX_BYTES} is the most")
            begin, end = at + _LENGTH.size, at + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            payloads.append(bytes(self._buffer[begin:end]))
            at = end
        del self._buffer[:at]
        return payloads

    def close(self) -> None:
        self._end.close()
