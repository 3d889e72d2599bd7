"""Detects the columns of a bar file by their usual names."""

import pandas as pd

from mats.errors import DataError

NAMES: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "datetime", "date_time", "date", "ts", "ts_event", "open_time", "index"),
    "open": ("open", "o", "first"),
    "high": ("high", "h", "max"),
    "low": ("low", "l", "min"),
    "close": ("close", "c", "last", "price"),
    "volume": ("volume", "vol", "v", "tick_volume", "size"),
    "bid": ("bid", "bid_close", "bidclose"),
    "ask": ("ask", "ask_close", "askclose", "offer"),
    "spread": ("spread",),
    "split": ("split", "splits", "stock splits", "split_ratio"),
    "dividend": ("dividend", "dividends", "div"),
}
"""Known names of each column, in order of preference; case does not matter."""

NEEDED = ("time", "open", "high", "low", "close")


def detect_columns(frame: pd.DataFrame, place: str) -> dict[str, pd.Series]:
    """The known columns under standard names; a time index becomes a column, `date` and `time` become one."""
    if isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.reset_index(names="timestamp")
    present = {str(column).strip().lower(): column for column in frame.columns}
    found = {ours: next((present[n] for n in names if n in present), None) for ours, names in NAMES.items()}
    known = {ours: frame[theirs] for ours, theirs in found.items() if theirs is not None}
    if {"date", "time"} <= present.keys() and "timestamp" not in present:
        known["time"] = frame[present["date"]].astype(str) + " " + frame[present["time"]].astype(str)
    for name in NEEDED:
        if name not in known:
            columns = ", ".join(map(str, frame.columns)) or "none"
            raise DataError(
                f"{place} has no column for {name} (it has {columns}); rename one to {' or '.join(NAMES[name][:3])}"
            )
    return known
