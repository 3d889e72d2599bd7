"""Starts processes: by a small server that has loaded what they need, and forks one in a few milliseconds."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from threading import Lock

from mats.runtime.hosts.link import ProcessEnded

SERVER = "mats.runtime.hosts.child.server"
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "NUMEXPR")}
"""A process of one actor computes on one core, and a server that forks must have one thread."""
STATUS_SECONDS = 5.0
REPLY_BYTES = 4096


class Forked:
    """A process that the server has started: the link's socket, the pipe of its output, and its life.

    `life` is readable when the process has ended.
    """

    def __init__(self, pid: int, life: int, link: socket.socket, output: int, status: int) -> None:
        self.pid, self.life, self.link, self.output = pid, life, link, output
        self._status = status
        self._ended, self._lock = False, Lock()

    def kill(self) -> None:
        """End it at once; nothing of it runs on."""
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there still."""
        with self._lock:
            if not self._ended:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self.life, number)

    def ending(self) -> str:
        """How it ended, once `life` is readable: `with SIGSEGV`, `with exit code 3`."""
        with self._lock:
            self._ended = True
            os.close(self.life)
        readable, _, _ = select.select([self._status], [], [], STATUS_SECONDS)
        text = os.read(self._status, 32) if readable else b""
        os.close(self._status)
        if not text:
            return "for an unknown reason"
        code = os.waitstatus_to_exitcode(int(text))
        return f"with {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


class ForkServer:
    """One for a runtime, started when it is first needed. It ends with the runtime, and its processes with it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def prepare(self, module: str) -> None:
        """Start the server now, and let it load the module beside what else is done."""
        with self._lock:
            if self._control is None:
                self._start(module)

    def fork(self, module: str) -> Forked:
        """A new process, in which `module` is loaded. Raises ProcessEnded where there can be none."""
        link, its_link = socket.socketpair()
        output, its_output = os.pipe()
        status, its_status = os.pipe()
        try:
            pid, life = self._request(module, [its_link.fileno(), its_output, its_status])
        except BaseException:
            link.close()
            for mine in (output, status):
                os.close(mine)
            raise
        finally:
            its_link.close()
            for its in (its_output, its_status):
                os.close(its)
        return Forked(pid, life, link, output, status)

    def _request(self, module: str, descriptors: list[int]) -> tuple[int, int]:
        with self._lock:
            if self._control is None:
                self._start(module)
            assert self._control is not None
            try:
                socket.send_fds(self._control, [module.encode()], descriptors)
                text, received, _, _ = socket.recv_fds(self._control, REPLY_BYTES, 1)
            except OSError as error:
                text, received = str(error).encode(), []
            if not received:
                self._stop()
                raise ProcessEnded(f"no process was started: {text.decode() or 'the server of processes has ended'}")
        return int(text), received[0]

    def _start(self, module: str) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", SERVER, str(theirs.fileno()), module],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def stop(self) -> None:
        """End the server, and every process that it has started."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._control is not None and self._server is not None:
            self._control.close()
            self._server.wait()
            self._control = self._server = None
