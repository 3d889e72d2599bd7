"""When to store a snapshot of the portfolio, or a row of an account's figures."""

import msgspec

from mats.model import DAY, HOUR, MINUTE, SECOND, Nanos
from mats.store.tables.frames import Row, Value

MIN_RECONCILED_INTERVAL: Nanos = 10 * SECOND
"""Reconciled snapshots of one account are at least this far apart, however often books are compared."""

MIN_SUMMARY_INTERVAL: Nanos = MINUTE
"""Rows of one account's figures are at least this far apart."""

SUMMARY_CHANGE_RATIO = 0.001
"""A figure of an account has changed when it differs by this share of the net liquidation value."""

SUMMARY_EXACT = ("currency", "total_cash")
"""Columns of an account of which every change counts."""

SUMMARY_RATIOS = ("leverage", "cushion")
"""Columns that are ratios already."""


class SnapshotInfo(msgspec.Struct, frozen=True):
    """A stored snapshot of an account: its time, the entry after which it was taken, and the last reconciled one."""

    time: Nanos
    snapshot_seq: int
    reconciled_seq: int


def hourly_due(last: SnapshotInfo | None, now: Nanos) -> bool:
    """Whether the hour of `now` has no snapshot yet."""
    return last is None or last.time // HOUR != now // HOUR


def reconciled_due(last: SnapshotInfo | None, seq: int, now: Nanos) -> bool:
    """Whether books just reconciled, last changed by entry `seq`, have changed since the last reconciled snapshot."""
    return last is None or (seq > last.reconciled_seq and abs(now - last.time) >= MIN_RECONCILED_INTERVAL)


def summary_interval_over(last: Row | None, now: Nanos) -> bool:
    """Whether the interval since the last row of an account's figures is over."""
    return last is None or abs(now - int(last["event_time_utc"] or 0)) >= MIN_SUMMARY_INTERVAL


def has_changed(last: Row | None, row: Row) -> bool:
    """Whether an account's figures are worth a row: the first of a UTC day, or a changed figure."""
    if last is None or _day(last["event_time_utc"]) != _day(row["event_time_utc"]):
        return True
    scale = abs(_number(row["net_liquidation"]) or 0.0)
    return any(_moved(name, last[name], row[name], scale) for name in row if name != "event_time_utc")


def _moved(name: str, before: Value, now: Value, scale: float) -> bool:
    old, new = _number(before), _number(now)
    if name in SUMMARY_EXACT or old is None or new is None:
        return before != now
    return abs(new - old) > SUMMARY_CHANGE_RATIO * (1.0 if name in SUMMARY_RATIOS else scale)


def _number(value: Value) -> float | None:
    return value if isinstance(value, float) else None


def _day(time: Value) -> int:
    return int(time or 0) // DAY
