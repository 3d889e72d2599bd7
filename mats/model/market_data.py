"""Market data: bars and quotes. Prices are floats: data is measured, money is counted."""

from datetime import datetime

import msgspec

from mats.model.instrument import InstrumentId
from mats.model.timestamp import SECOND, Nanos, to_datetime


class Bar(msgspec.Struct, frozen=True, gc=False):
    """Open, high, low, close and volume of `[start, start + seconds)`.

    `wap` is the volume-weighted average price, `count` the number of trades; 0 where the source has none.
    """

    instrument: InstrumentId
    start: Nanos
    seconds: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    wap: float = 0.0
    count: int = 0

    @property
    def end(self) -> Nanos:
        """The instant from which the bar is known: the end of its span."""
        return self.start + self.seconds * SECOND

    @property
    def time(self) -> datetime:
        """The start as an aware UTC datetime."""
        return to_datetime(self.start)


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Top of book at `time`; a side that is not quoted is 0 in price and size."""

    instrument: InstrumentId
    time: Nanos
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    last: float = 0.0

    @property
    def mid(self) -> float:
        """The middle of the two sides, or the last trade where one side is missing."""
        return (self.bid + self.ask) / 2 if self.bid > 0 and self.ask > 0 else self.last
