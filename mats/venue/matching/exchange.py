"""Matching: working orders against quotes.

- A quote offers its size once: fills use it up, and only the next quote brings more. Orders trade with the market, and
  never with each other.
- A buy trades at the ask, a sell at the bid, never beyond its limit. Of the orders that can trade, the better price is
  first, then the earlier order; market orders are before all limits.
- A buy stop is elected when the ask is at or above its trigger, a sell stop when the bid is at or below it; a touched
  order (`MIT`, `LIT`) the other way round. A trailing stop follows the quote of its own side. An elected order takes
  its place in time at its election.
- A change of price, type or trigger, and a larger quantity, lose the place in time; a smaller quantity keeps it.
- `FOK` trades whole or not at all; what is left of an `IOC` or `FOK` order after its first look is not kept.
- Outside the regular hours only orders marked for it trade; outside the extended ones none. `MOC` and `LOC` orders
  trade at the close, whole, at the last price. Orders end at their time.
- A look at a quote: trailing stops move; then, as long as anything happens, triggers are looked at, buys are filled,
  sells are filled. Groups take effect at every single fill. Children of filled parents come in after it, one by one,
  each with a look of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import msgspec

from mats.model import AccountId, InstrumentId, Nanos, Quote, SecType, floor_to
from mats.venue.event_queue import EventQueue, Rank
from mats.venue.markets import AlwaysOpen, Hours, SessionPhase, SessionSchedule, TradingSession, Universe
from mats.venue.matching.events import VenueEvent, VenueOrderChanged
from mats.venue.matching.matching import MatchingEngine
from mats.venue.matching.order_book import OrderBook
from mats.venue.matching.orders import IMMEDIATE, ON_CLOSE, TRAILING, OrderTerms, VenueOrder
from mats.venue.models import LatencyModel, NoLatency, NoSlippage, SlippageModel

NOT_KEPT = "the part that did not trade at once is not kept"

Action = Callable[[], None]


class Exchange:
    """The books of a universe. Time is what `advance` says; whatever is asked of it answers with what it brought."""

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

    # questions

    @property
    def held(self) -> bool:
        """While it is set, orders are accepted and rest, and nothing trades but what is forced."""
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
        """Whether an order of this one-cancels-all group was filled in the present session."""
        return self._engine.groups.is_filled(account, group)

    def session(self, name: InstrumentId, now: Nanos) -> TradingSession:
        """The session of an instrument that is going on, or else its next one."""
        return self._schedule.session(self._universe.instrument(name).sec_type, now)

    # orders

    def restore(self, order: VenueOrder) -> None:
        """Takes an order back in after a restart, without a look at the quote; give them by priority."""
        if order.filled:
            self._engine.groups.mark_filled(order)
        if not order.working:
            return
        self._engine.restore_priority(order)
        self._track(order)
        if self._may_trade(order):
            self._engine.book_of(order).enqueue(order)

    def register(self, order: VenueOrder) -> None:
        """Takes note of a new order before it is sent: its place in time, its end, its group and family."""
        order.priority = self._engine.next_priority()
        order.expires = self._expiry_of(order, max(self._now, order.submitted))
        self._track(order)

    def submit(self, order: VenueOrder) -> list[VenueEvent]:
        """Sends an order to the market; one that is there already is looked at again."""
        if order.perm_id not in self._engine.book_of(order).orders:
            self.register(order)
        self._send(lambda: self._arrive(order))
        return self._take_events()

    def amend(self, order: VenueOrder, terms: OrderTerms) -> list[VenueEvent]:
        """Changes the terms of a working order; a quantity that is filled already by then changes nothing."""
        self._send(lambda: self._amend(order, terms))
        return self._take_events()

    def cancel(self, order: VenueOrder, reason: str = "") -> list[VenueEvent]:
        """Ends a working order, its group, and the children that wait for it."""
        self._send(lambda: self._cancel(order, reason))
        return self._take_events()

    def release(self, order: VenueOrder) -> list[VenueEvent]:
        """What held the order back is no more: it comes in."""
        order.awaits = ""
        self._arrive(order)
        return self._take_events()

    def force_fill(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> list[VenueEvent]:
        """Fills a working order, whatever the quote and the hours say."""
        self._engine.fill(self._engine.book_of(order), order, quantity, price)
        self._release_children()
        return self._take_events()

    def remove(self, order: VenueOrder) -> None:
        """Takes an order out and does nothing else; one that is not there is out already."""
        self._engine.remove(order)

    # time and quotes

    def advance(self, now: Nanos) -> list[VenueEvent]:
        """Lets everything happen that is due up to an instant: arrivals, sessions, ends of orders."""
        if not self._schedule.started:
            self._now = max(self._now, now)
            self._schedule.start(now)
        for instant, act in self._queue.pop_due(now):
            self._now = max(self._now, instant)
            act(instant)
        self._now = max(self._now, now)
        return self._take_events()

    def on_quote(self, quote: Quote) -> list[VenueEvent]:
        """A new quote with fresh sizes."""
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

    # inside: orders

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
        """When the order ends by itself: 0 for never."""
        if order.tif == "GTD":
            return order.good_till
        if order.tif != "DAY":
            return 0
        session = self.session(order.instrument, now)
        if order.outside_rth and order.order_type not in ON_CLOSE:
            return session.late
        return session.closes if now < session.closes else self.session(order.instrument, session.late).closes

    def _may_trade(self, order: VenueOrder) -> bool:
        """Whether the order belongs in line now."""
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
        """One look for an order that does not wait: what it can take, and the end of the rest."""
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
                self._engine.end_order(other, reason or "another order of its group was cancelled")
            self._release_children()

    def _expire(self, order: VenueOrder, instant: Nanos) -> None:
        if order.working and order.expires == instant:
            self._engine.end_order(order, "the day is over" if order.tif == "DAY" else "its time is over")
            self._release_children()

    def _release_children(self) -> None:
        """Lets the children of filled parents come in."""
        while self._engine.released:
            child = self._engine.released.pop(0)
            child.awaits = ""
            self._engine.events.append(VenueOrderChanged(child))
            self._arrive(child)

    # inside: sessions

    def _on_phase_change(self, sec_type: SecType, closes: bool, ends: bool) -> None:
        """A phase begins: auctions where it is the close, and every order goes where it belongs in it."""
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
        """Puts every order of a kind of instrument where it belongs in the phase that begins."""
        for book in self._books_of(sec_type):
            for order in tuple(book.orders.values()):
                if self._may_trade(order):
                    book.enqueue(order)
                    self._engine.acknowledge(order)
                else:
                    book.dequeue(order)
