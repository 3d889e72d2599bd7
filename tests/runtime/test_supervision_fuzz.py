"""Any history of crashes, kills, pauses and commands ends, once healed, with everybody up."""

from random import Random

import pytest

from mats.runtime import (
    Backoff,
    ChildSpec,
    Crash,
    Limit,
    Park,
    StartChild,
    StopChild,
    SupervisorSpec,
    Unpark,
    VirtualRuntime,
)
from mats.runtime.testing import Probe
from tests.runtime.actors_for_tests import Boom, Teller
from tests.runtime.test_supervision import SlowStart

STRATEGIES = ("one_for_one", "rest_for_one", "one_for_all")


def tree(out: Probe, draw: Random) -> SupervisorSpec:
    def children(names: str) -> tuple[ChildSpec, ...]:
        slow = SlowStart.Args(out.ref, draw.random())
        return tuple(
            ChildSpec(name=name, actor=SlowStart, args=slow)
            if draw.random() < 0.3
            else ChildSpec(name=name, actor=Teller, args=Teller.Args())
            for name in names
        )

    def supervisor(name: str, members: "tuple[ChildSpec | SupervisorSpec, ...]", limit: Limit) -> SupervisorSpec:
        backoff = Backoff(min=0.05, max=1)
        strategy = draw.choice(STRATEGIES)
        return SupervisorSpec(name=name, strategy=strategy, children=members, limit=limit, backoff=backoff)  # type: ignore[arg-type]

    inner = [supervisor(name, children("abc"), Limit(3, 5)) for name in ("s1", "s2")]
    return supervisor("root", (*children("x"), *inner, *children("y")), Limit(100_000, 1))


def trouble(runtime: VirtualRuntime, draw: Random, paused: set[str]) -> None:
    """One thing that can go wrong, or that an operator may order."""
    name = draw.choice([status.name for status in runtime.status() if status.name != "root"])
    ref = runtime.ref(name)
    parent = runtime.ref(name.rpartition("/")[0] or "root")
    local = name.rpartition("/")[2]
    match draw.randrange(9):
        case 0 | 1:
            ref.tell(Crash())
        case 2:
            ref.signal(Crash())
        case 3:
            runtime.kill(ref)
        case 4:
            runtime.pause(ref)
            paused.add(name)
        case 5 if local not in ("s1", "s2"):
            parent.tell(Park(local, "drill"))
        case 6:
            parent.tell(Unpark(local))
        case 7:
            parent.tell(StartChild(ChildSpec(name="extra", actor=Teller, args=Teller.Args())))
        case 8:
            parent.tell(StopChild("extra"))
        case _:
            ref.tell(Boom())


@pytest.mark.parametrize("batch", range(6))
def test_after_any_trouble_the_healed_tree_is_up(batch: int) -> None:
    """S7.3, S7.8, S7.9, S7.14, S7.15"""
    for seed in range(batch * 15, batch * 15 + 15):
        draw = Random(seed)
        runtime = VirtualRuntime(seed=seed)
        runtime.start(tree(runtime.probe(), draw))
        runtime.advance(1)
        paused: set[str] = set()
        for _ in range(60):
            trouble(runtime, draw, paused)
            runtime.advance(draw.random())
            if draw.random() < 0.3:
                for name in paused:
                    runtime.resume(runtime.ref(name))
                paused.clear()
        for name in paused:
            runtime.resume(runtime.ref(name))
        runtime.advance(300)
        for status in runtime.status():
            if status.state == "parked":
                parent, _, local = status.name.rpartition("/")
                runtime.ref(parent or "root").tell(Unpark(local))
        runtime.advance(300)
        expected = {"root", "x", "y", "s1", "s2", *(f"{s}/{n}" for s in ("s1", "s2") for n in "abc")}
        states = {status.name: status.state for status in runtime.status()}
        down = {name: states[name] for name in expected if states[name] != "running"}
        assert not down, f"seed {seed}: {down}, {runtime.escalation}"
        for name in expected - {"root", "s1", "s2"}:
            assert runtime.ref(name).ask("up", timeout=1) == "up", f"seed {seed}: {name}"
        assert all(state in ("running", "stopped") for state in states.values()), f"seed {seed}: {states}"
        assert runtime.stop(1_000).clean, f"seed {seed}"
