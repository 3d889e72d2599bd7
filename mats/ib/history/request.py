"""One historical request, and what it counts for."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from mats.ib.conversion import HistoricalBars, source_of
from mats.ib.history.budget import RequestCost
from mats.model import Instrument, Nanos

SMALL_SECONDS = 30
"""Bars of up to this many seconds have IB's hard limits."""
BID_ASK = "BID_ASK"


class HistoryRequest(msgspec.Struct, frozen=True):
    """Bars of one of IB's sizes over `span` seconds before `end` (None: now).

    `what` is IB's name of the source of prices; empty: trades, for pairs the middle of the quotes.
    """

    instrument: Instrument
    seconds: int
    span: int
    end: Nanos | None = None
    what: str = ""
    regular: bool = False

    @property
    def source(self) -> str:
        return self.what or source_of(self.instrument)

    @property
    def cost(self) -> RequestCost:
        """BID_ASK counts twice."""
        weight = 2 if self.source == BID_ASK else 1
        series = series_of(self.instrument, self.source)
        identity = f"{series} {self.seconds} {self.span} {self.end} {self.regular}"
        return RequestCost(identity, series, self.seconds <= SMALL_SECONDS, weight)


class HeadRequest(msgspec.Struct, frozen=True):
    """The start of the earliest bar."""

    instrument: Instrument
    what: str = ""
    regular: bool = False

    @property
    def source(self) -> str:
        return self.what or source_of(self.instrument)

    @property
    def cost(self) -> RequestCost:
        """Head timestamps have the limits of small bars."""
        series = series_of(self.instrument, self.source)
        return RequestCost(f"{series} head {self.regular}", series, small=True)


def series_of(instrument: Instrument, source: str) -> str:
    """What IB's limit of requests within two seconds is about: contract, exchange and kind of price."""
    return f"{instrument.con_id or instrument.id} {instrument.exchange} {source}"


class HistorySource(Protocol):
    """A session that can be asked; `on_sent` is called when the request leaves. Raises RequestFailed."""

    async def history(
        self,
        instrument: Instrument,
        bar_seconds: int,
        duration_seconds: int,
        end: Nanos | None = None,
        what_to_show: str = "",
        *,
        regular_hours: bool = False,
        on_sent: Callable[[], None] = ...,
    ) -> HistoricalBars: ...

    async def head_timestamp(
        self,
        instrument: Instrument,
        what_to_show: str = "",
        *,
        regular_hours: bool = False,
        on_sent: Callable[[], None] = ...,
    ) -> Nanos: ...
