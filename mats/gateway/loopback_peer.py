"""Whose process is at the other end of a TCP connection within this machine, as the kernel lists it (proc_net(5))."""

import socket
import struct
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"
"""In any other state the end may belong to nobody any more, and is listed with the user id 0."""
LOCAL, REMOTE, STATE, USER = 1, 2, 3, 7
"""Columns of the tables."""


def peer_uid(peer: tuple[str, int], own: tuple[str, int]) -> int | None:
    """The user id that owns the end at `peer` (IPv4 address and port) of a connection to `own`; None where unknown."""
    ends = [(_listed(peer), _listed(own)), (_mapped(peer), _mapped(own))]
    for table in TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            if (columns[LOCAL], columns[REMOTE]) in ends and columns[STATE] == ESTABLISHED:
                return int(columns[USER])
    return None


def _listed(end: tuple[str, int]) -> str:
    """An end as `/proc/net/tcp` writes it: the address as a number of this machine, in hexadecimal digits."""
    (address,) = struct.unpack("=I", socket.inet_aton(end[0]))
    return f"{address:08X}:{end[1]:04X}"


def _mapped(end: tuple[str, int]) -> str:
    """An IPv4 end of a socket for IPv6."""
    (prefix,) = struct.unpack("=I", b"\0\0\xff\xff")
    return f"{0:016X}{prefix:08X}{_listed(end)}"
