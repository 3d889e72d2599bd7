"""When a snapshot of the portfolio, or a row of an account's figures, is worth storing."""

import msgspec

from mats.model import DAY, HOUR, MINUTE, SECOND, Nanos
from mats.store.tables.frames import Row, Value

AGREED_GAP: Nanos = 10 * SECOND
"""Reconciled snapshots of one account are at least so far apart, however often the broker is asked."""

SUMMARY_GAP: Nanos = MINUTE
"""Rows of one account's figures are at least so far apart."""

SUMMARY_SHARE = 0.001
"""A figure of an account has moved when it differs by this share of the net liquidation value."""

SUMMARY_EXACT = ("currency", "total_cash")
"""Columns of an account of which every change counts."""

SUMMARY_RATIOS = ("leverage", "cushion")
"""Columns that are shares already."""


class SnapshotPolicy(msgspec.Struct, frozen=True):
    """The last stored snapshot of an account: its time, the entry after which it stands, and the last agreed one."""

    time: Nanos
    snapshot_seq: int
    reconciled_seq: int


def hour_due(last: SnapshotPolicy | None, now: Nanos) -> bool:
    """Whether the hour of `now` has no snapshot yet."""
    return last is None or last.time // HOUR != now // HOUR


def agreed_due(last: SnapshotPolicy | None, seq: int, now: Nanos) -> bool:
    """Whether the books, last changed by entry `seq` and now found right, have changed since they were so before."""
    return last is None or (seq > last.reconciled_seq and abs(now - last.time) >= AGREED_GAP)


def gap_over(last: Row | None, now: Nanos) -> bool:
    """Whether figures of an account may be stored again."""
    return last is None or abs(now - int(last["event_time_utc"] or 0)) >= SUMMARY_GAP


def says_new(last: Row | None, row: Row) -> bool:
    """Whether an account's figures say something new: the first of a UTC day, or a figure has moved."""
    if last is None or _day(last["event_time_utc"]) != _day(row["event_time_utc"]):
        return True
    scale = abs(_number(row["net_liquidation"]) or 0.0)
    return any(_moved(name, last[name], row[name], scale) for name in row if name != "event_time_utc")


def _moved(name: str, before: Value, now: Value, scale: float) -> bool:
    old, new = _number(before), _number(now)
    if name in SUMMARY_EXACT or old is None or new is None:
        return before != now
    return abs(new - old) > SUMMARY_SHARE * (1.0 if name in SUMMARY_RATIOS else scale)


def _number(value: Value) -> float | None:
    return value if isinstance(value, float) else None


def _day(time: Value) -> int:
    return int(time or 0) // DAY
