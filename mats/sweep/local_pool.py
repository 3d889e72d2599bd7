"""The cores of this machine as workers: processes that are told chunks of tasks and answer each result at once."""

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
from mats.sweep.executor import ATTEMPTS, ExecutorError, Lost, Result, Shared, Task, chunk_size

STOP_SECONDS = 2.0
PRELOAD = ["mats.sweep.worker_task"]


class Failed(msgspec.Struct, frozen=True):
    """What a worker says in place of a result when the function raised."""

    error: BaseException


class LocalPool:
    """A pool of processes, which is kept for the next tasks of the same function and shared object.

    A worker that dies takes no result with it: what it had answered is known, the task it was at is begun again by
    another one, at most three times, and the rest of its chunk goes back to the others without blame.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ExecutorError(f"{workers} workers can do nothing; give at least 1")
        self.workers = workers
        self._pool: _Workers | None = None

    def __enter__(self) -> "LocalPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map_tasks(
        self, fn: Callable[[Shared, Task], Result], tasks: Sequence[Task], shared: Shared
    ) -> Iterator[tuple[int, Result | Lost]]:
        """See `Engine`. An exception, or leaving the iterator before its end, ends the workers at once."""
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
    """A process, the line to it, and the tasks that it has not answered yet, in the order it does them."""

    def __init__(self, fn: Callable[[Any, Any], Any], path: Path) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self.line, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(fn, path, theirs), daemon=True)
        self.process.start()
        theirs.close()
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
        self._done, self._seconds, self._stillborn = 0, 0.0, 0

    def serves(self, fn: Callable[[Any, Any], Any], shared: object) -> bool:
        return self._fn is fn and self._shared is shared

    def results(self, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        self._tasks, self._waiting, self._deaths = tasks, deque(range(len(tasks))), {}
        while self._waiting or any(worker.pending for worker in self._workers):
            while len(self._workers) < min(self._count, len(tasks)):
                self._workers.append(_Worker(self._fn, self._path))
            for worker in self._workers:
                self._feed(worker)
            ready = wait([worker.line for worker in self._workers if worker.pending])
            for worker in [worker for worker in self._workers if worker.line in ready]:
                yield from self._hear(worker)

    def close(self) -> None:
        """End the processes, and wait until they have."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(STOP_SECONDS)
            worker.line.close()
        self._folder.cleanup()

    def _feed(self, worker: _Worker) -> None:
        """One chunk more when the last one is nearly done, so that nobody waits for the post."""
        if len(worker.pending) > 1 or not self._waiting:
            return
        count = chunk_size(self._done, self._seconds, len(self._waiting), self._count)
        chunk = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        worker.pending.extend(chunk)
        try:
            worker.line.send([(number, self._tasks[number]) for number in chunk])
        except (BrokenPipeError, ConnectionResetError):
            return  # it has died; hearing from it says so

    def _hear(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        try:
            answer = worker.line.recv()
        except (EOFError, ConnectionResetError):
            yield from self._bury(worker)
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

    def _bury(self, worker: _Worker) -> Iterator[tuple[int, Lost]]:
        """Give back what the worker leaves; the first of it is what it died of, if it had begun at all."""
        self._workers.remove(worker)
        worker.process.join(STOP_SECONDS)
        worker.line.close()
        if not worker.ready:
            self._waiting.extendleft(reversed(worker.pending))
            self._stillborn += 1
            if self._stillborn >= ATTEMPTS:
                raise ExecutorError(
                    f"workers cannot begin, the last one ended {_end(worker.process.exitcode)}; start the program from"
                    " a file that can be imported, and see that the temporary folder has room for the data"
                )
            return
        culprit = worker.pending.popleft()
        self._waiting.extendleft(reversed(worker.pending))
        self._deaths[culprit] = self._deaths.get(culprit, 0) + 1
        if self._deaths[culprit] < ATTEMPTS:
            self._waiting.append(culprit)
            return
        yield culprit, Lost(f"its worker ended {ATTEMPTS} times over it, the last time {_end(worker.process.exitcode)}")


def _end(code: int | None) -> str:
    if code is None:
        return "for no reason that is known"
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _work(fn: Callable[[Any, Any], Any], path: Path, line: Connection) -> None:
    """A worker's life: map the shared object once, then do what comes until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the sweep decides what it means
    value = mapped.load(path)
    line.send(None)
    while True:
        try:
            chunk = line.recv()
        except EOFError:
            return
        for number, task in chunk:
            begun = perf_counter()
            try:
                result: Any = fn(value, task)
            except Exception as error:
                result = Failed(error)
            line.send((number, perf_counter() - begun, result))
