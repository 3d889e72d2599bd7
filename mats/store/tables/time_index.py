"""The time index of a table: UTC, nanoseconds, sorted, unique.

Executions come with one-second resolution, so ties are the normal case: they are kept apart by nanosecond offsets, and
the true time is in a column (`event_time_utc`).
"""

from collections.abc import Container

import numpy as np
import pandas as pd

from mats.model import SECOND, Nanos

INDEX_NAME = "timestamp"
MIN_TIME: Nanos = 0
MAX_TIME: Nanos = 2**63 - 1 - SECOND


def second_of(time: Nanos) -> Nanos:
    """The start of the second that holds `time`."""
    return time - time % SECOND


def check_time(time: Nanos) -> Nanos:
    """`time` itself when the index can hold it: 1970 to 2262."""
    if not MIN_TIME <= time <= MAX_TIME:
        raise ValueError(f"time {time} is outside 1970 to 2262; give nanoseconds since 1970, UTC")
    return time


def next_slot(time: Nanos, last: Nanos | None) -> Nanos | None:
    """The index of a row of `time` after `last`, the newest index; None when it belongs before it."""
    if last is None or time > last:
        return time
    following = last + 1
    return following if second_of(following) == second_of(time) else None


def free_slot(time: Nanos, taken: Container[Nanos]) -> Nanos:
    """The first index from `time` to the end of its second that is not `taken`, else the last one before `time`."""
    start = second_of(time)
    for slot in range(time, start + SECOND):
        if slot not in taken:
            return slot
    for slot in range(time - 1, start - 1, -1):
        if slot not in taken:
            return slot
    raise ValueError(f"every nanosecond of the second at {start} is taken; the row has no index left")


def normalize_index(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` in time order under a valid index: UTC, ns, named, ties moved apart by single nanoseconds.

    A naive or non-time index is refused: its zone would be a guess. Nothing moves before its own time, rows of equal
    time keep their order, and a normalized frame is returned unchanged.
    """
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise ValueError(f"an index of {index.dtype} has no time zone; give aware times, for example tz='UTC'")
    if index.hasnans:
        raise ValueError("the index has a missing time; drop or fix the row")
    order = index.argsort(kind="stable")
    ordered, times = frame.iloc[order], index.tz_convert("UTC").as_unit("ns")[order]
    placed: list[int] = []
    for time in times.asi8.tolist():
        placed.append(time if not placed or time > placed[-1] else placed[-1] + 1)
    return ordered.set_axis(time_index(placed))


def time_index(times: list[Nanos]) -> pd.DatetimeIndex:
    """The index of a stored frame."""
    return pd.DatetimeIndex(np.array(times, dtype="datetime64[ns]"), tz="UTC", name=INDEX_NAME)
