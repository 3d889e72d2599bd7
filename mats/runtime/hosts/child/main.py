"""The life of a process of actors: it reads the link until it is killed."""

import faulthandler
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any, assert_never

from mats.runtime.hosts.child.runtime import ChildRuntime
from mats.runtime.hosts.link import (
    Deliver,
    End,
    Hello,
    Launch,
    Link,
    Offered,
    ToProcess,
    WatchEnded,
    decode,
)
from mats.runtime.messaging import Drain, Ref

ORPHANED = 71
NICE = 5
"""However busy such processes are, the runtime's own comes first."""


def live(end: socket.socket) -> None:
    """Be the process at this end of a link; does not return."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    os.nice(NICE)
    link = Link(end)
    runtime: ChildRuntime | None = None
    while (payloads := link.read()) is not None:
        for payload in payloads:
            if runtime is None:
                runtime = _make_runtime(link, payload)
            else:
                _take(runtime, decode(payload, runtime.far_ref))
    os._exit(ORPHANED)


def _make_runtime(link: Link, payload: bytes) -> ChildRuntime:
    hello: Hello = decode(payload, _no_ref)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # a fork has the state of the server
    if hello.memory_mb:
        _limit_memory(hello.memory_mb)
    return ChildRuntime(link, hello)


def _no_ref(name: str) -> Ref[Any]:
    raise TypeError(f"a greeting holds no refs, not even that of {name}")


def _limit_memory(megabytes: int) -> None:
    """Allow so many MiB beyond what is allocated now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
    limit = kilobytes * 1024 + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _take(runtime: ChildRuntime, frame: ToProcess) -> None:
    match frame:
        case Deliver():
            runtime.deliver(frame)
        case Launch():
            runtime.host(frame)
        case End(name=name, request=request):
            ref = runtime.slot(name).ref
            if isinstance(request, Drain):
                ref.stop()
            else:
                ref.signal(request)
        case Offered(offer=number, taken=taken):
            runtime.offers.settle(number, taken)
        case WatchEnded():
            runtime.watches.end(frame)
        case Hello():
            raise ValueError("a process is greeted once")
        case _:
            assert_never(frame)
