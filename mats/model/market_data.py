"""Market data: bars and quotes. Prices are floats: data is measured, money is counted."""

from datetime import datetime
from enum import StrEnum

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


class MarketStream(StrEnum):
    """What the broker is asked for about an instrument; its bars and quotes need its contract."""

    CONTRACT = "contract"
    BARS = "bars"
    QUOTES = "quotes"


class StreamMeaning(StrEnum):
    """What a message of the broker means for streams of market data."""

    STOPPED = "STOPPED"
    """The stream has ended and must be requested again."""
    COMPETING = "COMPETING"
    """Another login of the same user gets the data."""
    PACED = "PACED"
    """Too many requests."""
    NOT_SUBSCRIBED = "NOT_SUBSCRIBED"
    """The account has no subscription for these data."""
    DELAYED = "DELAYED"
    """Delayed data flow in place of live ones."""
    REFUSED = "REFUSED"
    """Refused for any other reason."""
    UNRESOLVED = "UNRESOLVED"
    """There is no contract to stream."""
    FARM_DOWN = "FARM_DOWN"
    FARM_UP = "FARM_UP"
    LINK_DOWN = "LINK_DOWN"
    """The gateway has no link to the broker's servers."""
    LINK_UP = "LINK_UP"
    """It has one again, and the broker says that streams continue."""
    STREAMS_LOST = "STREAMS_LOST"
    """It has one again, and every stream must be requested again."""


class StreamNotice(msgspec.Struct, frozen=True):
    """The broker said something about one stream, or, where `instrument` is empty, about all. `text`: its own words."""

    meaning: StreamMeaning
    text: str
    instrument: InstrumentId = ""
    stream: MarketStream = MarketStream.BARS
