"""The embedded paper gateway as a child process: when it dies, so does this actor, and the supervisor makes another."""

import subprocess
import sys
from pathlib import Path

import msgspec

from mats.runtime import Actor

LOOK_SECONDS = 0.5
STOP_SECONDS = 5.0


class GatewayCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The command that runs the gateway, and where its output goes."""

    arguments: tuple[str, ...]
    log: Path


class GatewayDied(Exception):
    """The gateway process ended by itself."""


class LookAtProcess(msgspec.Struct, frozen=True):
    pass


class GatewayProcess(Actor):
    """Owns one process. It ends with its parent, however that ends."""

    def __init__(self, command: GatewayCommand) -> None:
        self._command = command

    def on_start(self) -> None:
        with self._command.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
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
            raise GatewayDied(f"the paper gateway ended with code {code}; its last words are in {self._command.log}")

    def on_stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def on_failure(self, error: BaseException) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
