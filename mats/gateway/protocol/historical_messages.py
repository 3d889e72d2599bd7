"""Messages of historical data."""

from collections.abc import Iterable

from mats.gateway.protocol.responses import format_time
from mats.gateway.protocol.wire import Message
from mats.model import DAY, SECOND, Bar, Nanos, to_datetime

EPOCH_SECONDS = 2
"""The date format of seconds since the epoch."""


def historical_data(request_id: int, bars: list[Bar], start: Nanos, end: Nanos, date_format: int) -> Message:
    rows = (
        (bar_time(bar, date_format), bar.open, bar.high, bar.low, bar.close, bar.volume, bar.wap, bar.count)
        for bar in bars
    )
    return (17, request_id, format_time(start), format_time(end), len(bars), *(field for row in rows for field in row))


def historical_update(request_id: int, bar: Bar, date_format: int) -> Message:
    """An update of the unfinished bar; on the wire its close comes before its high and low."""
    prices = (bar.open, bar.close, bar.high, bar.low)
    return (90, request_id, bar.count, bar_time(bar, date_format), *prices, bar.wap, bar.volume)


def bar_time(bar: Bar, date_format: int) -> str:
    """A day as `20260413`; an instant as text (1) or as seconds since the epoch (2)."""
    if bar.seconds * SECOND >= DAY:
        return to_datetime(bar.start).strftime("%Y%m%d")
    return str(bar.start // SECOND) if date_format == EPOCH_SECONDS else format_time(bar.start)


def head_timestamp(request_id: int, head: Nanos, date_format: int) -> Message:
    return (88, request_id, str(head // SECOND) if date_format == EPOCH_SECONDS else format_time(head))


def ticks_midpoint(request_id: int, ticks: Iterable[tuple[Nanos, float]]) -> Message:
    rows = [(time // SECOND, "", price, 0) for time, price in ticks]
    return (96, request_id, len(rows), *(field for row in rows for field in row), 1)


def ticks_bid_ask(request_id: int, ticks: Iterable[tuple[Nanos, float, float, float, float]]) -> Message:
    """Bid, ask and their sizes at each instant."""
    rows = [(time // SECOND, 0, *figures) for time, *figures in ticks]
    return (97, request_id, len(rows), *(field for row in rows for field in row), 1)


def ticks_last(request_id: int, ticks: Iterable[tuple[Nanos, float, float]]) -> Message:
    """Price and size of each trade."""
    rows = [(time // SECOND, 0, price, size, "", "") for time, price, size in ticks]
    return (98, request_id, len(rows), *(field for row in rows for field in row), 1)


def histogram(request_id: int, counts: Iterable[tuple[float, int]]) -> Message:
    rows = list(counts)
    return (89, request_id, len(rows), *(field for row in rows for field in row))
