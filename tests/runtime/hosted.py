"""Actors for processes, and what they can be told to do to their process."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from mats.runtime import Actor, Down, Ref, Stop
from tests.runtime.actors_for_tests import Boom, Forward

HELD: list[bytes] = []


class Do(msgspec.Struct, frozen=True):
    """Do this to the process: `act` is the name of a function below."""

    act: str
    value: Any = None


class Later(msgspec.Struct, frozen=True):
    """Be sent this after so many seconds."""

    seconds: float
    message: object


class Foreign(msgspec.Struct, frozen=True):
    pass


class Offer(msgspec.Struct, frozen=True):
    message: object


class Hosted(Actor[Do | Later | Boom | Forward | Offer | Down | int | str]):
    """Tells `out` what it is sent, with its incarnation and the process it is in; answers with the message."""

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]
        target: Ref[object] | None = None
        at_start: Do | None = None

    def __init__(self, args: Args) -> None:
        self.out, self.target, self.at_start = args.out, args.target, args.at_start

    def on_start(self) -> None:
        if self.target is not None:
            self.watch(self.target, tag=("any", {"thing"}))
        if self.at_start is not None:
            self.on_receive(self.at_start)
        self.out.tell(("started", self.incarnation, os.getpid()))

    def on_receive(self, message: Do | Later | Boom | Forward | Offer | Down | int | str) -> object:
        match message:
            case Do(act=act, value=value):
                return ACTS[act](self, value)
            case Later(seconds=seconds, message=later):
                self.after(seconds, later)  # type: ignore[arg-type]
            case Boom(text=text):
                raise ValueError(text)
            case Forward(to=to, message=forwarded):
                to.tell(forwarded)
            case Offer(message=offered):
                self.out.tell(self.target.offer(offered) if self.target else None)
            case _:
                self.out.tell((self.incarnation, message))
        return message

    def on_stop(self) -> None:
        self.out.tell("stopped")

    def on_failure(self, error: BaseException) -> None:
        self.out.tell(f"failed: {error}")

    def on_stop_asked(self, request: Stop | object) -> None:
        self.stop()


def _grow(_actor: Hosted, megabytes: int) -> None:
    HELD.extend(bytes(2**20) for _ in range(megabytes))


def _write_to_every_socket(_actor: Hosted, data: bytes) -> None:
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if descriptor.readlink().name.startswith("socket"):
                os.write(int(descriptor.name), data)
        except OSError:
            continue


def _tell_foreign(actor: Hosted, _value: object) -> None:
    code: dict[str, Any] = {"Struct": msgspec.Struct, "__name__": "nowhere_else"}
    exec("class Mine(Struct): pass", code)
    sys.modules["nowhere_else"] = type(sys)("nowhere_else")
    sys.modules["nowhere_else"].Mine = code["Mine"]  # type: ignore[attr-defined]
    actor.out.tell(code["Mine"]())


def _log(actor: Hosted, lines: int) -> None:
    for number in range(lines):
        actor.log.warning("a line", number=number, thing=HELD)


def _ids(actor: Hosted, count: int) -> None:
    actor.out.tell([actor.runtime.next_id() for _ in range(count)])


ACTS: dict[str, Any] = {
    "exit": lambda _actor, code: os._exit(code),
    "raise exit": lambda _actor, code: sys.exit(code),
    "signal": lambda _actor, number: os.kill(os.getpid(), signal.Signals(number)),
    "grow": _grow,
    "garbage": _write_to_every_socket,
    "foreign": _tell_foreign,
    "wait": lambda _actor, _value: threading.Event().wait(),
    "print": lambda _actor, megabytes: [print("x" * 1023) for _ in range(megabytes * 1024)] and None,
    "log": _log,
    "ids": _ids,
    "ask": lambda actor, _value: actor.runtime.ref("nobody").ask("what", timeout=1),
    "tell itself": lambda actor, message: actor.ref.tell(message),
    "random": lambda actor, _value: actor.random.random(),
    "time": lambda actor, _value: actor.clock.now(),
    "reply later": lambda actor, _value: _answer_later(actor),
}


def _answer_later(actor: Hosted) -> object:
    reply = actor.reply_later()
    threading.Timer(0.01, reply.set, ["late"]).start()
    return reply
