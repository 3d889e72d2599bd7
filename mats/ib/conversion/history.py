"""Historical bars: IB's names of sizes and spans, what may be requested, and what an answer means.

Source: IB's TWS API documentation, "Historical Bars" (valid bar sizes, durations, step sizes).
"""

import math
from types import MappingProxyType

import msgspec
from ib_async.objects import BarData

from mats.ib.conversion.time_zones import KNOWN_ZONES, TimeZones
from mats.ib.conversion.timestamps import instant
from mats.model import DAY, SECOND, Bar, Instrument, InstrumentId, SecType

DAY_SECONDS = DAY // SECOND

BAR_SIZES = MappingProxyType(
    {
        1: "1 secs",
        5: "5 secs",
        10: "10 secs",
        15: "15 secs",
        30: "30 secs",
        60: "1 min",
        120: "2 mins",
        180: "3 mins",
        300: "5 mins",
        600: "10 mins",
        900: "15 mins",
        1200: "20 mins",
        1800: "30 mins",
        3600: "1 hour",
        7200: "2 hours",
        10800: "3 hours",
        14400: "4 hours",
        28800: "8 hours",
        DAY_SECONDS: "1 day",
    }
)
"""IB's name of each bar size in seconds."""

MAX_SPAN_SECONDS = MappingProxyType({1: 2_000, 5: 3_600, 10: 14_400, 15: 14_400, 30: 28_800})
"""The longest span in seconds that IB answers in one request of small bars."""

_PAGES = ((60, DAY_SECONDS), (120, 2 * DAY_SECONDS), (1_200, 7 * DAY_SECONDS), (28_800, 30 * DAY_SECONDS))
"""The longest span of one request of larger bars, by IB's table of step sizes: up to this size, this span; seconds."""


class HistoricalBars(msgspec.Struct, frozen=True):
    """Finished bars, oldest first. `known_empty`: the broker answered that there are none (not a timeout)."""

    instrument: InstrumentId
    bars: tuple[Bar, ...]
    known_empty: bool


def bar_size(seconds: int) -> str:
    """IB's name of a bar size, or a `ValueError` with those it has."""
    if seconds not in BAR_SIZES:
        raise ValueError(f"bars of {seconds} seconds do not exist; choose one of {', '.join(map(str, BAR_SIZES))}")
    return BAR_SIZES[seconds]


def longest_span(bar_seconds: int) -> int:
    """The longest span in seconds that one request of such bars should cover."""
    larger = next((span for size, span in _PAGES if bar_seconds <= size), 365 * DAY_SECONDS)
    return MAX_SPAN_SECONDS.get(bar_seconds, larger)


def part_size(seconds: int, opens: int = 0) -> int:
    """The largest size that IB has and that bars of `seconds` can be built from; a ValueError where there is none.

    IB's bars begin at multiples of their size, ours with their session, which `opens` at a second since 1970; what it
    opens at after a break counts too: of several such seconds the greatest common divisor is given.
    """
    sizes = [size for size in BAR_SIZES if seconds % size == 0 and opens % size == 0]
    if seconds < 1 or not sizes:
        raise ValueError(f"bars of {seconds} seconds cannot be built; give a whole number of seconds from 1 on")
    return max(sizes)


def duration(seconds: int, bar_seconds: int) -> str:
    """The shortest span that IB can express and that covers `seconds`: seconds up to a day, then days, then years."""
    if seconds < bar_seconds:
        raise ValueError(f"a span of {seconds} seconds holds no bar of {bar_seconds} seconds; request a longer one")
    longest = MAX_SPAN_SECONDS.get(bar_seconds, seconds)
    if seconds > longest:
        raise ValueError(
            f"bars of {bar_seconds} seconds come at most {longest} seconds at a time, not {seconds}; request parts"
        )
    if seconds <= DAY_SECONDS and bar_seconds < DAY_SECONDS:
        return f"{seconds} S"
    days = math.ceil(seconds / DAY_SECONDS)
    return f"{days} D" if days <= 365 else f"{math.ceil(days / 365)} Y"


def source_of(instrument: Instrument) -> str:
    """Which prices make the bars: trades, or the middle of the quotes where trades are not published."""
    return "MIDPOINT" if instrument.sec_type is SecType.CASH else "TRADES"


def to_bar(instrument: InstrumentId, seconds: int, data: BarData, zones: TimeZones = KNOWN_ZONES) -> Bar:
    """A bar off the wire; IB writes -1 where a kind of bar has no volume, average or count."""
    return Bar(
        instrument,
        instant(str(data.date), zones),
        seconds,
        data.open,
        data.high,
        data.low,
        data.close,
        max(0.0, data.volume),
        max(0.0, data.average),
        max(0, data.barCount),
    )
