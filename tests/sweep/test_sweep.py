"""A sweep runs what its plan says, ranks only what completed, and goes on where it was interrupted."""

from itertools import islice
from types import ModuleType

import numpy as np
import pytest

from mats.errors import StrategyError
from mats.model.bar_columns import BarData
from mats.model.timestamp import DAY, HOUR
from mats.sweep.local_pool import LocalPool
from mats.sweep.plan import check, grid_tasks
from mats.sweep.run import count, run_sweep
from mats.sweep.trials import Trial, TrialTask, ranked, reasons, score
from mats.sweep.walk_forward import parse_spans, stitch, windows
from tests.sweep.conftest import OneByOne, plan_of


def by_number(outcomes: list[Trial]) -> dict[int, tuple[object, ...]]:
    return {o.task.number: (o.task, o.state, o.reason, o.metrics) for o in outcomes}


def outcome(number: int, state: str = "complete", **metrics: float | None) -> Trial:
    task = TrialTask(number=number, parameters={}, start=0, end=1)
    return Trial(task=task, state=state, metrics=metrics, reason="" if state == "complete" else f"{state} so")


def test_every_combination_has_an_outcome_and_refused_ones_are_never_run(
    data: BarData, sweeps: ModuleType, one_by_one: OneByOne
) -> None:
    plan = plan_of(data, "fast=5:30:5", "slow=20,60")
    outcomes = list(run_sweep(plan, data, one_by_one, run=sweeps.hill))
    assert sorted(o.task.number for o in outcomes) == list(range(count(plan))) == list(range(12))
    refused = [o for o in outcomes if o.state == "refused"]
    assert [tuple(o.task.parameters.values()) for o in refused] == [(20, 20), (25, 20), (30, 20)]
    assert all("must be from 1 to below slow" in o.reason for o in refused)
    assert one_by_one.ran == 9
    assert ranked(outcomes, "sharpe")[0].task.parameters == {"fast": 10, "slow": 60}


def test_only_what_completed_and_is_defined_is_ranked_and_ties_go_to_the_first() -> None:
    some = [outcome(3, sharpe=1.0), outcome(1, sharpe=1.0), outcome(2, sharpe=None), outcome(4, "failed", sharpe=9.0)]
    assert [o.task.number for o in ranked(some, "sharpe")] == [1, 3]
    assert score(outcome(1, volatility=0.2), "volatility") == -0.2
    assert score(outcome(1, sharpe=float("nan")), "sharpe") is None
    assert reasons([*some, outcome(5, "refused"), outcome(6, "refused")]) == {"refused so": 2, "failed so": 1}


def test_real_backtests_give_the_same_figures_in_one_process_and_in_two(data: BarData, one_by_one: OneByOne) -> None:
    plan = plan_of(data, "fast=3,5,10", "slow=8,20")
    here = list(run_sweep(plan, data, one_by_one))
    with LocalPool(2) as engine:
        there = list(run_sweep(plan, data, engine))
    assert by_number(here) == by_number(there)
    assert sum(o.state == "complete" for o in here) == 5
    assert len({o.metrics["final_equity"] for o in here if o.metrics}) == 5


def test_a_run_that_fails_is_kept_apart_with_its_reason(data: BarData, sweeps: ModuleType) -> None:
    outcomes = list(run_sweep(plan_of(data, "fast=6:8", "slow=60"), data, OneByOne(), run=sweeps.hill))
    assert [o.task.parameters["fast"] for o in ranked(outcomes, "sharpe")] == [8, 6]
    assert reasons(outcomes) == {"strategy ema raised ValueError": 1}


def test_an_interrupted_sweep_goes_on_with_what_is_missing(data: BarData, sweeps: ModuleType) -> None:
    plan = plan_of(data, "fast=1:10", "slow=5,60")
    whole = by_number(list(run_sweep(plan, data, OneByOne(), run=sweeps.hill)))
    first = list(islice(run_sweep(plan, data, OneByOne(), run=sweeps.hill), 9))
    engine = OneByOne()
    known = {o.task.number: o for o in first}
    rest = list(run_sweep(plan, data, engine, known, run=sweeps.hill))
    assert by_number(first) | by_number(rest) == whole
    assert len(first) + len(rest) == 20
    assert engine.ran < 14


def test_a_walk_forward_tests_each_window_with_what_was_best_before_it(data: BarData, sweeps: ModuleType) -> None:
    plan = plan_of(data, "fast=8:16", "slow=60", walk=(12 * HOUR, 6 * HOUR))
    outcomes = list(run_sweep(plan, data, OneByOne(), run=sweeps.hill))
    tests = sorted((o for o in outcomes if o.task.leg == "test"), key=lambda o: o.task.window)
    assert len(tests) == len(plan.windows()) == 4
    assert len(outcomes) == count(plan) == 4 * 9 + 4
    for test, window in zip(tests, plan.windows(), strict=True):
        own = [o for o in outcomes if o.task.window == window.number and o.task.leg == "train"]
        assert test.task.parameters == ranked(own, "sharpe")[0].task.parameters
        assert (test.task.start, test.task.end) == (window.turn, window.end)
        assert {(o.task.start, o.task.end) for o in own} == {(window.start, window.turn)}
        assert test.curve is not None


def test_a_window_without_a_ranked_training_has_no_test(data: BarData, sweeps: ModuleType) -> None:
    plan = plan_of(data, "fast=8:9", "slow=60", walk=(12 * HOUR, 12 * HOUR))
    outcomes = list(run_sweep(plan, data, OneByOne(), run=sweeps.nothing))
    assert {o.task.leg for o in outcomes} == {"train"}


def test_windows_move_by_the_test_and_cover_all_that_follows_the_first_training() -> None:
    made = windows(0, 100 * DAY, 30 * DAY, 20 * DAY)
    assert [(w.start // DAY, w.turn // DAY, w.end // DAY) for w in made] == [
        (0, 30, 50), (20, 50, 70), (40, 70, 90), (60, 90, 100),
    ]  # fmt: skip
    assert parse_spans("2w:36h") == (14 * DAY, 36 * HOUR)
    with pytest.raises(StrategyError, match="no time to test"):
        windows(0, 30 * DAY, 30 * DAY, DAY)
    for text in ("90d", "90:30", "0d:30d", "1d:2d:3d", "-1d:2d"):
        with pytest.raises(StrategyError, match="walk-forward"):
            parse_spans(text)


def test_stitched_tests_go_on_with_what_the_one_before_left() -> None:
    times = np.arange(3)
    time, equity = stitch([(times, np.array([100.0, 110, 120])), (times + 3, np.array([100.0, 90, 50]))], 100.0)
    assert time.tolist() == [0, 1, 2, 3, 4, 5]
    assert equity == pytest.approx([100, 110, 120, 120, 108, 60])
    assert len(stitch([], 100.0)[1]) == 0


def test_plans_that_cannot_be_run_are_refused_in_one_sentence(data: BarData) -> None:
    check(plan_of(data, "fast=5,90", "slow=20"))
    for plan, fault in (
        (plan_of(data, "pace=5,10"), "has no parameter 'pace'"),
        (plan_of(data, "fast=50,90", "slow=20"), "must be from 1 to below slow"),
        (plan_of(data, "fast=5", trials=3, walk=(DAY, DAY)), "cannot be combined"),
    ):
        with pytest.raises(StrategyError, match=fault):
            check(plan)


def test_tasks_of_a_walk_forward_are_numbered_without_a_gap(data: BarData) -> None:
    plan = plan_of(data, "fast=8:10", "slow=60,90", walk=(12 * HOUR, 12 * HOUR))
    tasks = grid_tasks(plan)
    assert [task.number for task in tasks] == list(range(6 * len(plan.windows())))
