"""Matching: working orders against quotes.

- A quote offers its size once: fills consume it, and only the next quote brings more. Orders trade with the market,
  never with each other.
- A buy trades at the ask, a sell at the bid, never beyond its limit. Price-time priority: the better price first,
  then the earlier order; market orders come before all limits.
- A buy stop is elected when the ask is at or above its trigger, a sell stop when the bid is at or below it; an
  if-touched order (`MIT`, `LIT`) the other way round. A trailing stop follows the quote of its own side. An elected
  order gets its time priority at its election.
- A change of price, type or trigger, and a larger quantity, lose time priority; a smaller quantity keeps it.
- `FOK` trades completely or not at all; the rest of an `IOC` order is cancelled after its first match.
- Outside regular hours only orders with `outside_rth` trade; outside extended hours none. `MOC` and `LOC` orders trade
  completely at the close, at the last price. Orders expire by their time in force.
- Matching of a quote: trailing stops move; then, as long as anything changes, orders are elected, buys are filled,
  sells are filled. Groups take effect at every single fill. Children of filled parents are released afterwards, one by
  one, each with a matching of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import msgspec

from mats.model import AccountId, InstrumentId, Nanos, Quote, SecType, floor_to
from mats.venue.event_queue import EventQueue, Rank
from mats.venue.markets import AlwaysOpen, Hours, SessionPhase, SessionSchedule, TradingSession, Universe
from mats.venue.matching.events import VenueEvent, VenueOrderChanged
from mats.venue.matching.matching_engine import MatchingEngine
from mats.venue.matching.order_book import OrderBook
from mats.venue.matching.order_groups import CANCELLED_WITH
from mats.venue.matching.orders import IMMEDIATE, ON_CLOSE, TRAILING, OrderTerms, VenueOrder
from mats.venue.models import LatencyModel, NoLatency, NoSlippage, SlippageModel

NOT_KEPT = "the part that did not trade at once is not kept"

Action = Callable[[], None]


class Exchange:
    """The order books of a universe. Time is set by `advance`; every operation returns the events that it caused."""

    def __init__(
        self,
        universe: Universe,
        *,
        hours: Hours | None = None,
        slippage: SlippageModel | None = None,
        latency: LatencyModel | None = None,
    ) -> None:
        self._universe, self._latency = universe, latency or NoLatency()
        self._engine = MatchingEngine(universe, slippage or NoSlippage())
        self._queue = EventQueue()
        self._schedule = SessionSchedule(hours or AlwaysOpen(), self._queue, self._on_phase_change)
        self._now: Nanos = 0

    # queries

    @property
    def held(self) -> bool:
        """While set, orders are accepted and rest; only forced fills trade."""
        return self._engine.held

    @held.setter
    def held(self, held: bool) -> None:
        self._engine.held = held

    def quote(self, name: InstrumentId) -> Quote | None:
        book = self._engine.books.get(name)
        return book.quote if book else None

    def mark(self, name: InstrumentId) -> Decimal:
        """The last trade, or the middle of the quote; 0 before the first."""
        return self._engine.mark(name)

    def working(self) -> Iterator[VenueOrder]:
        for book in self._engine.books.values():
            yield from book.orders.values()

    def group_filled(self, account: AccountId, group: str) -> bool:
        """Whether an order of this one-cancels-all group was filled in the current session."""
        return self._engine.groups.is_filled(account, group)

    def session(self, name: InstrumentId, now: Nanos) -> TradingSession:
        """The session of an instrument in progress, else its next one."""
        return self._schedule.session(self._universe.instrument(name).sec_type, now)

    # orders

    def restore(self, order: VenueOrder) -> None:
        """Restores an order after a restart without matching it; call in order of priority."""
        if order.filled:
            self._engine.groups.mark_filled(order)
        if not order.working:
            return
        self._engine.restore_priority(order)
        self._track(order)
        if self._may_trade(order):
            self._engine.book_of(order).enqueue(order)

    def register(self, order: VenueOrder) -> None:
        """Registers a new order before it is sent: its priority, expiry, group and parent."""
        order.priority = self._engine.next_priority()
        order.expires = self._expiry_of(order, max(self._now, order.submitted))
        self._track(order)

    def submit(self, order: VenueOrder) -> list[VenueEvent]:
        """Sends an order to the market; one that is already there is matched again."""
        if order.perm_id not in self._engine.book_of(order).orders:
            self.register(order)
        self._send(lambda: self._arrive(order))
        return self._take_events()

    def amend(self, order: VenueOrder, terms: OrderTerms) -> list[VenueEvent]:
        """Changes the terms of a working order; ignored if the new quantity is already filled on arrival."""
        self._send(lambda: self._amend(order, terms))
        return self._take_events()

    def cancel(self, order: VenueOrder, reason: str = "") -> list[VenueEvent]:
        """Cancels a working order, its group, and the children that wait for it."""
        self._send(lambda: self._cancel(order, reason))
        return self._take_events()

    def release(self, order: VenueOrder) -> list[VenueEvent]:
        """Releases an order that was held back and matches it."""
        order.awaits = ""
        self._arrive(order)
        return self._take_events()

    def force_fill(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> list[VenueEvent]:
        """Fills a working order regardless of quote and hours."""
        self._engine.fill(self._engine.book_of(order), order, quantity, price)
        self._release_children()
        return self._take_events()

    def remove(self, order: VenueOrder) -> None:
        """Removes an order without further effects, if it is present."""
        self._engine.remove(order)

    # time and quotes

    def advance(self, now: Nanos) -> list[VenueEvent]:
        """Processes everything due up to an instant: arrivals, session changes, expiries."""
        if not self._schedule.started:
            self._now = max(self._now, now)
            self._schedule.start(now)
        for instant, act in self._queue.pop_due(now):
            self._now = max(self._now, instant)
            act(instant)
        self._now = max(self._now, now)
        return self._take_events()

    def on_quote(self, quote: Quote) -> list[VenueEvent]:
        """Matches a new quote with full sizes."""
        book = self._engine.open_book(quote.instrument)
        first = book.quote is None
        book.update_quote(quote)
        if book.orders:
            self._engine.match_book(book)
            self._release_children()
            if first:
                for order in tuple(book.orders.values()):
                    self._engine.acknowledge(order)
        return self._take_events()

    # internals: orders

    def _take_events(self) -> list[VenueEvent]:
        events, self._engine.events = self._engine.events, []
        return events

    def _send(self, act: Action) -> None:
        delay = self._latency.delay()
        if delay:
            self._queue.schedule(self._now + delay, Rank.ARRIVAL, lambda instant: act())
        else:
            act()

    def _track(self, order: VenueOrder) -> None:
        self._engine.book_of(order).orders[order.perm_id] = order
        self._engine.groups.add(order)
        if order.expires:
            self._queue.schedule(order.expires, Rank.EXPIRY, lambda instant: self._expire(order, instant))

    def _expiry_of(self, order: VenueOrder, now: Nanos) -> Nanos:
        """When the order expires; 0 for never."""
        if order.tif == "GTD":
            return order.good_till
        if order.tif != "DAY":
            return 0
        session = self.session(order.instrument, now)
        if order.outside_rth and order.order_type not in ON_CLOSE:
            return session.late
        return session.closes if now < session.closes else self.session(order.instrument, session.late).closes

    def _may_trade(self, order: VenueOrder) -> bool:
        """Whether the order may trade now and belongs in the queue."""
        phase = self._schedule.phase(self._engine.book_of(order).instrument.sec_type, self._now)
        here = phase is SessionPhase.REGULAR or (phase is SessionPhase.EXTENDED and order.outside_rth)
        return here and not order.awaits and order.order_type not in ON_CLOSE

    def _arrive(self, order: VenueOrder) -> None:
        book = self._engine.book_of(order)
        book.dequeue(order)
        if not order.working or order.awaits or order.perm_id not in book.orders:
            return
        if order.tif in IMMEDIATE:
            self._execute_immediate(book, order)
        elif self._may_trade(order):
            book.enqueue(order)
            self._engine.match_book(book)
            self._engine.acknowledge(order)
        self._release_children()

    def _execute_immediate(self, book: OrderBook, order: VenueOrder) -> None:
        """Matches an IOC or FOK order once and ends the rest."""
        if self._may_trade(order) and book.tradable and not self._engine.held:
            book.enqueue(order)
            self._engine.elect(book)
            size = floor_to(book.available(order.side), book.instrument.size_increment)
            if order.tif == "FOK" and size < order.remaining:
                book.dequeue(order)
            self._engine.match(book, order.side)
        if order.working:
            self._engine.end_order(order, NOT_KEPT)

    def _amend(self, order: VenueOrder, terms: OrderTerms) -> None:
        if not order.working or terms.quantity <= order.filled:
            return
        before, book = order.terms, self._engine.book_of(order)
        book.dequeue(order)
        order.apply(terms)
        same = msgspec.structs.replace(before, quantity=terms.quantity, tif=terms.tif, good_till=terms.good_till)
        if order.order_type in TRAILING and terms.stop_price is None:
            order.stop_price = before.stop_price
            same = msgspec.structs.replace(same, stop_price=None)
        if terms != same or terms.quantity > before.quantity:
            order.priority = self._engine.next_priority()
        order.elected = order.elected and terms.order_type == before.order_type
        if (terms.tif, terms.good_till) != (before.tif, before.good_till):
            order.expires = self._expiry_of(order, self._now)
            self._track(order)
        self._engine.events.append(VenueOrderChanged(order))
        self._arrive(order)

    def _cancel(self, order: VenueOrder, reason: str) -> None:
        if order.working:
            others = self._engine.groups.others(order)
            self._engine.end_order(order, reason)
            for other in others:
                self._engine.end_order(other, reason or CANCELLED_WITH)
            self._release_children()

    def _expire(self, order: VenueOrder, instant: Nanos) -> None:
        if order.working and order.expires == instant:
            self._engine.end_order(order, "the day is over" if order.tif == "DAY" else "its good-till date has passed")
            self._release_children()

    def _release_children(self) -> None:
        """Releases the children of filled parents."""
        while self._engine.released:
            child = self._engine.released.pop(0)
            child.awaits = ""
            self._engine.events.append(VenueOrderChanged(child))
            self._arrive(child)

    # internals: sessions

    def _on_phase_change(self, sec_type: SecType, closes: bool, ends: bool) -> None:
        """A phase begins: runs the closing auction at the close and requeues all orders."""
        for book in self._books_of(sec_type):
            if closes:
                self._engine.run_closing_auction(book)
                self._release_children()
            if self._schedule.phase(sec_type, self._now) is SessionPhase.CLOSED:
                book.tradable = False
        if ends:
            self._engine.groups.clear_filled()
        self._requeue_all(sec_type)

    def _books_of(self, sec_type: SecType) -> Iterable[OrderBook]:
        return (book for book in self._engine.books.values() if book.instrument.sec_type is sec_type)

    def _requeue_all(self, sec_type: SecType) -> None:
        """Queues or dequeues every order of a security type for the new phase."""
        for book in self._books_of(sec_type):
            for order in tuple(book.orders.values()):
                if self._may_trade(order):
                    book.enqueue(order)
                    self._engine.acknowledge(order)
                else:
                    book.dequeue(order)
