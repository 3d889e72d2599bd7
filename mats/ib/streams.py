"""Open streams of a session: which request id carries which, and single ticks merged into quotes.

IB reports each price and size alone; the sides of one change arrive in one packet. Source of the tick numbers: IB's TWS
API documentation, "Available Tick Types"; the delayed ones (66 to 71) mean the same.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from types import MappingProxyType

import msgspec

from mats.model import Instrument, InstrumentId, MarketStream, Nanos, Quote

PRICES = MappingProxyType({1: "bid", 2: "ask", 4: "last", 66: "bid", 67: "ask", 68: "last"})
SIZES = MappingProxyType({0: "bid_size", 3: "ask_size", 69: "bid_size", 70: "ask_size"})
SIZE_OF_PRICE = MappingProxyType({"bid": "bid_size", "ask": "ask_size"})
NOT_QUOTED = -1.0
BAR_SECONDS = 5
"""The one length of bars that IB streams; they begin at multiples of it."""


class StreamKind(StrEnum):
    """Kinds of streams."""

    BARS = "BARS"
    QUOTES = "QUOTES"
    ACCOUNT = "ACCOUNT"


MARKET = MappingProxyType({StreamKind.BARS: MarketStream.BARS, StreamKind.QUOTES: MarketStream.QUOTES})


class Stream(msgspec.Struct, frozen=True):
    """One subscription; `subject` is an instrument id, or an account."""

    kind: StreamKind
    subject: str
    instrument: Instrument | None = None


class Streams:
    """The streams of a session, found by request id or by what they carry; one for each kind and subject."""

    def __init__(self) -> None:
        self._by_id: dict[int, Stream] = {}
        self._ids: dict[tuple[StreamKind, str], int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._by_id.values()))

    def add(self, request_id: int, stream: Stream) -> bool:
        """Add a stream; False if there is one already."""
        key = (stream.kind, stream.subject)
        if key in self._ids:
            return False
        self._ids[key] = request_id
        self._by_id[request_id] = stream
        return True

    def remove(self, kind: StreamKind, subject: str) -> int | None:
        """Remove a stream; its request id, None if there was none."""
        request_id = self._ids.pop((kind, subject), None)
        if request_id is not None:
            del self._by_id[request_id]
        return request_id

    def subject(self, request_id: int, kind: StreamKind) -> str | None:
        """What the request carries, None if it is not (or no longer) such a stream."""
        stream = self._by_id.get(request_id)
        return stream.subject if stream and stream.kind is kind else None

    def market(self, request_id: int) -> tuple[InstrumentId, MarketStream] | None:
        """The market data that the request carries, None if it carries none."""
        stream = self._by_id.get(request_id)
        return (stream.subject, MARKET[stream.kind]) if stream and stream.kind in MARKET else None


class QuoteAggregator:
    """Merges ticks into one quote per instrument and packet; `clock` gives its time, which IB does not send."""

    def __init__(self, clock: Callable[[], Nanos]) -> None:
        self._clock = clock
        self._books: dict[InstrumentId, dict[str, float]] = {}
        self._changed: dict[InstrumentId, None] = {}

    def price(self, instrument: InstrumentId, tick: int, price: float, size: float) -> None:
        """A tickPrice with its size; -1 means that the side is not quoted."""
        if field := PRICES.get(tick):
            quoted = price != NOT_QUOTED or size > 0
            self._set(instrument, field, price if quoted else 0.0)
            if size_field := SIZE_OF_PRICE.get(field):
                self._set(instrument, size_field, size if quoted else 0.0)

    def size(self, instrument: InstrumentId, tick: int, size: float) -> None:
        """A tickSize."""
        if field := SIZES.get(tick):
            self._set(instrument, field, size)

    def remove(self, instrument: InstrumentId) -> None:
        """The subscription ended: what was quoted is no longer known."""
        self._books.pop(instrument, None)
        self._changed.pop(instrument, None)

    def drain(self) -> Iterator[Quote]:
        """The quotes that changed since the last call, in the order of their first change."""
        changed, self._changed = self._changed, {}
        for instrument in changed:
            yield Quote(instrument, self._clock(), **self._books[instrument])

    def _set(self, instrument: InstrumentId, field: str, value: float) -> None:
        book = self._books.setdefault(instrument, dict.fromkeys(("bid", "ask", "bid_size", "ask_size", "last"), 0.0))
        if book[field] != value:
            book[field] = value
            self._changed[instrument] = None
