"""The daemon's control socket: an edge beside the actors, where lines of JSON become requests to the operator core.

Each client has a thread of its own and sends one line after the other; each line is answered by one line. A line that
is too long, or one client too many, ends that connection and no other.
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

from mats.errors import UserError
from mats.operator import NAME, listen, peer_uid, protocol

MAX_LINE_BYTES = 1 << 16
MAX_CLIENTS = 8
IDLE_SECONDS = 60.0
END_SECONDS = 2.0

_requests = msgspec.json.Decoder(protocol.Request)

Answer = Callable[[protocol.Request, str], protocol.BaseResponse]
"""The response to a request of a user, by name."""


class ControlSocketError(UserError):
    """The address cannot be used; the message says why, and what to do."""


class ControlSocket:
    """Listens while it is entered; a context manager. Raises ControlSocketError where it cannot listen."""

    def __init__(self, directory: Path, answer: Answer) -> None:
        self._directory, self._respond = directory, answer
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._log = structlog.get_logger(name="control-socket")

    def __enter__(self) -> "ControlSocket":
        try:
            self._listener = listen(self._directory)
        except OSError as error:
            raise ControlSocketError(
                f"the control socket {self._directory / NAME} cannot be made ({error.strerror}); remove what is in its "
                "place, or stop the daemon that listens there"
            ) from error
        self._own = (self._directory / NAME).stat()
        self._thread = threading.Thread(target=self._accept, name="control-socket", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove_address()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._listener.close()
        with self._lock:
            for client in self._clients:
                with contextlib.suppress(OSError):  # it has disconnected by itself
                    client.shutdown(socket.SHUT_RD)
        self._thread.join(END_SECONDS)

    def _remove_address(self) -> None:
        """Where the directory was renamed, another daemon may listen at this path."""
        path = self._directory / NAME
        with contextlib.suppress(OSError):  # it is gone
            if os.path.samestat(path.stat(), self._own):
                path.unlink()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the socket has been closed
                return
            connection.settimeout(IDLE_SECONDS)
            if self._admitted(connection):
                threading.Thread(
                    target=self._run_client, args=(connection,), name="control-client", daemon=True
                ).start()

    def _admitted(self, connection: socket.socket) -> bool:
        """Whether there is room for one more client; one too many is told so and disconnected."""
        with self._lock:
            if len(self._clients) < MAX_CLIENTS:
                self._clients.add(connection)
                return True
        with connection, contextlib.suppress(OSError):  # it has disconnected already
            _send(connection, protocol.RequestRefused(reason=f"{MAX_CLIENTS} clients are connected; try again later"))
        return False

    def _run_client(self, connection: socket.socket) -> None:
        """Serve a client of this user or of root."""
        try:
            uid = peer_uid(connection)
            if uid in (os.getuid(), 0):
                self._serve(connection, _user(uid))
            else:
                _send(
                    connection,
                    protocol.RequestRefused(reason="this daemon belongs to another user; run the command as that user"),
                )
        except OSError as error:  # it has disconnected, or been idle for too long
            self._log.info("client disconnected", reason=str(error))
        finally:
            with self._lock:
                self._clients.discard(connection)
            connection.close()

    def _serve(self, connection: socket.socket, who: str) -> None:
        with connection.makefile("rb") as lines:
            while line := lines.readline(MAX_LINE_BYTES):
                if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                    _send(connection, protocol.RequestRefused(reason=f"a line is longer than {MAX_LINE_BYTES} bytes"))
                    return
                _send(connection, self._answer(line, who))

    def _answer(self, line: bytes, who: str) -> protocol.BaseResponse:
        """An error of the core is reported to the client and logged: a bad request must not close the socket."""
        try:
            return self._respond(_requests.decode(line), who)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return protocol.RequestRefused(reason=f"the request cannot be decoded: {error}")
        except Exception as error:
            self._log.exception("request failed", request=line.decode(errors="replace"))
            return protocol.RequestRefused(
                reason=f"the request failed in the daemon ({type(error).__name__}: {error}); see its log"
            )


def _send(connection: socket.socket, answer: protocol.BaseResponse) -> None:
    connection.sendall(msgspec.json.encode(answer) + b"\n")


def _user(uid: int) -> str:
    """The name of a user of this machine, or the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
