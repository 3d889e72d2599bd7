"""The book of one instrument: its quote, what is left of the quoted sizes, and the orders that wait for a price.

Three ladders a side: orders that may trade, stops that wait for the market to turn against them, and touched orders
that wait for it to come to them. Trailing stops are stops whose trigger follows the market and never turns back.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from mats.model import ZERO, Instrument, Quote, Side, exact
from mats.venue.matching.orders import STOPPED, TRAILING, VenueOrder


class PriceLevelQueue:
    """Orders by `reach`, the highest first, and by priority where they reach equally far.

    The first is last in the list, where it is cheap to take out; finding a place takes a binary search.
    """

    def __init__(self) -> None:
        self._rungs: list[tuple[Decimal, int, VenueOrder]] = []

    def __len__(self) -> int:
        return len(self._rungs)

    def add(self, reach: Decimal, order: VenueOrder) -> None:
        insort(self._rungs, (reach, -order.priority, order))

    def remove(self, reach: Decimal, priority: int) -> None:
        """Takes out the order that was added with this reach and priority."""
        del self._rungs[bisect_left(self._rungs, (reach, -priority))]

    def first(self, bound: Decimal) -> VenueOrder | None:
        """The first in line, where it reaches as far as `bound`."""
        return self._rungs[-1][2] if self._rungs and self._rungs[-1][0] >= bound else None


ANY_PRICE = Decimal("Infinity")


class QueueEntry(NamedTuple):
    ladder: PriceLevelQueue
    reach: Decimal
    priority: int


class OrderBook:
    """`orders` are all that work, by permanent id; only those that `enter` are looked at.

    `live` says that the quote can be traded at: one from before the market closed cannot.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.quote: Quote | None = None
        self.live = False
        self.orders: dict[int, VenueOrder] = {}
        self._left: dict[Side, Decimal] = {}
        self._resting = {side: PriceLevelQueue() for side in Side}
        self._stops = {side: PriceLevelQueue() for side in Side}
        self._touches = {side: PriceLevelQueue() for side in Side}
        self._trails: dict[int, VenueOrder] = {}
        self._places: dict[int, QueueEntry] = {}

    def show(self, quote: Quote) -> None:
        """A new quote with fresh sizes."""
        self.quote, self.live = quote, True
        self._left.clear()

    def price(self, side: Side) -> Decimal:
        """Where an order of this side trades; 0 where that side is not quoted."""
        if self.quote is None:
            return ZERO
        return exact(self.quote.ask if side is Side.BUY else self.quote.bid)

    def left(self, side: Side) -> Decimal:
        """What orders of this side can still trade at the quote."""
        if self.quote is None:
            return ZERO
        if side not in self._left:
            self._left[side] = exact(self.quote.ask_size if side is Side.BUY else self.quote.bid_size)
        return self._left[side]

    def use(self, side: Side, quantity: Decimal) -> None:
        self._left[side] = self.left(side) - quantity

    # places

    def enter(self, order: VenueOrder) -> None:
        """Puts the order in line; from now on the market is looked at for it."""
        if order.perm_id in self._places or order.perm_id in self._trails:
            self.leave(order)
        if not order.waits_for_trigger:
            reach = ANY_PRICE if order.limit is None else order.limit * order.side.sign
            self._put(order, self._resting[order.side], reach)
        elif order.order_type in TRAILING:
            self._trails[order.perm_id] = order
        else:
            assert order.stop_price is not None
            stop = order.order_type in STOPPED
            ladder = (self._stops if stop else self._touches)[order.side]
            self._put(order, ladder, order.stop_price * order.side.sign * (-1 if stop else 1))

    def _put(self, order: VenueOrder, ladder: PriceLevelQueue, reach: Decimal) -> None:
        ladder.add(reach, order)
        self._places[order.perm_id] = QueueEntry(ladder, reach, order.priority)

    def leave(self, order: VenueOrder) -> None:
        """Takes the order out of its line, if it is in one."""
        self._trails.pop(order.perm_id, None)
        place = self._places.pop(order.perm_id, None)
        if place:
            place.ladder.remove(place.reach, place.priority)

    def drop(self, order: VenueOrder) -> None:
        """Forgets the order."""
        self.leave(order)
        self.orders.pop(order.perm_id, None)

    def rests(self, order: VenueOrder) -> bool:
        """Whether the market can see the order."""
        return order.perm_id in self._places and not order.waits_for_trigger and self.quote is not None

    # looks

    def crossing(self, side: Side) -> VenueOrder | None:
        """The order of this side that trades next at the quote."""
        price = self.price(side)
        return self._resting[side].first(price * side.sign) if price else None

    def triggered(self, side: Side) -> VenueOrder | None:
        """The order of this side whose trigger the quote has reached: the foremost stop, then touch, then trail."""
        price = self.price(side)
        if not price:
            return None
        stop = self._stops[side].first(-price * side.sign)
        return stop or self._touches[side].first(price * side.sign) or self._reached_trail(side, price)

    def _reached_trail(self, side: Side, price: Decimal) -> VenueOrder | None:
        reached = (
            order
            for order in self._trails.values()
            if order.side is side and order.stop_price is not None and (price - order.stop_price) * side.sign >= 0
        )
        return min(reached, key=lambda order: order.priority, default=None)

    def trail(self) -> Iterator[VenueOrder]:
        """Moves the trailing stops after the quote; yields those that moved."""
        for order in self._trails.values():
            price = self.price(order.side)
            if price and _follow(order, price, self.instrument.tick_size):
                yield order


def _follow(order: VenueOrder, price: Decimal, tick: Decimal) -> bool:
    """Draws the stop after a price that moved in the order's favour; it never turns back. True where it moved.

    A stop off the tick grid is laid on the tick further from the market. The limit of a `TRAIL LIMIT` goes along.
    """
    distance = order.trail_amount
    if distance is None:
        assert order.trail_percent is not None
        distance = price * order.trail_percent / 100
    sign = order.side.sign
    rounding = "ROUND_CEILING" if sign > 0 else "ROUND_FLOOR"
    stop = ((price + distance * sign) / tick).to_integral_value(rounding) * tick
    if order.stop_price is not None and (order.stop_price - stop) * sign <= 0:
        return False
    order.stop_price = stop
    if order.limit_offset is not None:
        order.limit_price = stop + order.limit_offset * sign
    return True
