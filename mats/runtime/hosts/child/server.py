"""The server that forks processes of actors: one thread, no work of its own, so that a fork is quick and safe.

It is started with the number of a socket and the module that it loads first. Each request is the name of a module and
three descriptors: the link, the pipe for what is printed, and the pipe for the exit status. It ends with the socket,
and all its processes with it.
"""

import contextlib
import gc
import importlib
import os
import select
import socket
import sys
import traceback

from mats.end_with_parent import end_with_parent
from mats.runtime.hosts.child.main import live

REQUEST_BYTES = 4096
FAILED = 70


class Server:
    """`serve` returns when the other side of the control socket is closed."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._statuses: dict[int, tuple[int, int]] = {}
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._bury(descriptor)
                elif not self._answer():
                    return

    def _bury(self, life: int) -> None:
        """A process has ended: hand its status on."""
        pid, status = self._statuses.pop(life)
        self._poll.unregister(life)
        os.close(life)
        _, code = os.waitpid(pid, 0)
        try:
            os.write(status, str(code).encode())
        except BrokenPipeError:
            pass
        os.close(status)

    def _answer(self) -> bool:
        module, descriptors, _, _ = socket.recv_fds(self._control, REQUEST_BYTES, 3)
        if not module:
            return False
        link, output, status = descriptors
        try:
            _load(module.decode())
            pid, life = self._fork(link, output)
        except Exception as error:
            os.close(status)
            self._control.send(f"{type(error).__name__}: {error}"[:REQUEST_BYTES].encode())
        else:
            self._statuses[life] = (pid, status)
            self._poll.register(life, select.POLLIN)
            socket.send_fds(self._control, [str(pid).encode()], [life])
        os.close(link)
        os.close(output)
        return True

    def _fork(self, link: int, output: int) -> tuple[int, int]:
        """The number of the new process and a descriptor of its life."""
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                self._become_child(server, output)
                live(socket.socket(fileno=link))
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(FAILED)
        return pid, os.pidfd_open(pid)

    def _become_child(self, server: int, output: int) -> None:
        """Keep nothing of the server, and end when it does."""
        end_with_parent(server)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        self._control.close()
        for life, (_, status) in self._statuses.items():
            os.close(life)
            os.close(status)


def _load(module: str) -> None:
    """Load what all processes with this actor need, once, where they share it: the module, and what its function
    `before_forks` loads, if it has one."""
    if module not in sys.modules:
        getattr(importlib.import_module(module), "before_forks", _nothing)()
        gc.collect()
        gc.freeze()


def _nothing() -> None:
    """Most modules have nothing more to load."""


if __name__ == "__main__":
    control = socket.socket(fileno=int(sys.argv[1]))
    with contextlib.suppress(Exception):  # whoever asks for a process of this module gets the reason
        _load(sys.argv[2])
    Server(control).serve()
