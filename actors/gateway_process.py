"""The paper gateway as a child process: when it dies, so does this actor, and the supervisor makes another."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from mats.runtime import Actor

LOOK_SECONDS = 0.5
STOP_SECONDS = 5.0
FAULT_OF_USE = 2


class GatewayCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The command that runs the gateway, and where its output goes."""

    arguments: tuple[str, ...]
    log: Path


class GatewayDied(Exception):
    """The gateway process ended by itself."""


class GatewayUnusable(GatewayDied):
    """The gateway process refused what it was asked; the text is its own sentence, and trying again is of no use."""


class LookAtProcess(msgspec.Struct, frozen=True):
    pass


class GatewayProcess(Actor):
    """Owns one process, which ends with its parent, however that ends. Started means that it listens."""

    def __init__(self, command: GatewayCommand) -> None:
        self._command = command

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
        assert self._process.stdout is not None
        if not self._process.stdout.readline().startswith(b"listening"):
            self._process.wait(STOP_SECONDS)
            if self._process.returncode == FAULT_OF_USE:
                raise GatewayUnusable(self._last_words())
            raise GatewayDied(f"the paper gateway did not start: {self._last_words()}")
        self.every(LOOK_SECONDS, LookAtProcess())

    def on_receive(self, message: object) -> object:
        match message:
            case LookAtProcess():
                self._look()
            case _:
                return super().on_receive(message)
        return None

    def _look(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise GatewayDied(f"the paper gateway ended with code {code}: {self._last_words()}")

    def _last_words(self) -> str:
        """The end of its log, which for a fault of use is one sentence."""
        lines = self._command.log.read_text(errors="replace").splitlines()
        return lines[-1].removeprefix("mats: ") if lines else f"it left no word in {self._command.log}"

    def on_stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def on_failure(self, error: BaseException) -> None:
        self._process.kill()
        self._process.wait()
