"""The paper gateway as a child process: when it ends, this actor fails, and its supervisor restarts both."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import assert_never

import msgspec

from mats.runtime import Actor

CHECK_SECONDS = 0.5
STOP_SECONDS = 5.0
USAGE_ERROR = 2


class GatewayCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The command that runs the gateway, and where its output goes."""

    arguments: tuple[str, ...]
    log: Path


class GatewayDied(Exception):
    """The gateway process ended unexpectedly."""


class GatewayUnusable(GatewayDied):
    """The gateway process rejected its arguments; the text is its own sentence, and a restart would not help."""


class CheckProcess(msgspec.Struct, frozen=True):
    pass


class GatewayProcess(Actor[CheckProcess]):
    """Owns one process, which ends with its parent, however that ends. It counts as started when it listens."""

    class Args(msgspec.Struct, frozen=True):
        command: GatewayCommand

    def __init__(self, args: Args) -> None:
        self._command = args.command

    def on_start(self) -> None:
        with self._command.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.defer(self._end_process)
        assert self._process.stdout is not None
        if not self._process.stdout.readline().startswith(b"listening"):
            self._process.wait(STOP_SECONDS)
            if self._process.returncode == USAGE_ERROR:
                raise GatewayUnusable(self._last_line())
            raise GatewayDied(f"the paper gateway did not start: {self._last_line()}")
        self.every(CHECK_SECONDS, CheckProcess())

    def on_receive(self, message: CheckProcess) -> None:
        match message:
            case CheckProcess():
                self._check()
            case _:
                assert_never(message)

    def _check(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise GatewayDied(f"the paper gateway ended with code {code}: {self._last_line()}")

    def _last_line(self) -> str:
        """The end of its log, which for a usage error is one sentence."""
        lines = self._command.log.read_text(errors="replace").splitlines()
        return lines[-1].removeprefix("mats: ") if lines else f"{self._command.log} is empty"

    def on_stop(self) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)

    def _end_process(self) -> None:
        """Whichever way this actor ends; also while it waits for a gateway that does not say that it listens."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
