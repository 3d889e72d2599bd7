"""The control socket of a daemon: a Unix socket in its data directory that only its owner may use."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "mats.sock"
MAX_PATH_BYTES = 100
"""A socket's address holds 108 of them with its end (unix(7))."""
MAX_WAITING = 8
OWNER_ONLY = 0o600
ANSWER_SECONDS = 1.0


def listen(directory: Path) -> socket.socket:
    """Bind the address. A socket left by an earlier daemon is removed; raises OSError where a living one listens."""
    path = directory / NAME
    _remove_abandoned(directory)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.fchmod(listener.fileno(), OWNER_ONLY)  # before the name exists, so that no other user can connect
    with _short(directory) as address:
        listener.bind(address)
    path.chmod(OWNER_ONLY)
    listener.listen(MAX_WAITING)
    return listener


def _remove_abandoned(directory: Path) -> None:
    try:
        connect(directory, ANSWER_SECONDS).close()
    except OSError:
        (directory / NAME).unlink(missing_ok=True)
    else:
        raise OSError(errno.EADDRINUSE, f"another daemon listens at {directory / NAME}; stop it first")


def connect(directory: Path, timeout: float) -> socket.socket:
    """A connection to the daemon of the directory; `timeout` (seconds) holds for everything done with it.

    Raises OSError where no daemon listens.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        with _short(directory) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel reports it (SO_PEERCRED, unix(7))."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    """The socket's path; through an open descriptor of the directory where it would be too long for an address."""
    path = str(directory / NAME)
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield path
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
