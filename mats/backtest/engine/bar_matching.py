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
- Where the bars go beyond regular hours, only limit and stop-limit orders with `outside_rth` meet those without
  trading in them; `IOC` and `FOK` orders end there.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from mats.backtest.engine.bar_feed import BarFeed
from mats.backtest.engine.bar_order import MARKET, NEVER, STOPS, BarOrder
from mats.model import (
    DAY,
    ZERO,
    InstrumentId,
    IntentId,
    Nanos,
    OrderTicket,
    OrderType,
    Side,
    TimeInForce,
    exact,
    floor_to,
)

LEGS = 3
NOT_KEPT = "the part that did not trade at once is not kept"
BUY, SELL = Side.BUY, Side.SELL
LIMIT, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP_LIMIT
DAY_ORDER, FILL_OR_KILL = TimeInForce.DAY, TimeInForce.FOK
IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)
WORDS = {OrderType.LIMIT: "limit", OrderType.STOP: "stop", OrderType.STOP_LIMIT: "stop-limit"}


class Friction(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs besides fees. `participation` 0 sets no bound to the share of a bar's volume."""

    spread_ticks: int = 0
    slippage_ticks: int = 0
    participation: float = 0.0


class Reports(Protocol):
    """Takes what happens to orders at the market, one thing at a time; orders may go, come and change in between."""

    def on_trade(self, order: BarOrder, quantity: Decimal, price: Decimal, time: Nanos, rule: str) -> None:
        """A fill of `order`, which is to be booked with it; `rule` says how the price came about."""

    def on_lapse(self, order: BarOrder, time: Nanos, reason: str) -> None:
        """The order ended by itself."""


class BarMarket:
    """The working orders of one instrument, in the order of their arrival; while there are any it is in `active`.

    `number` is its place among the markets of the run.
    """

    def __init__(self, feed: BarFeed, number: int, friction: Friction, active: dict[InstrumentId, "BarMarket"]) -> None:
        self.feed, self.number, self._active = feed, number, active
        self.instrument = instrument = feed.instrument
        self.orders: dict[IntentId, BarOrder] = {}
        self._spread, self._slippage = friction.spread_ticks, friction.slippage_ticks
        self._least = instrument.tick_size
        self.reports: Reports
        self._quote = self._around(instrument.tick_size)
        self._share = exact(friction.participation)
        self.bounded = self._share > 0

    def add(self, order: BarOrder) -> None:
        self.orders[order.origin.intent_id] = order
        self._active[self.instrument.id] = self

    def remove(self, order: BarOrder) -> None:
        """The order works no more, whatever is under way."""
        order.over = True
        self.orders.pop(order.origin.intent_id, None)
        if not self.orders:
            self._active.pop(self.instrument.id, None)

    def lapse(self, order: BarOrder, time: Nanos, reason: str) -> None:
        """The order ends by itself."""
        self.remove(order)
        self.reports.on_lapse(order, time, reason)

    def capacity(self, volume: float) -> Decimal | None:
        """What all orders together may trade of a bar with this volume, None where the bar tells none."""
        if volume <= 0:
            return None
        return floor_to(exact(volume) * self._share, self.instrument.size_increment)

    def begin(self, row: int, start: Nanos) -> "Visit | None":
        """A bar begins: what happens at its open, one thing after the other; and the rest of its way, if it matters."""
        feed, left = self.feed, self.capacity(self.feed.volume(row)) if self.bounded else None
        outside = feed.regular is not None and not feed.regular[row]
        visit = Visit(self, row, start, self.quote(row), left, feed.exact_open(row), start, outside)
        for order in list(self.orders.values()):
            if not order.over and order.since <= start:
                visit.open(order)
        return visit if self.orders else None

    def quote(self, row: int) -> dict[Side, Decimal]:
        """How far from the path of a bar each side trades, signed; the data's own spread where it has one."""
        spreads = self.feed.spreads
        if spreads is None:
            instrument = self.instrument
            if not (instrument.price_increments and self._spread):
                return self._quote
            return self._around(instrument.tick_at(self.feed.exact_open(row)))
        half = exact(spreads[row]) / 2
        return {BUY: half, SELL: -half}

    def _around(self, tick: Decimal) -> dict[Side, Decimal]:
        above = self._spread // 2 * tick
        return {BUY: above, SELL: above - self._spread * tick}

    def price(self, ticket: OrderTicket, side: Side, path: Decimal, away: Decimal) -> Decimal:
        """What an order gets where the path is at a price, and the quote so far away.

        That is the quote for a limit order; any other slips, though not beyond its limit.
        """
        kind, limit = ticket.order_type, ticket.limit_price
        if kind is LIMIT:
            return path + away
        if self._slippage:
            away += side.sign * self._slippage * self.instrument.tick_at(path)
        price = path + away if away else path
        if price < self._least:
            price = self._least
        beyond = kind is STOP_LIMIT and limit is not None and (price - limit) * side.sign > 0
        return limit if beyond and limit is not None else price


class Visit(msgspec.Struct):
    """One bar's way through a market: `open` its orders, then ask `next_time` and `step` until nothing is reached.

    The path is at `price`, at `time`, on leg `leg` between `corners`; the quote is `away` from it; `left` is what of
    the volume may still trade, `outside` says that the bar lies outside of regular hours. Orders may go, come and
    change with every report; those that came later are left alone.
    """

    market: BarMarket
    row: int
    start: Nanos
    away: dict[Side, Decimal]
    left: Decimal | None
    price: Decimal
    time: Nanos
    outside: bool
    leg: int = 0
    corners: tuple[Decimal, ...] = ()
    found: tuple[BarOrder, Decimal, Nanos] | None = None

    def open(self, order: BarOrder) -> None:
        """What the open does to an order."""
        market, start, tif = self.market, self.start, order.ticket.tif
        if self.outside and not order.trades_outside:
            if tif in IMMEDIATE:
                market.lapse(order, start, NOT_KEPT)
            return
        if order.met == NEVER:
            order.met = start
        elif tif is DAY_ORDER and order.met // DAY != start // DAY:
            market.lapse(order, start, "the day is over")
            return
        if self._reached(order):
            self._trade(order, "open")
        if tif in IMMEDIATE and not order.over:
            market.lapse(order, start, NOT_KEPT)

    def next_time(self) -> Nanos | None:
        """When the path reaches an order next, None when it reaches none any more."""
        if not self._could_reach():
            return None
        if not self.corners:
            self.corners = _corners(self.market.feed, self.row)
        while self.leg < LEGS:
            self.found = self._first_on_leg()
            if self.found is not None:
                self.time = self.found[2]
                return self.time
            self.leg += 1
            self.price = self.corners[self.leg]
        return None

    def step(self) -> None:
        """Lets the path reach the order of `next_time`, which may only be elected, or find no volume left."""
        assert self.found is not None
        order, self.price, _ = self.found
        if self._reached(order):
            self._trade(order, "touch")

    # one order

    def _reached(self, order: BarOrder) -> bool:
        """Whether the order can trade at the present price; one whose stop is reached is elected."""
        if order.ticket.order_type is MARKET:
            return True
        level = self._level(order)
        if level is not None and (self.price - level[1]) * level[0] < 0:
            return False
        if order.ticket.order_type not in STOPS or order.elected:
            return True
        order.elected = True
        return self._reached(order)

    def _level(self, order: BarOrder) -> tuple[int, Decimal] | None:
        """The price of the path at which the order is reached: from below (+1) or above (-1)."""
        trigger = order.trigger
        return None if trigger is None else (trigger[0], trigger[1] - self.away[order.origin.side])

    def _trade(self, order: BarOrder, where: str) -> None:
        market, left, ticket, side = self.market, self.left, order.ticket, order.origin.side
        quantity = remaining = order.quantity - order.filled
        if left is not None:
            if left < remaining:
                quantity = left
            if quantity <= 0 or (ticket.tif is FILL_OR_KILL and quantity < remaining):
                return
            self.left = left - quantity
        price = market.price(ticket, side, self.price, self.away[side])
        if quantity == remaining:
            market.remove(order)
        word = WORDS.get(ticket.order_type)
        market.reports.on_trade(order, quantity, price, self.time, f"{word}-{where}" if word else where)

    # the path

    def _could_reach(self) -> bool:
        """Without exact arithmetic: whether the path from low to high can reach any order at all."""
        if self.left is not None and self.left <= 0:
            return False
        low, high = self.market.feed.extremes(self.row)
        slack = float(abs(self.away[SELL]) + self.market.instrument.tick_size)
        for order in self.market.orders.values():
            trigger = order.trigger
            if order.since > self.start or (self.outside and not order.trades_outside):
                continue
            if trigger is None or trigger[0] * (float(trigger[1]) - (high if trigger[0] > 0 else low)) <= slack:
                return True
        return False

    def _first_on_leg(self) -> tuple[BarOrder, Decimal, Nanos] | None:
        """The order that the rest of the present leg reaches first, with price and time."""
        goal, best = self.corners[self.leg + 1], None
        for order in self.market.orders.values():
            level = self._level(order)
            if order.since > self.start or level is None or (self.outside and not order.trades_outside):
                continue
            here = (self.price - level[1]) * level[0] >= 0
            if not here and (goal - level[1]) * level[0] < 0:
                continue
            price = self.price if here else level[1]
            rank = (abs(price - self.price), order.place)
            if best is None or rank < best[0]:
                best = rank, order, price
        return None if best is None else (best[1], best[2], self._time_of(best[2]))

    def _time_of(self, price: Decimal) -> Nanos:
        """When the present leg is at a price: its legs are straight lines of equal duration."""
        begin, end = self.corners[self.leg], self.corners[self.leg + 1]
        share = (price - begin) / (end - begin) if end != begin else ZERO
        span = self.market.feed.span
        return max(self.time, self.start + int((self.leg + share) * span / LEGS))


def _corners(feed: BarFeed, row: int) -> tuple[Decimal, ...]:
    """Open, both extremes in the order of the path, close."""
    opened, close, (low, high) = feed.open(row), feed.close(row), feed.extremes(row)
    extremes = (low, high) if close > opened else (high, low)
    return tuple(exact(price) for price in (opened, *extremes, close))
