"""The daemon's control socket: an edge beside the actors, where lines of JSON become questions to the operator core.

Each connection has a thread of its own and sends one line after the other; each line is answered by one line. A line
that is too long, or one caller too many, ends that connection and harms nobody else.
"""

import contextlib
import os
import pwd
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec
import structlog

from mats.operator import NAME, listen, peer_uid, protocol

LONGEST_LINE = 1 << 16
MOST_CALLERS = 8
IDLE_SECONDS = 60.0
END_SECONDS = 2.0

_requests = msgspec.json.Decoder(protocol.Request)

Answering = Callable[[protocol.Request, str], protocol.BaseResponse]
"""What the operator core makes of a request of a user, by name."""


class ControlSocket:
    """Listens while it is entered; a context manager. Raises OSError where it cannot listen."""

    def __init__(self, directory: Path, answering: Answering) -> None:
        self._directory, self._answering = directory, answering
        self._callers: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._log = structlog.get_logger(name="operator-port")

    def __enter__(self) -> "ControlSocket":
        self._listener = listen(self._directory)
        self._thread = threading.Thread(target=self._accept, name="operator-port", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self._directory / NAME).unlink(missing_ok=True)
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._listener.close()
        with self._lock:
            for caller in self._callers:
                with contextlib.suppress(OSError):  # it has gone by itself
                    caller.shutdown(socket.SHUT_RD)
        self._thread.join(END_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the port has been closed
                return
            connection.settimeout(IDLE_SECONDS)
            if self._admitted(connection):
                threading.Thread(target=self._welcome, args=(connection,), name="operator-caller", daemon=True).start()

    def _admitted(self, connection: socket.socket) -> bool:
        """Whether there is room for one more caller; one for whom there is none is told so and let go."""
        with self._lock:
            if len(self._callers) < MOST_CALLERS:
                self._callers.add(connection)
                return True
        with connection, contextlib.suppress(OSError):  # it has gone before it could be told
            _send(connection, protocol.RequestRefused(reason=f"{MOST_CALLERS} callers are served already; try again"))
        return False

    def _welcome(self, connection: socket.socket) -> None:
        """Serve a caller of this user or of root."""
        try:
            uid = peer_uid(connection)
            if uid in (os.getuid(), 0):
                self._serve(connection, _user(uid))
            else:
                _send(
                    connection, protocol.RequestRefused(reason="this daemon belongs to another user; ask as that user")
                )
        except OSError as error:  # the caller has gone, or said nothing for too long
            self._log.info("a caller has gone", reason=str(error))
        finally:
            with self._lock:
                self._callers.discard(connection)
            connection.close()

    def _serve(self, connection: socket.socket, who: str) -> None:
        with connection.makefile("rb") as lines:
            while line := lines.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    _send(connection, protocol.RequestRefused(reason=f"a line is longer than {LONGEST_LINE} bytes"))
                    return
                _send(connection, self._answer(line, who))

    def _answer(self, line: bytes, who: str) -> protocol.BaseResponse:
        """An error of the core is told to the caller and logged: one bad question must not close the port."""
        try:
            return self._answering(_requests.decode(line), who)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return protocol.RequestRefused(reason=f"the request cannot be read: {error}")
        except Exception as error:
            self._log.exception("a request failed", request=line.decode(errors="replace"))
            return protocol.RequestRefused(
                reason=f"the daemon failed at it ({type(error).__name__}: {error}); its log says more"
            )


def _send(connection: socket.socket, answer: protocol.BaseResponse) -> None:
    connection.sendall(msgspec.json.encode(answer) + b"\n")


def _user(uid: int) -> str:
    """The name of a user of this machine, or the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
