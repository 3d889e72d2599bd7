"""The port between a sweep and what runs it: tasks in, results out as they come, each exactly once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from mats.errors import UserError

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

CHUNK_SECONDS = 0.1
"""So long a worker is busy before it has to be given work again: shorter chunks cost more than they balance."""
CHUNK_TASKS = 200
"""And no more tasks than this: what a line can take without waiting for its reader."""
ATTEMPTS = 3
"""So often a task is begun whose worker dies over it."""


class ExecutorError(UserError):
    """Tasks cannot be run at all; one sentence with the mend."""


class Lost(msgspec.Struct, frozen=True):
    """What is known of a task that has no result: each of its workers died."""

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
        """Number and result of every task, in the order in which they end. What `fn` raises ends all of it."""


def chunk_size(done: int, seconds: float, waiting: int, workers: int) -> int:
    """How many tasks to hand out at once: one until it is known how long they take, and never an unfair share."""
    if not done or not seconds:
        return 1
    fair = max(1, waiting // (2 * workers))
    return max(1, min(fair, round(CHUNK_SECONDS * done / seconds), CHUNK_TASKS))
