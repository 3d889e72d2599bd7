"""The processes of one runtime: one for each actor that wants its own, and those that several share."""

import itertools
from threading import Lock

import structlog

from mats.runtime.hosts.link import Hello
from mats.runtime.hosts.process.fork_server import ForkServer
from mats.runtime.hosts.process.process import HostRuntime, Process, Resident
from mats.runtime.spec import OwnProcess

IDS_OF_A_PROCESS = 2**40
"""Each process counts its ids in a range of its own, so that none is given twice in a runtime."""


class Processes:
    """Starts a process when its first resident enters."""

    def __init__(self, runtime: HostRuntime) -> None:
        self._runtime = runtime
        self._server = ForkServer()
        self._lock = Lock()
        self._shared: dict[str, Process] = {}
        self._count = itertools.count(1)
        self._log = structlog.get_logger(name=runtime.name)

    def prepare(self, module: str) -> None:
        """Processes of actors in `module` will be wanted."""
        self._server.prepare(module)

    def enter(self, place: OwnProcess, resident: Resident, module: str) -> Process:
        """The process for an actor whose class is in `module`; raises ProcessEnded where it cannot be started."""
        if not place.name:
            return self._start(resident.name, place, resident, module)
        with self._lock:
            shared = self._shared.get(place.name)
            if shared is None or not shared.enter(resident):
                shared = self._shared[place.name] = self._start(place.name, place, resident, module)
            return shared

    def _start(self, name: str, place: OwnProcess, resident: Resident, module: str) -> Process:
        runtime = self._runtime
        forked = self._server.fork(module)
        process = Process(name, forked, place.memory_mb, runtime)
        process.enter(resident)
        process.write(
            Hello(
                process=name,
                runtime=runtime.name,
                seed=runtime.seed,
                clock=runtime.clock,
                first_id=next(self._count) * IDS_OF_A_PROCESS,
                memory_mb=place.memory_mb,
            )
        )
        process.start()
        self._log.info("process started", process=name, pid=forked.pid)
        return process

    def stop(self) -> None:
        """End all processes."""
        self._server.stop()
