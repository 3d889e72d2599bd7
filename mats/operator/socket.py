"""Where a running daemon is reached: a Unix socket in its data directory that only its owner may use."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "mats.sock"
LONGEST_PATH = 100
"""Bytes; a socket's address holds 108 of them with its end (unix(7))."""
MOST_WAITING = 8
OWNER_ONLY = 0o600


def listen(directory: Path) -> socket.socket:
    """Take the address. What an ended daemon left there is removed: whoever holds the directory's lock is alone."""
    path = directory / NAME
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.fchmod(listener.fileno(), OWNER_ONLY)  # before the name exists, so that nobody else ever could connect
    with _short(directory) as address:
        listener.bind(address)
    path.chmod(OWNER_ONLY)
    listener.listen(MOST_WAITING)
    return listener


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
    """The user id of the process at the other end, as the kernel tells it (SO_PEERCRED, unix(7))."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    """The socket's path; through an open descriptor of the directory where it would be too long for an address."""
    path = str(directory / NAME)
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield path
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
