"""Each actor is crashed while fills flow: it comes back, nobody else notices, nothing is lost (G1, G3, G5, G7)."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors import tree
from mats.runtime import Crash
from tests.patience import PATIENCE
from tests.system.harness import lively_strategies, until
from tests.system.inside import System, lively_gateway, running_system, write_strategies

STRATEGIES = ("lively-0", "lively-1")

ACTORS = (
    "core/fill-log",
    "core/orders",
    "core/risk",
    "core/portfolio",
    "store/writer",
    "brokers/market-data",
    "brokers/pool",
    "brokers/ib-0",
    "brokers/ib-1",
    "brokers/ib-99",
    "strategies/lively-0",
    "strategy-manager",
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all crashes; what is left of it is proved at the end."""
    folder = tmp_path_factory.mktemp("crashes")
    write_strategies(folder, lively_strategies(2))
    with lively_gateway(folder) as gateway, running_system(folder, gateway) as system:
        system.wait_for_fills(3, *STRATEGIES)
        yield system
        system.wait_until_booked()
        system.finish_and_prove()


@pytest.mark.parametrize("name", ACTORS)
def test_a_crashed_actor_comes_back_alone_and_trading_goes_on(system: System, name: str) -> None:
    before = system.incarnations()
    system.runtime.ref(name).tell(Crash())
    until(lambda: system.incarnations()[name] == before[name] + 1, PATIENCE, f"the restart of {name}")
    until(lambda: system.state(name) == "running", PATIENCE, f"{name} running")
    system.wait_for_fills(4, *STRATEGIES)
    system.wait_until_booked()
    system.wait_for_agreement()
    assert system.incarnations() == before | {name: before[name] + 1}
    assert not system.lost()


def test_a_core_that_gives_up_is_started_again_with_all_that_stands_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "CORE_LIMIT", replace(tree.CORE_LIMIT, seconds=3600.0))  # however slow the restarts are
    write_strategies(tmp_path, lively_strategies(2))
    with lively_gateway(tmp_path) as gateway, running_system(tmp_path, gateway) as system:
        system.wait_for_fills(3, *STRATEGIES)
        for crash in range(4):
            before = system.incarnations()["core/orders"]
            system.runtime.ref("core/orders").tell(Crash(f"number {crash}"))
            until(lambda b=before: system.incarnations()["core/orders"] > b, PATIENCE, "the restart")
            until(lambda: system.state("core/orders") == "running", PATIENCE, "core/orders running")
        system.wait_for_fills(4, *STRATEGIES)
        system.wait_until_booked()
        after = system.incarnations()
        assert after["core"] == after["brokers"] == after["strategies"] == 2
        assert after["store"] == after["root"] == 1
        assert not system.runtime.escalated.is_set()
        system.finish_and_prove()


def test_a_storm_of_crashes_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(17)
    write_strategies(tmp_path, lively_strategies(2))
    with lively_gateway(tmp_path) as gateway, running_system(tmp_path, gateway) as system:
        system.wait_for_fills(3, *STRATEGIES)
        before, struck = system.incarnations(), chance.sample(ACTORS, len(ACTORS))
        for name in struck:
            system.runtime.ref(name).tell(Crash())
            system.wait_for_fills(chance.randrange(2))
        for name in struck:
            until(lambda n=name: system.state(n) == "running", PATIENCE, f"{name} running")
        system.wait_for_fills(4, *STRATEGIES)
        system.wait_until_booked()
        system.wait_for_agreement()
        assert system.incarnations() == before | {name: before[name] + 1 for name in ACTORS}
        system.finish_and_prove()
