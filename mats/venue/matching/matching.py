"""Where orders meet quotes: the books and the groups, and every fill with what follows from it."""

from decimal import Decimal
from itertools import count

from mats.model import ZERO, InstrumentId, Side, exact, floor_to
from mats.venue.markets import Universe
from mats.venue.matching.events import Changed, Ended, Event, OrderMoved, VenueTrade
from mats.venue.matching.order_book import OrderBook
from mats.venue.matching.order_groups import CANCEL_OTHERS, OrderGroups, reduced
from mats.venue.matching.orders import CANCELLED, IMMEDIATE, ON_CLOSE, PRE_SUBMITTED, SUBMITTED, VenueOrder
from mats.venue.models import SlippageModel


class MatchingEngine:
    """It knows no time. What happens gathers in `events`; children whose parent is through gather in `freed`.

    While it is `held`, nothing trades but what is forced.
    """

    def __init__(self, universe: Universe, slippage: SlippageModel) -> None:
        self._universe, self._slippage = universe, slippage
        self._priorities = count(1)
        self.books: dict[InstrumentId, OrderBook] = {}
        self.groups = OrderGroups()
        self.events: list[Event] = []
        self.freed: list[VenueOrder] = []
        self.held = False

    def book(self, order: VenueOrder) -> OrderBook:
        return self.open(order.instrument)

    def open(self, name: InstrumentId) -> OrderBook:
        """The book of an instrument; it is opened when it is first needed."""
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
        """The end of the line."""
        return next(self._priorities)

    def keep_priority(self, order: VenueOrder) -> None:
        """The order has its place already; all that come are behind it."""
        self._priorities = count(max(order.priority, next(self._priorities) - 1) + 1)

    def withdraw(self, order: VenueOrder) -> None:
        self.book(order).drop(order)
        self.groups.leave(order)

    def acknowledge(self, order: VenueOrder) -> None:
        if order.status == PRE_SUBMITTED and self.book(order).rests(order):
            order.status = SUBMITTED
            self.events.append(Changed(order))

    def end(self, order: VenueOrder, reason: str) -> None:
        """Takes an order out; its waiting children end with it, or come in for what it has filled."""
        if not order.working:
            return
        self.withdraw(order)
        order.status = CANCELLED
        self.events.append(Ended(order, reason))
        for child in self.groups.waiting_children(order):
            if order.filled:
                child.quantity = min(child.quantity, order.filled)
                self.freed.append(child)
            else:
                self.end(child, "its parent is no more")

    def look(self, book: OrderBook) -> None:
        """Lets the orders of a book meet its quote, until nothing happens any more."""
        if self.held or not book.live:
            return
        self.events += [OrderMoved(order) for order in book.trail()]
        seen = -1
        while seen != len(self.events):
            seen = len(self.events)
            self.trigger(book)
            for side in Side:
                self.match(book, side)

    def trigger(self, book: OrderBook) -> None:
        for side in Side:
            while order := book.triggered(side):
                book.leave(order)
                order.elected, order.priority = True, self.next_priority()
                if order.tif not in IMMEDIATE:
                    order.status = SUBMITTED
                    self.events.append(Changed(order))
                book.enter(order)

    def match(self, book: OrderBook, side: Side) -> None:
        while order := book.crossing(side):
            size = book.left(side)
            quantity = min(order.remaining, floor_to(size, book.instrument.size_increment))
            if quantity <= 0:
                return
            quoted = book.price(side)
            price = self._slippage.price(book.instrument, side, quantity, quoted, size)
            if order.limit is not None and (order.limit - price) * side.sign < 0:
                price = order.limit
            book.use(side, quantity)
            self.fill(book, order, quantity, price)

    def fill(self, book: OrderBook, order: VenueOrder, quantity: Decimal, price: Decimal) -> None:
        before = order.remaining
        order.fill(quantity, price)
        self.events.append(VenueTrade(order, quantity, price, order.filled, order.value))
        others = self.groups.others(order)
        self.groups.spend(order)
        if not order.remaining:
            self.freed += self.groups.waiting_children(order)
            self.withdraw(order)
        for other in others:
            if not order.remaining or order.oca_type == CANCEL_OTHERS:
                self.end(other, "another order of its group was filled")
            else:
                self._reduce(other, order.remaining, before)

    def _reduce(self, order: VenueOrder, left: Decimal, before: Decimal) -> None:
        quantity = reduced(order, left, before, self.book(order).instrument.size_increment)
        if quantity == order.filled:
            self.end(order, "another order of its group was filled")
        elif quantity != order.quantity:
            order.quantity = quantity
            self.events.append(Changed(order))

    def close_book(self, book: OrderBook) -> None:
        """The closing auction: one price, the last one, for everybody whose limit allows it, in any size."""
        price = self.mark(book.instrument.id)
        orders = [o for o in book.orders.values() if o.order_type in ON_CLOSE and not o.awaits]
        for order in sorted(orders, key=lambda order: order.priority):
            if not price or (order.limit is not None and (order.limit - price) * order.side.sign < 0):
                self.end(order, "the closing price is beyond its limit" if price else "there is no closing price")
            elif order.working:
                self.fill(book, order, order.remaining, price)
