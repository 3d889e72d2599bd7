"""Matches orders with quotes: books, groups, and the consequences of every fill."""

from decimal import Decimal
from itertools import count

from mats.model import ZERO, InstrumentId, Side, exact, floor_to
from mats.venue.markets import Universe
from mats.venue.matching.events import TriggerMoved, VenueEvent, VenueOrderChanged, VenueOrderEnded, VenueTrade
from mats.venue.matching.order_book import OrderBook
from mats.venue.matching.order_groups import CANCEL_OTHERS, ENDED_WITH, PARENT_ENDED, OrderGroups, reduced_quantity
from mats.venue.matching.orders import CANCELLED, IMMEDIATE, ON_CLOSE, PRE_SUBMITTED, SUBMITTED, VenueOrder
from mats.venue.models import SlippageModel


class MatchingEngine:
    """Has no notion of time. Collects `events`, and in `released` the children whose parent has filled or ended.

    While `held`, only forced fills trade.
    """

    def __init__(self, universe: Universe, slippage: SlippageModel) -> None:
        self._universe, self._slippage = universe, slippage
        self._priorities = count(1)
        self.books: dict[InstrumentId, OrderBook] = {}
        self.groups = OrderGroups()
        self.events: list[VenueEvent] = []
        self.released: list[VenueOrder] = []
        self.held = False

    def book_of(self, order: VenueOrder) -> OrderBook:
        return self.open_book(order.instrument)

    def open_book(self, name: InstrumentId) -> OrderBook:
        """The book of an instrument, created on first use."""
        book = self.books.get(name)
        if book is None:
            book = self.books[name] = OrderBook(self._universe.instrument(name))
        return book

    def mark(self, name: InstrumentId) -> Decimal:
        """The last trade, or the middle of the quote; 0 before the first."""
        book = self.books.get(name)
        quote = book.quote if book else None
        return exact(round(quote.last or quote.mid, 8)) if quote else ZERO

    def next_priority(self) -> int:
        """The lowest priority so far."""
        return next(self._priorities)

    def restore_priority(self, order: VenueOrder) -> None:
        """Keeps the priority of a restored order; later orders come after it."""
        self._priorities = count(max(order.priority, next(self._priorities) - 1) + 1)

    def remove(self, order: VenueOrder) -> None:
        self.book_of(order).remove(order)
        self.groups.remove(order)

    def acknowledge(self, order: VenueOrder) -> None:
        if order.status == PRE_SUBMITTED and self.book_of(order).is_resting(order):
            order.status = SUBMITTED
            self.events.append(VenueOrderChanged(order))

    def end_order(self, order: VenueOrder, reason: str) -> None:
        """Ends an order; its waiting children end with it, or are released for the quantity it has filled."""
        if not order.working:
            return
        self.remove(order)
        order.status = CANCELLED
        self.events.append(VenueOrderEnded(order, reason))
        self.released += self.groups.released_at_end(order)
        if not order.filled:
            for child in self.groups.waiting_children(order):
                self.end_order(child, PARENT_ENDED)

    def match_book(self, book: OrderBook) -> None:
        """Matches the orders of a book with its quote until nothing changes."""
        if self.held or not book.tradable:
            return
        self.events += [TriggerMoved(order) for order in book.move_trailing_stops()]
        seen = -1
        while seen != len(self.events):
            seen = len(self.events)
            self.elect(book)
            for side in Side:
                self.match(book, side)

    def elect(self, book: OrderBook) -> None:
        for side in Side:
            while order := book.next_triggered(side):
                book.dequeue(order)
                order.elected, order.priority = True, self.next_priority()
                if order.tif not in IMMEDIATE:
                    order.status = SUBMITTED
                    self.events.append(VenueOrderChanged(order))
                book.enqueue(order)

    def match(self, book: OrderBook, side: Side) -> None:
        while order := book.next_crossing(side):
            size = book.available(side)
            quantity = min(order.remaining, floor_to(size, book.instrument.size_increment))
            if quantity <= 0:
                return
            quoted = book.price(side)
            price = self._slippage.price(book.instrument, side, quantity, quoted, size)
            if order.limit is not None and (order.limit - price) * side.sign < 0:
                price = order.limit
            book.consume(side, quantity)
            self.fill(book, order, quantity, price)

    def fill(self, book: OrderBook, order: VenueOrder, quantity: Decimal, price: Decimal) -> None:
        before = order.remaining
        order.fill(quantity, price)
        self.events.append(VenueTrade(order, quantity, price, order.filled, order.value))
        others = self.groups.others(order)
        self.groups.mark_filled(order)
        if not order.remaining:
            self.released += self.groups.waiting_children(order)
            self.remove(order)
        for other in others:
            if not order.remaining or order.oca_type == CANCEL_OTHERS:
                self.end_order(other, ENDED_WITH)
            else:
                self._reduce_in_group(other, order.remaining, before)

    def _reduce_in_group(self, order: VenueOrder, left: Decimal, before: Decimal) -> None:
        quantity = reduced_quantity(order, left, before, self.book_of(order).instrument.size_increment)
        if quantity == order.filled:
            self.end_order(order, ENDED_WITH)
        elif quantity != order.quantity:
            order.quantity = quantity
            self.events.append(VenueOrderChanged(order))

    def run_closing_auction(self, book: OrderBook) -> None:
        """The closing auction: all `MOC` orders, and `LOC` orders whose limit allows it, fill at the last price."""
        price = self.mark(book.instrument.id)
        orders = [o for o in book.orders.values() if o.order_type in ON_CLOSE and not o.awaits]
        for order in sorted(orders, key=lambda order: order.priority):
            if not price or (order.limit is not None and (order.limit - price) * order.side.sign < 0):
                self.end_order(order, "the closing price is beyond its limit" if price else "there is no closing price")
            elif order.working:
                self.fill(book, order, order.remaining, price)
