"""A Ray cluster as workers: the optional extra `ray`. The shared object is stored once on each node.

Without an address a cluster is started on this machine for as long as the tasks take.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any

from mats.sweep.executor import MAX_ATTEMPTS, ExecutorError, Lost, Result, Shared, Task, chunk_size

try:
    import ray
    from ray.exceptions import RayTaskError, WorkerCrashedError
except ImportError as error:
    raise ExecutorError("ray is not installed; run `pip install 'mats[ray]'`, or use --engine local") from error


class RayPool:
    """See `Executor`. A worker that dies is replaced by Ray and its chunk retried, at most three attempts,
    then task by task, so that a task that kills its workers does not affect the others."""

    def __init__(self, workers: int, address: str = "") -> None:
        self.workers = workers
        self._shared: tuple[object, Any] | None = None
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        runtime_env = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        local = {"num_cpus": workers, "runtime_env": runtime_env, "_node_ip_address": "127.0.0.1"}
        target = {"address": address} if address else local
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics are sent
        try:
            ray.init(**target, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ExecutorError(f"the Ray cluster {address!r} cannot be reached: {error}; start it first") from error

    def __enter__(self) -> "RayPool":
        return self

    def __exit__(self, *_: object) -> None:
        ray.shutdown()

    def map_tasks(
        self, fn: Callable[[Shared, Task], Result], tasks: Sequence[Task], shared: Shared
    ) -> Iterator[tuple[int, Result | Lost]]:
        """See `Executor`. Leaving the iterator before its end leaves tasks running until the pool is closed."""
        if self._shared is None or self._shared[0] is not shared:
            self._shared = (shared, ray.put(shared))
        return self._results(fn, tasks, self._shared[1])

    def _results(self, fn: Callable[[Any, Any], Any], tasks: Sequence[Any], held: object) -> Iterator[tuple[int, Any]]:
        work = ray.remote(num_cpus=1, max_retries=MAX_ATTEMPTS - 1)(_chunk)
        waiting, done, seconds = deque(range(len(tasks))), 0, 0.0
        single: deque[int] = deque()
        running: dict[Any, list[int]] = {}
        while waiting or single or running:
            while (waiting or single) and len(running) < 2 * self.workers:
                count = 1 if single else chunk_size(done, seconds, len(waiting), self.workers)
                source = single or waiting
                numbers = [source.popleft() for _ in range(min(count, len(source)))]
                running[work.remote(fn, held, [tasks[number] for number in numbers])] = numbers
            reference = ray.wait(list(running), num_returns=1)[0][0]
            numbers = running.pop(reference)
            answer = _answer(reference)
            if answer is not None:
                done, seconds = done + len(numbers), seconds + answer[0]
                yield from zip(numbers, answer[1], strict=True)
            elif len(numbers) > 1:
                single.extend(numbers)
            else:
                yield numbers[0], Lost(f"its worker died {MAX_ATTEMPTS} times while running it")


def _answer(reference: Any) -> tuple[float, list[Any]] | None:
    """Seconds and results of a chunk, None when its workers died; raises what the function raised."""
    try:
        took, results = ray.get(reference)
    except WorkerCrashedError:
        return None
    except RayTaskError as error:
        raise error.cause from None
    return took, results


def _chunk(fn: Callable[[Any, Any], Any], shared: object, tasks: Sequence[Any]) -> tuple[float, list[Any]]:
    started = perf_counter()
    results = [fn(shared, task) for task in tasks]
    return perf_counter() - started, results
