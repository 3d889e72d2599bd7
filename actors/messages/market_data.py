"""Messages handled and sent by market data."""

from collections.abc import Mapping

import msgspec

from actors.messages.broker import HistoryLoaded, HistoryProgressed
from actors.messages.subscription import Unsubscribed
from mats.model import Bar, Instrument, InstrumentId, Nanos, Quote
from mats.runtime import Question, Ref
from mats.sessions import Hours
from mats.streams import StreamView


class BarArrived(msgspec.Struct, frozen=True, gc=False):
    """A finished five-second bar."""

    bar: Bar


class QuoteArrived(msgspec.Struct, frozen=True, gc=False):
    """The newest quote; where they come too fast, the newest only."""

    quote: Quote


class BarsInterrupted(msgspec.Struct, frozen=True):
    """The bars of the instrument have stopped: what is missing when they go on has to be loaded."""

    instrument: InstrumentId


class BarsOver(msgspec.Struct, frozen=True):
    """The market has closed, at the latest at `time`, while its bars were interrupted: none is to come."""

    instrument: InstrumentId
    time: Nanos


class InstrumentNamed(msgspec.Struct, frozen=True):
    """The broker has one contract of this name; everything about it comes under the id of `instrument`.

    `contract` is the contract with its hours, None where it is not known now.
    """

    name: InstrumentId
    instrument: InstrumentId
    contract: Instrument | None = None


class InstrumentUnnamed(msgspec.Struct, frozen=True):
    """The broker has no contract of this name now, or several; `reason` says which, and what to write."""

    name: InstrumentId
    reason: str


MarketChange = (
    BarArrived | QuoteArrived | BarsInterrupted | BarsOver | InstrumentNamed | InstrumentUnnamed | Unsubscribed
)
"""Sent to followers of instruments."""


class SubscribeInstruments(msgspec.Struct, frozen=True, kw_only=True):
    """Send `BarArrived` (and `QuoteArrived` where `quotes`) of the instruments to `follower` until it is gone.

    First `InstrumentNamed`, or `InstrumentUnnamed`, for each of them.
    """

    instruments: tuple[InstrumentId, ...]
    quotes: bool
    follower: Ref[MarketChange]


class WatchPrices(msgspec.Struct, frozen=True):
    """Subscribe to these instruments at the broker, so that `PriceMarked` is sent although no strategy follows them."""

    instruments: frozenset[InstrumentId]


class LoadHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The last `count` bars; answered by `HistoryLoaded`, on the way `HistoryProgressed`."""

    instrument: InstrumentId
    bar_seconds: int
    count: int
    hours: Hours = "regular"
    reply_to: Ref[HistoryLoaded | HistoryProgressed]


class PriceMarked(msgspec.Struct, frozen=True, gc=False):
    """What one unit is worth now, in the instrument's currency."""

    instrument: InstrumentId
    price: float


class InstrumentCompleted(msgspec.Struct, frozen=True):
    """The broker has completed an instrument: risk works with nothing less, and its currency needs a rate."""

    instrument: Instrument


class DataStale(msgspec.Struct, frozen=True):
    """Instruments whose data cannot be relied on, each with the reason; replaces the list sent before."""

    instruments: Mapping[InstrumentId, str]


class ReadStreams(Question[tuple[StreamView, ...]], frozen=True):
    """Asks for the state of every stream."""
