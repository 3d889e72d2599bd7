"""The cores of this machine as workers: processes that take chunks of tasks and return each result at once."""

import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from mats.sweep import shared_memory as mapped
from mats.sweep.executor import MAX_ATTEMPTS, ExecutorError, Lost, Result, Shared, Task, chunk_size

STOP_SECONDS = 2.0
PRELOAD = ["mats.sweep.worker_task"]


class Failed(msgspec.Struct, frozen=True):
    """A worker's answer when the function raised."""

    error: BaseException


class LocalPool:
    """A pool of processes, which is kept for the next tasks of the same function and shared object.

    A worker that dies loses no result that it had returned: its current task is retried by another one, at most three
    attempts, and the rest of its chunk returns to the queue.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ExecutorError(f"{workers} workers cannot run anything; give at least 1")
        self.workers = workers
        self._pool: _Workers | None = None

    def __enter__(self) -> "LocalPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map_tasks(
        self, fn: Callable[[Shared, Task], Result], tasks: Sequence[Task], shared: Shared
    ) -> Iterator[tuple[int, Result | Lost]]:
        """See `Executor`. An exception, or leaving the iterator before its end, ends the workers at once."""
        if self._pool is None or not self._pool.serves(fn, shared):
            self.close()
            self._pool = _Workers(fn, shared, self.workers)
        try:
            yield from self._pool.results(tasks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


class _Worker:
    """A process, the connection to it, and its unanswered tasks in their order."""

    def __init__(self, fn: Callable[[Any, Any], Any], path: Path) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self.connection, remote = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(fn, path, remote), daemon=True)
        self.process.start()
        remote.close()
        self.pending: deque[int] = deque()
        self.ready = False


class _Workers:
    def __init__(self, fn: Callable[[Any, Any], Any], shared: object, workers: int) -> None:
        self._fn, self._shared, self._count = fn, shared, workers
        self._folder = tempfile.TemporaryDirectory(prefix="mats-sweep-")
        self._path = Path(self._folder.name) / "shared"
        mapped.save(shared, self._path)
        self._workers: list[_Worker] = []
        self._tasks: Sequence[Any] = ()
        self._waiting: deque[int] = deque()
        self._deaths: dict[int, int] = {}
        self._done, self._seconds, self._failed_starts = 0, 0.0, 0

    def serves(self, fn: Callable[[Any, Any], Any], shared: object) -> bool:
        return self._fn is fn and self._shared is shared

    def results(self, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        self._tasks, self._waiting, self._deaths = tasks, deque(range(len(tasks))), {}
        while self._waiting or any(worker.pending for worker in self._workers):
            while len(self._workers) < min(self._count, len(tasks)):
                self._workers.append(_Worker(self._fn, self._path))
            for worker in self._workers:
                self._feed(worker)
            ready = wait([worker.connection for worker in self._workers if worker.pending])
            for worker in [worker for worker in self._workers if worker.connection in ready]:
                yield from self._receive(worker)

    def close(self) -> None:
        """Kill the processes, and wait for their end."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(STOP_SECONDS)
            worker.connection.close()
        self._folder.cleanup()

    def _feed(self, worker: _Worker) -> None:
        """Send one more chunk when the last one is nearly done, so that the worker never waits."""
        if len(worker.pending) > 1 or not self._waiting:
            return
        count = chunk_size(self._done, self._seconds, len(self._waiting), self._count)
        chunk = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        worker.pending.extend(chunk)
        try:
            worker.connection.send([(number, self._tasks[number]) for number in chunk])
        except (BrokenPipeError, ConnectionResetError):
            return  # it has died, which the next receive reports

    def _receive(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        try:
            answer = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            yield from self._on_death(worker)
            return
        if answer is None:
            worker.ready = True
            return
        number, seconds, result = answer
        if isinstance(result, Failed):
            raise result.error
        worker.pending.remove(number)
        self._done, self._seconds = self._done + 1, self._seconds + seconds
        yield number, result

    def _on_death(self, worker: _Worker) -> Iterator[tuple[int, Lost]]:
        """Requeue the worker's tasks; the first one is what it died of, if it had started."""
        self._workers.remove(worker)
        worker.process.join(STOP_SECONDS)
        worker.connection.close()
        if not worker.ready:
            self._waiting.extendleft(reversed(worker.pending))
            self._failed_starts += 1
            if self._failed_starts >= MAX_ATTEMPTS:
                raise ExecutorError(
                    f"workers cannot start, the last one ended {_exit_reason(worker.process.exitcode)}; start the"
                    " program from a file that can be imported, and check the free space of the temporary folder"
                )
            return
        culprit = worker.pending.popleft()
        self._waiting.extendleft(reversed(worker.pending))
        self._deaths[culprit] = self._deaths.get(culprit, 0) + 1
        if self._deaths[culprit] < MAX_ATTEMPTS:
            self._waiting.append(culprit)
            return
        ending = _exit_reason(worker.process.exitcode)
        yield culprit, Lost(f"its worker died {MAX_ATTEMPTS} times while running it, the last time {ending}")


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "for an unknown reason"
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _work(fn: Callable[[Any, Any], Any], path: Path, connection: Connection) -> None:
    """A worker: map the shared object once, then run tasks until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the sweep decides what to do
    value = mapped.load(path)
    connection.send(None)
    while True:
        try:
            chunk = connection.recv()
        except EOFError:
            return
        for number, task in chunk:
            started = perf_counter()
            try:
                result: Any = fn(value, task)
            except Exception as error:
                result = Failed(error)
            connection.send((number, perf_counter() - started, result))
