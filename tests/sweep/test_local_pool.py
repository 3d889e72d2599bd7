"""The pool gives every task's result exactly once, whatever becomes of its workers."""

import multiprocessing
import os
import signal
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mats.sweep import shared_memory
from mats.sweep.executor import ExecutorError, Lost, chunk_size
from mats.sweep.local_pool import LocalPool


def test_every_task_has_its_result_once_and_shares_arrays_that_nobody_can_change(work: ModuleType) -> None:
    array = np.arange(10_000.0)
    got = list(LocalPool(2).map_tasks(work.times, [float(n) for n in range(50)], {"a": array}))
    assert sorted(number for number, _ in got) == list(range(50))
    assert dict(got) == {n: (array.sum() * n, False) for n in range(50)}


def test_killed_workers_lose_no_result_and_repeat_none(work: ModuleType, tmp_path: Path) -> None:
    got = list(LocalPool(2).map_tasks(work.die_once, list(range(30)), str(tmp_path)))
    assert sorted(got) == [(n, n * n) for n in range(30)]
    assert len(list(tmp_path.glob("*.begun"))) == 10
    assert {path.read_text() for path in tmp_path.glob("*.done")} == {"x"}


def test_a_task_that_kills_every_worker_is_given_up_and_harms_no_other(work: ModuleType) -> None:
    got = dict(LocalPool(2).map_tasks(work.die_always, list(range(20)), 7))
    lost = got.pop(7)
    assert isinstance(lost, Lost)
    assert "3 times" in lost.reason and "SIGKILL" in lost.reason
    assert got == {n: -n for n in range(20) if n != 7}


def test_a_worker_killed_from_outside_is_replaced(work: ModuleType) -> None:
    results = LocalPool(2).map_tasks(work.slow, list(range(8)), 0.05)
    first = next(results)
    os.kill(first[1][1], signal.SIGKILL)
    rest = list(results)
    assert sorted(number for number, _ in [first, *rest]) == list(range(8))
    assert len({pid for _, (_, pid) in rest}) >= 2


def test_workers_that_cannot_start_are_not_blamed_on_the_tasks(
    work: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "save", lambda value, path: path.write_bytes(b"nothing"))
    with pytest.raises(ExecutorError, match="workers cannot start, the last one ended with exit code 1"):
        list(LocalPool(1).map_tasks(work.slow, list(range(9)), 0.0))
    assert not _children()


def test_what_the_function_raises_ends_everything(work: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"task \d is wrong"):
        list(LocalPool(2).map_tasks(work.refuse, [1, 2, 3], None))
    assert not _children()


def test_a_sweep_that_is_left_early_leaves_no_process(work: ModuleType) -> None:
    results = LocalPool(2).map_tasks(work.slow, list(range(100)), 0.05)
    next(results)
    results.close()
    assert not _children()


def test_workers_are_kept_for_the_next_tasks_of_the_same_function(work: ModuleType) -> None:
    with LocalPool(1) as engine:
        pids = {pid for _ in range(2) for _, (_, pid) in engine.map_tasks(work.slow, [1, 2], 0.0)}
        assert len(pids) == 1
    assert not _children()


def test_no_tasks_are_no_results(work: ModuleType) -> None:
    assert list(LocalPool(2).map_tasks(work.slow, [], 0.0)) == []


def test_a_pool_without_workers_is_refused() -> None:
    with pytest.raises(ExecutorError, match="0 workers"):
        LocalPool(0)


def test_chunks_grow_until_they_last_and_never_beyond_a_fair_share() -> None:
    assert chunk_size(0, 0.0, 1_000, 2) == 1
    assert chunk_size(10, 0.01, 1_000, 2) == 100
    assert chunk_size(10, 0.01, 100, 2) == 25
    assert chunk_size(10, 10.0, 1_000, 2) == 1
    assert chunk_size(1_000, 0.001, 1_000_000, 2) == 200


def test_shared_objects_come_back_as_they_were(tmp_path: Path) -> None:
    value = {"a": np.arange(7), "none": np.array([]), "text": "é", "two": (np.ones((3, 2)), 5)}
    shared_memory.save(value, tmp_path / "x")
    back = shared_memory.load(tmp_path / "x")
    assert back["text"] == "é" and back["two"][1] == 5
    for mine, theirs in ((value["a"], back["a"]), (value["none"], back["none"]), (value["two"][0], back["two"][0])):
        assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype


def _children() -> list[object]:
    return multiprocessing.active_children()
