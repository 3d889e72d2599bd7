"""The interface between a sweep and what runs it: tasks in, each result exactly once, as it comes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from mats.errors import UserError

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

CHUNK_SECONDS = 0.1
"""How long a chunk should keep a worker busy: shorter ones cost more than they gain in balance."""
CHUNK_TASKS = 200
"""Largest number of tasks in a chunk: what a pipe takes without waiting for its reader."""
MAX_ATTEMPTS = 3
"""How often a task is tried whose worker dies."""


class ExecutorError(UserError):
    """Tasks cannot be run at all; one sentence that says what to do."""


class Lost(msgspec.Struct, frozen=True):
    """The result of a task whose workers all died."""

    reason: str


class Executor(Protocol):
    """Runs independent tasks. `fn` is importable by name; it gets `shared`, which no task may change, and its task.

    A context manager: at its end the workers are gone.
    """

    workers: int

    def __enter__(self) -> "Executor": ...

    def __exit__(self, *_: object) -> None: ...

    def map_tasks(
        self, fn: Callable[[Shared, Task], Result], tasks: Sequence[Task], shared: Shared
    ) -> Iterator[tuple[int, Result | Lost]]:
        """Number and result of every task, in the order in which they end. An exception of `fn` ends the iteration."""


def chunk_size(done: int, seconds: float, waiting: int, workers: int) -> int:
    """How many tasks to send at once: one until their duration is known, and never more than a fair share."""
    if not done or not seconds:
        return 1
    fair = max(1, waiting // (2 * workers))
    return max(1, min(fair, round(CHUNK_SECONDS * done / seconds), CHUNK_TASKS))
