"""Matching: working orders against quotes.

The rules, all of them:
- A quote offers its size once: fills use it up, and only the next quote brings more.
- A buy trades at the ask, a sell at the bid, never beyond its limit; orders of one instrument in order of arrival.
- A buy stop is elected when the ask is at or above it, a sell stop when the bid is at or below it; then it is a market
  order (`STP`) or a limit order (`STP LMT`).
- FOK trades whole or not at all; what is left of an IOC or FOK order after its first look is not kept.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from mats.model.instrument import InstrumentId
from mats.model.market import Quote
from mats.model.money import ZERO, exact, floor_to
from mats.model.orders import Side, TimeInForce
from mats.venue.orders import SUBMITTED, Order
from mats.venue.universe import Universe

IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)


class Trade(msgspec.Struct, frozen=True):
    """A fill of `order`; the order has it booked already."""

    order: Order
    quantity: Decimal
    price: Decimal


class Book(msgspec.Struct):
    """One instrument: its last quote, what is left of the quoted sizes, and the working orders by permanent id."""

    step: Decimal
    quote: Quote | None = None
    left: dict[Side, Decimal] = {}
    orders: dict[int, Order] = {}

    def price(self, side: Side) -> Decimal:
        """Where an order of this side trades; 0 where that side is not quoted."""
        if self.quote is None:
            return ZERO
        return exact(self.quote.ask if side is Side.BUY else self.quote.bid)


class Exchange:
    """The books of a universe. It never looks at a clock; time is in the quotes it is given."""

    def __init__(self, universe: Universe) -> None:
        self._books = {i.id: Book(i.size_increment) for i in (listing.instrument for listing in universe)}
        self.held = False

    def quote(self, name: InstrumentId) -> Quote | None:
        return self._books[name].quote

    def mark(self, name: InstrumentId) -> Decimal:
        """The last trade, or the middle of the quote; 0 before the first."""
        quote = self._books[name].quote
        return exact(round(quote.last or quote.mid, 8)) if quote else ZERO

    def working(self) -> Iterator[Order]:
        for book in self._books.values():
            yield from book.orders.values()

    def restore(self, order: Order) -> None:
        """Takes a working order back in without a look at the quote."""
        self._books[order.instrument].orders[order.perm_id] = order

    def submit(self, order: Order) -> list[Trade]:
        """Takes an order in, or looks again at one whose terms have changed; returns its fills."""
        book = self._books[order.instrument]
        if order.tif not in IMMEDIATE:
            book.orders[order.perm_id] = order
        return [] if self.held else self._match(book, order)

    def withdraw(self, order: Order) -> None:
        """Takes an order out; one that is not there is out already."""
        self._books[order.instrument].orders.pop(order.perm_id, None)

    def on_quote(self, quote: Quote) -> list[Trade]:
        """A new quote with fresh sizes; returns the fills it brings."""
        book = self._books[quote.instrument]
        book.quote = quote
        book.left.clear()
        if self.held or not book.orders:
            return []
        return [trade for order in tuple(book.orders.values()) for trade in self._match(book, order)]

    def _match(self, book: Book, order: Order) -> list[Trade]:
        price = book.price(order.side)
        if not price or not _elect(order, price) or not _crosses(order, price):
            return []
        quantity = min(order.remaining, floor_to(_left(book, order.side), book.step))
        if quantity <= 0 or (order.tif is TimeInForce.FOK and quantity < order.remaining):
            return []
        book.left[order.side] -= quantity
        order.fill(quantity, price)
        if not order.remaining:
            book.orders.pop(order.perm_id, None)
        return [Trade(order, quantity, price)]


def _left(book: Book, side: Side) -> Decimal:
    if side not in book.left:
        assert book.quote
        book.left[side] = exact(book.quote.ask_size if side is Side.BUY else book.quote.bid_size)
    return book.left[side]


def _elect(order: Order, price: Decimal) -> bool:
    if order.waits_for_stop:
        assert order.stop_price is not None
        order.elected = (price - order.stop_price) * order.side.sign >= 0
        if order.elected:
            order.status = SUBMITTED
    return not order.waits_for_stop


def _crosses(order: Order, price: Decimal) -> bool:
    limit = order.limit
    return limit is None or (limit - price) * order.side.sign >= 0
