"""Quotes: single ticks merged into the top of book, one quote per instrument and packet.

IB reports each price and size alone; the sides of one change arrive in one packet. Source of the tick numbers: IB's TWS
API documentation, "Available Tick Types"; the delayed ones (66 to 71) mean the same.
"""

from collections.abc import Callable, Iterator
from types import MappingProxyType

from mats.model import InstrumentId, Nanos, Quote

PRICES = MappingProxyType({1: "bid", 2: "ask", 4: "last", 66: "bid", 67: "ask", 68: "last"})
SIZES = MappingProxyType({0: "bid_size", 3: "ask_size", 69: "bid_size", 70: "ask_size"})
SIZE_OF_PRICE = MappingProxyType({"bid": "bid_size", "ask": "ask_size"})
NOT_QUOTED = -1.0


class Quotes:
    """The book of each subscribed instrument; `clock` gives the time of a quote, which IB does not send."""

    def __init__(self, clock: Callable[[], Nanos]) -> None:
        self._clock = clock
        self._books: dict[InstrumentId, dict[str, float]] = {}
        self._changed: dict[InstrumentId, None] = {}

    def price(self, instrument: InstrumentId, tick: int, price: float, size: float) -> None:
        """A tickPrice with its size; -1 says that the side is not quoted."""
        if field := PRICES.get(tick):
            quoted = price != NOT_QUOTED or size > 0
            self._set(instrument, field, price if quoted else 0.0)
            if size_field := SIZE_OF_PRICE.get(field):
                self._set(instrument, size_field, size if quoted else 0.0)

    def size(self, instrument: InstrumentId, tick: int, size: float) -> None:
        """A tickSize."""
        if field := SIZES.get(tick):
            self._set(instrument, field, size)

    def forget(self, instrument: InstrumentId) -> None:
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
