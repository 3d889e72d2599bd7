"""What an actor holds open ends with it, however it ends: ten thousand seeds run in one process."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.checks import verdict
from tests.simulation.faults import Crash, HangUp, Kill, PowerLoss
from tests.simulation.plan import Plan
from tests.simulation.world import World

DESCRIPTORS = Path("/proc/self/fd")
JOURNALS = ("core/fill-log", "core/orders", "core/portfolio", "core/risk", "brokers/pool")
"""Who has a journal open."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is open is not closed by chance."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _open() -> int:
    return sum(1 for _ in DESCRIPTORS.iterdir())


def _holders(world: World) -> list[str]:
    """Every actor that holds something outside of the program's memory."""
    slots = [world.runtime.slot(status.name) for status in world.runtime.status()]
    return [slot.name for slot in slots if slot.incarnation is not None and slot.incarnation.resources]


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="the system does not list open descriptors")
def test_a_seed_leaves_nothing_open(no_collector: None) -> None:
    struck = (
        Kill(at=1.5, actor="core/fill-log"),
        Crash(at=1.6, point="orders: after the fold, before its cursor"),
        PowerLoss(at=2.5, down=0.0),
        HangUp(at=3.5, client=1),
    )
    plan = Plan(seconds=4, faults=struck)
    verdict(1, plan)
    before = _open()
    for seed in range(2, 7):
        assert not verdict(seed, plan).complaints
        assert _open() == before


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="the system does not list open descriptors")
def test_whoever_is_killed_or_fails_leaves_nothing_open(folder: Path, no_collector: None) -> None:
    world = World(1, folder, Plan())
    world.boot()
    world.runtime.advance(5.0)
    before = _open()
    assert set(JOURNALS) <= set(_holders(world))
    for _ in range(3):
        for name in JOURNALS:
            world.runtime.kill(world.runtime.ref(name))
            world.runtime.advance(5.0)
            incarnation = world.runtime.slot(name).incarnation
            assert incarnation is not None
            incarnation.actor.fail(RuntimeError("as a defect does"))
            world.runtime.advance(5.0)
    assert _open() == before
    world.close()
