"""Historical bars: the interface of every market, and the merging of bars into longer ones."""

from collections.abc import Iterable
from typing import Protocol

from mats.model import SECOND, Bar, InstrumentId, Nanos


class BarHistory(Protocol):
    def head(self, name: InstrumentId) -> Nanos:
        """The start of the earliest bar."""

    def bars(self, name: InstrumentId, start: Nanos, end: Nanos, seconds: int, what: str) -> list[Bar]:
        """Every complete bar inside `[start, end)`, aligned to multiples of its length since the epoch.

        `what` is TRADES, MIDPOINT, BID or ASK.
        """


def merge_bars(bars: Iterable[Bar], seconds: int) -> list[Bar]:
    """Groups bars into longer ones: first open, highest high, lowest low, last close, sum of volumes."""
    span = seconds * SECOND
    merged: list[Bar] = []
    group: list[Bar] = []
    for bar in bars:
        if group and bar.start // span != group[0].start // span:
            merged.append(join_bars(group, seconds))
            group = []
        group.append(bar)
    if group:
        merged.append(join_bars(group, seconds))
    return merged


def join_bars(group: list[Bar], seconds: int) -> Bar:
    """One bar of `seconds` from bars that lie within it, in order."""
    span = seconds * SECOND
    volume = sum(bar.volume for bar in group)
    wap = sum(bar.wap * bar.volume for bar in group) / volume if volume else group[-1].close
    return Bar(
        instrument=group[0].instrument,
        start=group[0].start // span * span,
        seconds=seconds,
        open=group[0].open,
        high=max(bar.high for bar in group),
        low=min(bar.low for bar in group),
        close=group[-1].close,
        volume=volume,
        wap=wap,
        count=sum(bar.count for bar in group),
    )
