"""The book of one instrument: its quote, the available quoted sizes, and the orders that wait for a price.

Three queues a side: orders that may trade, stops that trigger when the market moves against them, and if-touched orders
that trigger when it moves towards them. Trailing stops are stops whose trigger follows the market in one direction.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from mats.model import ZERO, Instrument, Quote, Side, exact
from mats.venue.matching.orders import STOPPED, TRAILING, VenueOrder


class PriceLevelQueue:
    """Orders by `price_key`, the highest first, then by priority.

    The first is last in the list, where removal is cheap; insertion takes a binary search.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[Decimal, int, VenueOrder]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, price_key: Decimal, order: VenueOrder) -> None:
        insort(self._entries, (price_key, -order.priority, order))

    def remove(self, price_key: Decimal, priority: int) -> None:
        """Removes the order that was added with this key and priority."""
        del self._entries[bisect_left(self._entries, (price_key, -priority))]

    def first(self, bound: Decimal) -> VenueOrder | None:
        """The first order, if its key is at least `bound`."""
        return self._entries[-1][2] if self._entries and self._entries[-1][0] >= bound else None


ANY_PRICE = Decimal("Infinity")


class QueueEntry(NamedTuple):
    queue: PriceLevelQueue
    price_key: Decimal
    priority: int


class OrderBook:
    """`orders` are all working orders, by permanent id; only enqueued ones are matched.

    `tradable` says whether the quote can be traded: one from before the market closed cannot.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.quote: Quote | None = None
        self.tradable = False
        self.orders: dict[int, VenueOrder] = {}
        self._available: dict[Side, Decimal] = {}
        self._resting = {side: PriceLevelQueue() for side in Side}
        self._stops = {side: PriceLevelQueue() for side in Side}
        self._touched = {side: PriceLevelQueue() for side in Side}
        self._trailing: dict[int, VenueOrder] = {}
        self._queued: dict[int, QueueEntry] = {}

    def update_quote(self, quote: Quote) -> None:
        """Sets a new quote with full sizes."""
        self.quote, self.tradable = quote, True
        self._available.clear()

    def price(self, side: Side) -> Decimal:
        """The price at which an order of this side trades; 0 if that side is not quoted."""
        if self.quote is None:
            return ZERO
        return exact(self.quote.ask if side is Side.BUY else self.quote.bid)

    def available(self, side: Side) -> Decimal:
        """The size that orders of this side can still trade at the quote."""
        if self.quote is None:
            return ZERO
        if side not in self._available:
            self._available[side] = exact(self.quote.ask_size if side is Side.BUY else self.quote.bid_size)
        return self._available[side]

    def consume(self, side: Side, quantity: Decimal) -> None:
        self._available[side] = self.available(side) - quantity

    # queues

    def enqueue(self, order: VenueOrder) -> None:
        """Queues the order for matching or triggering."""
        if order.perm_id in self._queued or order.perm_id in self._trailing:
            self.dequeue(order)
        if not order.waits_for_trigger:
            price_key = ANY_PRICE if order.limit is None else order.limit * order.side.sign
            self._add(order, self._resting[order.side], price_key)
        elif order.order_type in TRAILING:
            self._trailing[order.perm_id] = order
        else:
            assert order.stop_price is not None
            stop = order.order_type in STOPPED
            queue = (self._stops if stop else self._touched)[order.side]
            self._add(order, queue, order.stop_price * order.side.sign * (-1 if stop else 1))

    def _add(self, order: VenueOrder, queue: PriceLevelQueue, price_key: Decimal) -> None:
        queue.add(price_key, order)
        self._queued[order.perm_id] = QueueEntry(queue, price_key, order.priority)

    def dequeue(self, order: VenueOrder) -> None:
        """Removes the order from its queue, if it is in one."""
        self._trailing.pop(order.perm_id, None)
        entry = self._queued.pop(order.perm_id, None)
        if entry:
            entry.queue.remove(entry.price_key, entry.priority)

    def remove(self, order: VenueOrder) -> None:
        """Removes the order from the book."""
        self.dequeue(order)
        self.orders.pop(order.perm_id, None)

    def is_resting(self, order: VenueOrder) -> bool:
        """Whether the order is visible to the market."""
        return order.perm_id in self._queued and not order.waits_for_trigger and self.quote is not None

    # matching

    def next_crossing(self, side: Side) -> VenueOrder | None:
        """The order of this side that trades next at the quote."""
        price = self.price(side)
        return self._resting[side].first(price * side.sign) if price else None

    def next_triggered(self, side: Side) -> VenueOrder | None:
        """The next order of this side whose trigger is reached: stops, then if-touched orders, then trailing stops."""
        price = self.price(side)
        if not price:
            return None
        stop = self._stops[side].first(-price * side.sign)
        return stop or self._touched[side].first(price * side.sign) or self._triggered_trailing_stop(side, price)

    def _triggered_trailing_stop(self, side: Side, price: Decimal) -> VenueOrder | None:
        reached = (
            order
            for order in self._trailing.values()
            if order.side is side and order.stop_price is not None and (price - order.stop_price) * side.sign >= 0
        )
        return min(reached, key=lambda order: order.priority, default=None)

    def move_trailing_stops(self) -> Iterator[VenueOrder]:
        """Moves the trailing stops with the quote; yields those that moved."""
        for order in self._trailing.values():
            price = self.price(order.side)
            if price and _move_stop(order, price, self.instrument):
                yield order


def _move_stop(order: VenueOrder, price: Decimal, instrument: Instrument) -> bool:
    """Moves the stop with a price that moved in the order's favor, never back. Returns whether it moved.

    The stop is rounded to the tick further from the market. The limit of a `TRAIL LIMIT` moves with it.
    """
    distance = order.trail_amount
    if distance is None:
        assert order.trail_percent is not None
        distance = price * order.trail_percent / 100
    sign = order.side.sign
    rounding = "ROUND_CEILING" if sign > 0 else "ROUND_FLOOR"
    stop = price + distance * sign
    tick = instrument.tick_at(stop)
    stop = (stop / tick).to_integral_value(rounding) * tick
    if order.stop_price is not None and (order.stop_price - stop) * sign <= 0:
        return False
    order.stop_price = stop
    if order.limit_offset is not None:
        order.limit_price = stop + order.limit_offset * sign
    return True
