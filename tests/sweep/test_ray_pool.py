"""A cluster gives the figures of this machine's cores, to the last bit; skipped where Ray is not installed."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from mats.model.bar_columns import BarData
from mats.sweep.executor import Executor, Lost
from mats.sweep.run import run_sweep
from tests.sweep.conftest import OneByOne, plan_of

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    import sys
    from pathlib import Path

    from mats.sweep.ray_pool import RayPool

    here = str(Path(__file__).parent)
    root = str(Path(__file__).parents[2])
    sys.path[:0] = [root, here]
    with RayPool(2) as engine:
        yield engine
    sys.path.remove(here)
    sys.path.remove(root)


@pytest.mark.timeout(180)
def test_a_local_cluster_gives_identical_numbers(cluster: Executor, data: BarData, one_by_one: OneByOne) -> None:
    plan = plan_of(data, "fast=3,5,10", "slow=8,20")
    here = {o.task.number: (o.state, o.metrics) for o in run_sweep(plan, data, one_by_one)}
    there = {o.task.number: (o.state, o.metrics) for o in run_sweep(plan, data, cluster)}
    assert here == there
    assert len(there) == 6


@pytest.mark.timeout(180)
def test_a_task_that_kills_its_workers_is_given_up_and_harms_no_other(cluster: Executor, work: ModuleType) -> None:
    got = dict(cluster.map_tasks(work.die_always, list(range(8)), 3))
    assert isinstance(got.pop(3), Lost)
    assert got == {n: -n for n in range(8) if n != 3}


@pytest.mark.timeout(180)
def test_what_the_function_raises_is_raised(cluster: Executor, work: ModuleType) -> None:
    with pytest.raises(ValueError, match="task 1 is wrong"):
        list(cluster.map_tasks(work.refuse, [1], None))
