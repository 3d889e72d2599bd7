"""How working orders meet a bar: at its open, and then along a stated path through it.

The path is that of `mats.venue.markets.bar_replay`: from the open to one extreme, to the other, to the close, each leg
a third of the bar's span. A bar that closes above its open visits the low first, any other the high first. The path
runs inside a quote: buys trade above it, sells below. A spread of the data lies evenly around the path. One of
`spread_ticks` stays on the tick grid, the odd tick below: with a spread of one tick buys trade on the path and sells
one tick under it, as at the opening quotes of a replay.

- A market order trades at the open of the first bar that begins when it is there or later (`open`).
- A limit order trades at the open where that is at its limit or better (`limit-open`), else at its limit when the path
  reaches it (`limit-touch`). It is never slipped.
- A stop is elected at the open where the market opens at its trigger or beyond (`stop-open`), else when the path
  reaches its trigger (`stop-touch`), and trades there as a market order; a stop-limit as a limit order.
- Market and stop orders trade `slippage` worse than the quote; a stop-limit never beyond its limit.
- Orders together take at most `participation` of a bar's volume, in whole increments; the rest waits for the next bar.
  A bar without volume sets no bound.
- `IOC` and `FOK` orders look at one open only. `DAY` orders end with the UTC day of the first bar that they met.
- An order that is made while a bar is under way meets the next one.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from mats.backtest.engine.bar_feed import BarFeed
from mats.model import (
    DAY,
    ZERO,
    Instrument,
    InstrumentId,
    IntentId,
    Nanos,
    OrderIntent,
    OrderTicket,
    OrderType,
    Side,
    TimeInForce,
    exact,
    floor_to,
)
from mats.orders import OrderRecord

LEGS = 3
NOT_KEPT = "the part that did not trade at once is not kept"
BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT
DAY_ORDER, FILL_OR_KILL = TimeInForce.DAY, TimeInForce.FOK
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)
WORDS = {OrderType.LIMIT: "limit", OrderType.STOP: "stop", OrderType.STOP_LIMIT: "stop-limit"}


class Friction(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs besides fees. `participation` 0 sets no bound to the share of a bar's volume."""

    spread_ticks: int = 0
    slippage_ticks: int = 0
    participation: float = 0.0


class Working(msgspec.Struct):
    """An order at the exchange; it meets bars that start at `since` or later, in the order of `place`.

    `record` is the order as its owner knows it, with its fills. `fee` is what they cost, `day` the UTC day of the first
    bar that it met.
    """

    record: OrderRecord
    intent: OrderIntent
    side: Side
    quantity: Decimal
    ticket: OrderTicket
    since: Nanos
    place: int
    fee: Decimal = ZERO
    elected: bool = False
    day: int = -1
    over: bool = False

    @property
    def instrument(self) -> Instrument:
        return self.intent.instrument

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.record.filled

    @property
    def trigger(self) -> tuple[int, Decimal] | None:
        """Which way the quote must come (+1 from below, -1 from above), and how far; None where any price will do."""
        ticket = self.ticket
        if ticket.order_type in STOPS and not self.elected:
            assert ticket.stop_price is not None
            return self.side.sign, ticket.stop_price
        if ticket.limit_price is not None and ticket.order_type is not MARKET:
            return -self.side.sign, ticket.limit_price
        return None


class Reports(Protocol):
    """Takes what happens to orders at the market, one thing at a time; orders may go, come and change in between."""

    def on_trade(self, order: Working, quantity: Decimal, price: Decimal, time: Nanos, rule: str) -> None:
        """A fill of `order`, which is to be booked with it; `rule` says how the price came about."""

    def on_lapse(self, order: Working, time: Nanos, reason: str) -> None:
        """The order ended by itself."""


class BarMarket:
    """The working orders of one instrument, in the order of their arrival; while there are any it is in `active`.

    `number` is its place among the markets of the run.
    """

    def __init__(self, feed: BarFeed, number: int, friction: Friction, active: dict[InstrumentId, "BarMarket"]) -> None:
        self.feed, self.number, self._active = feed, number, active
        self.instrument = instrument = feed.instrument
        self.orders: dict[IntentId, Working] = {}
        self.above = friction.spread_ticks // 2 * instrument.tick_size
        self.below = friction.spread_ticks * instrument.tick_size - self.above
        self.slippage = friction.slippage_ticks * instrument.tick_size
        self._least = instrument.tick_size
        self._quote = {BUY: self.above, SELL: -self.below}
        self._share = exact(friction.participation)
        self.bounded = self._share > 0

    def add(self, order: Working) -> None:
        self.orders[order.intent.intent_id] = order
        self._active[self.instrument.id] = self

    def remove(self, order: Working) -> None:
        """The order works no more, whatever is under way."""
        order.over = True
        self.orders.pop(order.intent.intent_id, None)
        if not self.orders:
            self._active.pop(self.instrument.id, None)

    def capacity(self, volume: float) -> Decimal | None:
        """What all orders together may trade of a bar with this volume, None where the bar tells none."""
        if volume <= 0:
            return None
        return floor_to(exact(volume) * self._share, self.instrument.size_increment)

    def quote(self, row: int) -> dict[Side, Decimal]:
        """How far from the path of a bar each side trades, signed; the data's own spread where it has one."""
        spread = self.feed.spread(row)
        if spread is None:
            return self._quote
        half = exact(spread) / 2
        return {BUY: half, SELL: -half}

    def price(self, side: Side, path: Decimal, away: Decimal) -> Decimal:
        """What a market order gets where the path is at a price, and the quote so far away; slipped."""
        slipped = away + side.sign * self.slippage if self.slippage else away
        price = path + slipped if slipped else path
        return max(self._least, price)


class Visit:
    """One bar's way through a market: ask `at_open` once, then `next_time` and `step` until nothing is reached.

    Orders may go, come and change with every report; those that came after the bar began are left alone.
    """

    __slots__ = (
        "_away", "_corners", "_feed", "_found", "_left", "_leg", "_market", "_price", "_price_found", "_reports",
        "_row", "_start", "_time",
    )  # fmt: skip

    def __init__(self, market: BarMarket, row: int, start: Nanos, reports: Reports) -> None:
        self._market, self._feed, self._row, self._reports = market, market.feed, row, reports
        self._away = market.quote(row)
        self._left = market.capacity(self._feed.volume(row)) if market.bounded else None
        self._price = self._feed.exact_open(row)
        self._corners: tuple[Decimal, ...] = ()
        self._leg = 0
        self._start = self._time = start

    def at_open(self) -> None:
        """What happens at the open, one thing after the other."""
        start = self._start
        for order in list(self._market.orders.values()):
            if order.over or order.since > start:
                continue
            tif = order.ticket.tif
            if tif is DAY_ORDER and self._is_over(order):
                self._reports.on_lapse(order, start, "the day is over")
                continue
            if self._reached(order):
                self._trade(order, "open")
            if not order.over and order.ticket.tif in IMMEDIATE:
                self._market.remove(order)
                self._reports.on_lapse(order, start, NOT_KEPT)

    def next_time(self) -> Nanos | None:
        """When the path reaches an order next, None when it reaches none any more."""
        if not self._could_reach():
            return None
        if not self._corners:
            self._corners = _corners(self._feed, self._row)
        while self._leg < LEGS:
            found = self._first_on_leg()
            if found is not None:
                self._found, self._price_found, self._time = found
                return self._time
            self._leg += 1
            self._price = self._corners[self._leg]
        return None

    def step(self) -> None:
        """Lets the path reach the order of `next_time`, which may only be elected, or find no volume left."""
        self._price = self._price_found
        if self._reached(self._found):
            self._trade(self._found, "touch")

    # one order

    def _is_over(self, order: Working) -> bool:
        """A `DAY` order that meets another day than its first one ends."""
        day = self._start // DAY
        if order.day < 0:
            order.day = day
        if order.day == day:
            return False
        self._market.remove(order)
        return True

    def _reached(self, order: Working) -> bool:
        """Whether the order can trade at the present price; one whose stop is reached is elected."""
        if order.ticket.order_type is MARKET:
            return True
        level = self._level(order)
        if level is not None and (self._price - level[1]) * level[0] < 0:
            return False
        if order.ticket.order_type not in STOPS or order.elected:
            return True
        order.elected = True
        return self._reached(order)

    def _level(self, order: Working) -> tuple[int, Decimal] | None:
        """The price of the path at which the order is reached: from below (+1) or above (-1)."""
        trigger = order.trigger
        return None if trigger is None else (trigger[0], trigger[1] - self._away[order.side])

    def _trade(self, order: Working, where: str) -> None:
        left, ticket = self._left, order.ticket
        quantity = remaining = order.quantity - order.record.filled
        if left is not None:
            if left < remaining:
                quantity = left
            if quantity <= 0 or (ticket.tif is FILL_OR_KILL and quantity < remaining):
                return
            self._left = left - quantity
        price = self._quote(order)
        if quantity == remaining:
            self._market.remove(order)
        word = WORDS.get(ticket.order_type)
        self._reports.on_trade(order, quantity, price, self._time, f"{word}-{where}" if word else where)

    def _quote(self, order: Working) -> Decimal:
        """The quote at the path; slipped, but never beyond a limit."""
        kind, limit, side = order.ticket.order_type, order.ticket.limit_price, order.side
        if kind is LIMIT:
            return self._price + self._away[side]
        price = self._market.price(side, self._price, self._away[side])
        beyond = kind is OrderType.STOP_LIMIT and limit is not None and (price - limit) * side.sign > 0
        return limit if beyond and limit is not None else price

    # the path

    def _could_reach(self) -> bool:
        """Without exact arithmetic: whether the path from low to high can reach any order at all."""
        if self._left is not None and self._left <= 0:
            return False
        low, high = self._feed.extremes(self._row)
        slack = float(abs(self._away[SELL]) + self._market.instrument.tick_size)
        for order in self._market.orders.values():
            trigger = order.trigger
            if order.since > self._start:
                continue
            if trigger is None or trigger[0] * (float(trigger[1]) - (high if trigger[0] > 0 else low)) <= slack:
                return True
        return False

    def _first_on_leg(self) -> tuple[Working, Decimal, Nanos] | None:
        """The order that the rest of the present leg reaches first, with price and time."""
        goal, best = self._corners[self._leg + 1], None
        for order in self._market.orders.values():
            level = self._level(order)
            if order.since > self._start or level is None:
                continue
            here = (self._price - level[1]) * level[0] >= 0
            if not here and (goal - level[1]) * level[0] < 0:
                continue
            price = self._price if here else level[1]
            rank = (abs(price - self._price), order.place)
            if best is None or rank < best[0]:
                best = rank, order, price
        return None if best is None else (best[1], best[2], self._time_of(best[2]))

    def _time_of(self, price: Decimal) -> Nanos:
        """When the present leg is at a price: its legs are straight lines of equal duration."""
        begin, end = self._corners[self._leg], self._corners[self._leg + 1]
        share = (price - begin) / (end - begin) if end != begin else ZERO
        span = self._feed.span
        return max(self._time, self._start + int((self._leg + share) * span / LEGS))


def _corners(feed: BarFeed, row: int) -> tuple[Decimal, ...]:
    """Open, both extremes in the order of the path, close."""
    opened, close, (low, high) = feed.open(row), feed.close(row), feed.extremes(row)
    extremes = (low, high) if close > opened else (high, low)
    return tuple(exact(price) for price in (opened, *extremes, close))
