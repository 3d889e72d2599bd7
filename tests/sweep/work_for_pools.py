"""What the workers of the tests do: importable by its own name, because workers are other processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def times(shared: dict[str, np.ndarray], task: float) -> tuple[float, bool]:
    """A sum over the shared array, and whether a worker could change it."""
    return float(shared["a"].sum() * task), shared["a"].flags.writeable


def die_once(folder: str, task: int) -> int:
    """Every third task kills its worker the first time it is begun."""
    mark = Path(folder) / f"{task}.begun"
    if task % 3 == 0 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with (Path(folder) / f"{task}.done").open("a") as file:
        file.write("x")
    return task * task


def die_always(culprit: int, task: int) -> int:
    """One task kills every worker that begins it."""
    if task == culprit:
        os.kill(os.getpid(), signal.SIGKILL)
    return -task


def refuse(_shared: None, task: int) -> int:
    raise ValueError(f"task {task} is wrong")


def slow(seconds: float, task: int) -> tuple[int, int]:
    """Busy for a while; who did it."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return task, os.getpid()
