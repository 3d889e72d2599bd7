"""A few actors that the tests share."""

from typing import Any

import msgspec
from msgspec.structs import replace

from mats.runtime import Actor, ChildSpec, Down, Ref, Runtime, SupervisorSpec, VirtualRuntime
from mats.runtime.testing import Probe
from tests.patience import PATIENCE


def expect_no_more(runtime: Runtime, probe: Probe) -> None:
    """Nothing has come to the probe that was not looked at, nor does it for a while where time is virtual."""
    if isinstance(runtime, VirtualRuntime):
        runtime.advance(60)
    probe.ref.tell("marker")
    probe.expect_message("marker")


def patient(spec: SupervisorSpec) -> SupervisorSpec:
    """The tree with all the time of a slow machine, where a child has no deadline of its own."""

    def waits(child: ChildSpec[Any] | SupervisorSpec) -> ChildSpec[Any] | SupervisorSpec:
        if isinstance(child, SupervisorSpec):
            return patient(child)
        usual = {field: getattr(defaults, field) for field in ("start_deadline", "stop_deadline")}
        return replace(child, **{field: PATIENCE for field, value in usual.items() if getattr(child, field) == value})

    defaults = ChildSpec(name="defaults", actor=Teller, args=Teller.Args())
    return replace(spec, children=tuple(waits(child) for child in spec.children))


class Note(msgspec.Struct, frozen=True):
    n: object


class Boom(msgspec.Struct, frozen=True):
    text: str = "boom"


class Forward(msgspec.Struct, frozen=True):
    to: Ref[object]
    message: object


class Teller(Actor[object]):
    """Tells `out` what it gets, with its incarnation; raises at a Boom; answers asks with the message."""

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object] | None = None

    def __init__(self, args: Args = Args()) -> None:  # noqa: B008
        self.out = args.out

    def on_receive(self, message: object) -> object:
        if isinstance(message, Boom):
            raise ValueError(message.text)
        if isinstance(message, Forward):
            message.to.tell(message.message)
        elif self.out is not None:
            self.out.tell((self.incarnation, message))
        return message


class Watcher(Actor[object]):
    """Watches `target` from its start and tells `out` each Down."""

    class Args(msgspec.Struct, frozen=True):
        target: Ref[object]
        out: Ref[object]

    def __init__(self, args: Args) -> None:
        self.target, self.out = args.target, args.out

    def on_start(self) -> None:
        self.watch(self.target, "tag")

    def on_receive(self, message: object) -> None:
        if isinstance(message, Down):
            self.out.tell(message)
        if isinstance(message, Boom):
            raise ValueError(message.text)


class Hooks(Teller):
    """Tells `out` of each hook that runs; `bad` names the one that raises."""

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]
        bad: str = ""

    def __init__(self, args: Args) -> None:
        super().__init__(Teller.Args(args.out))
        self.bad = args.bad
        self._say("init")

    def _say(self, what: str) -> None:
        assert self.out is not None
        self.out.tell((self.name, self.incarnation, what))
        if what == self.bad:
            raise RuntimeError(f"bad {what}")

    def on_start(self) -> None:
        self._say("on_start")

    def on_stop(self) -> None:
        self._say("on_stop")

    def on_failure(self, error: BaseException) -> None:
        self._say("on_failure")
