"""A search finds the better end of a large grid, and finds the same one again."""

from itertools import islice
from types import ModuleType

import pytest

from mats.model.bar_columns import BarData
from mats.sweep.run import run_sweep
from mats.sweep.trials import Trial, ranked
from tests.sweep.conftest import OneByOne, plan_of

pytest.importorskip("optuna")

AXES = ("fast=1:40", "slow=10:200:2")


def tried(outcomes: list[Trial]) -> list[tuple[object, ...]]:
    ordered = sorted(outcomes, key=lambda o: o.task.number)
    return [(o.task.number, *o.task.parameters.values(), o.state, o.metrics.get("sharpe")) for o in ordered]


def test_a_search_tries_as_many_as_it_may_and_comes_close_to_the_top(data: BarData, sweeps: ModuleType) -> None:
    plan = plan_of(data, *AXES, trials=60)
    outcomes = list(run_sweep(plan, data, OneByOne(), run=sweeps.hill))
    assert len(outcomes) == 60
    assert ranked(outcomes, "sharpe")[0].metrics["sharpe"] > 1.7
    assert {"complete", "refused"} <= {o.state for o in outcomes}


def test_the_same_seed_tries_the_same_and_another_one_others(data: BarData, sweeps: ModuleType) -> None:
    plan = plan_of(data, *AXES, trials=25)
    runs = [tried(list(run_sweep(plan, data, OneByOne(), run=sweeps.hill))) for _ in range(2)]
    assert runs[0] == runs[1]
    from msgspec.structs import replace

    other = replace(plan, spec=replace(plan.spec, seed=2))
    assert tried(list(run_sweep(other, data, OneByOne(), run=sweeps.hill))) != runs[0]


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(data: BarData, sweeps: ModuleType) -> None:
    plan = plan_of(data, *AXES, trials=25)
    whole = tried(list(run_sweep(plan, data, OneByOne(2), run=sweeps.hill)))
    first = list(islice(run_sweep(plan, data, OneByOne(2), run=sweeps.hill), 11))
    rest = list(run_sweep(plan, data, OneByOne(2), {o.task.number: o for o in first}, run=sweeps.hill))
    assert tried([*first, *rest]) == whole


def test_what_was_tried_before_is_not_run_again(data: BarData, sweeps: ModuleType) -> None:
    engine = OneByOne()
    outcomes = list(run_sweep(plan_of(data, "fast=5,10", "slow=60", trials=12), data, engine, run=sweeps.hill))
    assert len(outcomes) == 12
    assert engine.ran == 2
