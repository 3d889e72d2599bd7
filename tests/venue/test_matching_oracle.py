"""Matching against an oracle: the same rules once more, slow and plain, in whole cents and without any index."""

import math
import os
import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest

from mats.model.market_data import Quote
from mats.model.orders import Side
from mats.venue.markets import DEFAULT_LISTINGS, Universe
from mats.venue.matching.account import Account
from mats.venue.matching.events import TriggerMoved, VenueOrderEnded, VenueTrade
from mats.venue.matching.exchange import Exchange
from mats.venue.matching.orders import Lifetime, OrderKind, VenueOrder

SPY = next(listing for listing in DEFAULT_LISTINGS if listing.instrument.id == "SPY")
UNIVERSE = Universe([SPY])
LONG = bool(os.environ.get("MATS_LONG"))
SEEDS = 20_000 if LONG else 300
KINDS = [kind for kind in OrderKind if kind not in ("MOC", "LOC")]


class Row:
    """An order of the oracle: prices in cents."""

    def __init__(self, number, side, quantity, kind, tif, limit, stop, trail, percent, group, group_type, parent):
        self.number, self.sign, self.quantity = number, (1 if side is Side.BUY else -1), quantity
        self.kind, self.tif, self.group, self.group_type, self.parent = kind, tif, group, group_type, parent
        self.limit = limit if kind in ("LMT", "STP LMT", "LIT") else None
        self.stop = stop if kind in ("STP", "STP LMT", "MIT", "LIT") else None
        self.trail, self.percent = trail, percent
        self.filled, self.state, self.asleep = 0, "working", False
        self.pending = kind in ("STP", "STP LMT", "MIT", "LIT", "TRAIL", "TRAIL LIMIT")
        self.time = 0

    def aggressiveness(self):
        return math.inf if self.limit is None else self.limit * self.sign

    def turn(self):
        """Stops by their trigger, then touched orders by theirs, then trailing stops; the earlier order where equal."""
        rank = {"STP": 0, "STP LMT": 0, "MIT": 1, "LIT": 1}.get(self.kind, 2)
        return rank, (self.stop * self.sign, -self.stop * self.sign, 0)[rank], self.time


class Oracle:
    """Every step looks at every order, again and again, until nothing happens."""

    def __init__(self):
        self.rows, self.trades, self.quote, self.left, self.clock = [], [], None, {}, 0
        self.woken, self.spent = [], set()

    def tick(self):
        self.clock += 1
        return self.clock

    def price(self, sign):
        return self.quote[1] if sign > 0 else self.quote[0]

    def alive(self):
        return [row for row in self.rows if row.state == "working"]

    def show(self, bid, ask, bid_size, ask_size):
        self.quote, self.left = (bid, ask), {1: ask_size, -1: bid_size}
        self.follow()
        self.look()
        self.wake()

    def place(self, row):
        self.rows.append(row)
        row.time = self.tick()
        parent = row.parent
        if parent is not None:
            row.asleep = parent.state == "working"
            row.group = row.group or f"family {parent.number}"
        if not row.asleep:
            self.arrive(row)
        self.wake()

    def arrive(self, row):
        if row.state != "working":
            return
        if row.tif in ("IOC", "FOK"):
            self.take(row)
        elif self.quote:
            self.follow()
            self.look()

    def take(self, row):
        if self.quote:
            self.follow()
            self.elect()
            if row.tif != "FOK" or self.left[row.sign] >= row.quantity - row.filled:
                self.match(row.sign)
        self.end(row)

    def follow(self):
        for row in self.alive():
            if row.kind in ("TRAIL", "TRAIL LIMIT") and row.pending and not row.asleep and self.price(row.sign):
                price = self.price(row.sign)
                exact = price + row.sign * (Fraction(price * row.percent, 100) if row.percent else row.trail)
                stop = math.ceil(exact) if row.sign > 0 else math.floor(exact)
                if row.stop is None or (stop - row.stop) * row.sign < 0:
                    row.stop = stop
                    row.limit = stop + 5 * row.sign if row.kind == "TRAIL LIMIT" else None

    def reached(self, row):
        beyond = (self.price(row.sign) - row.stop) * row.sign
        return beyond <= 0 if row.kind in ("MIT", "LIT") else beyond >= 0

    def elect(self):
        done = False
        for sign in (1, -1):
            due = [r for r in self.alive() if r.sign == sign and r.pending and not r.asleep and r.stop is not None]
            due = [row for row in due if self.price(sign) and self.reached(row)]
            for row in sorted(due, key=Row.turn):
                row.pending, row.time, done = False, self.tick(), True
        return done

    def match(self, sign):
        done = False
        while self.price(sign):
            able = [
                r
                for r in self.alive()
                if r.sign == sign
                and not r.pending
                and not r.asleep
                and (r.limit is None or (r.limit - self.price(sign)) * sign >= 0)
            ]
            if not able or not self.left[sign]:
                return done
            first = min(able, key=lambda r: (-r.aggressiveness(), r.time))
            self.fill(first, min(first.quantity - first.filled, self.left[sign]))
            done = True
        return done

    def look(self):
        while True:
            elected = self.elect()
            bought, sold = self.match(1), self.match(-1)
            if not (elected or bought or sold):
                return

    def fill(self, row, quantity):
        before = row.quantity - row.filled
        row.filled += quantity
        self.left[row.sign] -= quantity
        self.trades.append((row.number, quantity, self.price(row.sign)))
        if row.group and not row.parent:
            self.spent.add(row.group)
        complete = row.filled == row.quantity
        others = [r for r in self.alive() if row.group and r.group == row.group and r is not row]
        if complete:
            row.state = "filled"
            self.woken += [child for child in self.alive() if child.parent is row and child.asleep]
        for other in others:
            remaining = other.quantity - other.filled
            kept = (
                0 if complete or row.group_type == 1 else remaining - math.ceil(Fraction(remaining * quantity, before))
            )
            if kept:
                other.quantity = other.filled + kept
            else:
                self.end(other)

    def end(self, row):
        if row.state != "working":
            return
        row.state = "cancelled"
        for child in [child for child in self.alive() if child.parent is row and child.asleep]:
            if row.filled:
                child.quantity = min(child.quantity, row.filled)
                self.woken.append(child)
            else:
                self.end(child)

    def wake(self):
        while self.woken:
            child = self.woken.pop(0)
            child.asleep = False
            self.arrive(child)

    def cancel(self, row):
        others = [r for r in self.alive() if row.group and r.group == row.group and r is not row]
        for one in (row, *others):
            self.end(one)
        self.wake()

    def amend(self, row, quantity, limit):
        if quantity <= row.filled:
            return
        if quantity > row.quantity or (row.limit is not None and limit != row.limit):
            row.time = self.tick()
        row.quantity = quantity
        if row.limit is not None:
            row.limit = limit
        if not row.asleep:
            self.arrive(row)
        self.wake()


def script(seed, steps=80):
    """A random day: quotes that walk, orders near them, changes and cancels of the recent ones."""
    chance = random.Random(seed)
    middle, wide = 10_000, chance.choice((5, 25))
    for _ in range(steps):
        kind = chance.random()
        if kind < 0.45:
            middle = max(9_900, min(10_100, middle + chance.randint(-wide, wide)))
            yield "quote", middle, chance.randint(1, 6), chance.randint(0, 5), chance.randint(0, 5)
        elif kind < 0.85:
            yield new_order(chance, middle)
        elif kind < 0.92:
            yield "cancel", chance.randint(1, 12)
        else:
            limit = chance.choice((None, round(middle, -1)))
            yield "amend", chance.randint(1, 12), chance.randint(1, 300), limit


def new_order(chance, middle):
    return {
        "side": chance.choice(list(Side)),
        "quantity": chance.randint(1, 300),
        "kind": chance.choice([*KINDS, OrderKind.LIMIT, OrderKind.LIMIT, OrderKind.STOP_LIMIT]),
        "tif": chance.choice(["DAY", "GTC", "GTC", "GTC", "GTC", "IOC", "FOK"]),
        "limit": round(middle, -1) + chance.choice((-10, -5, 0, 5, 10)),
        "stop": middle + chance.randint(-15, 15),
        "trail": chance.randint(1, 30),
        "percent": chance.choice([0, 0, 0, 1]),
        "group": chance.choice([None, None, None, "A", "B", "C"]),
        "group_type": chance.randint(1, 3),
        "parent": chance.choice([None, None, None, chance.randint(1, 8)]),
    }


def money(number):
    return Decimal(number) / 100


class Pair:
    """The exchange and the oracle, given the same steps."""

    def __init__(self):
        self.exchange, self.oracle = Exchange(UNIVERSE), Oracle()
        self.orders, self.rows, self.events, self.stops = [], [], [], {}

    def step(self, step):
        if isinstance(step, dict):
            return self._place(**step)
        if step[0] == "quote":
            _, bid, spread, bid_lots, ask_lots = step
            sizes = bid_lots * 60, ask_lots * 60
            self.oracle.show(bid, bid + spread, *sizes)
            return self.exchange.on_quote(
                Quote("SPY", 0, bid / 100, (bid + spread) / 100, *map(float, sizes), bid / 100)
            )
        if step[1] > len(self.orders) or not self.orders[-step[1]].working:
            return []
        order, row = self.orders[-step[1]], self.rows[-step[1]]
        if step[0] == "cancel":
            self.oracle.cancel(row)
            return self.exchange.cancel(order)
        if order.order_type in ("TRAIL", "TRAIL LIMIT"):
            return []
        limit = row.limit if step[3] is None else step[3]
        self.oracle.amend(row, step[2], limit)
        terms = {"quantity": Decimal(step[2])} | ({"limit_price": money(limit)} if order.limit is not None else {})
        return self.exchange.amend(order, _replace(order.terms, **terms))

    def _place(self, side, quantity, kind, tif, limit, stop, trail, percent, group, group_type, parent):
        mother = self.rows[-parent] if parent is not None and parent <= len(self.rows) else None
        if mother and not (mother.state == "working" or mother.filled):
            mother = None
        group = None if mother or group in self.oracle.spent else group
        tif = "GTC" if kind in ("TRAIL", "TRAIL LIMIT") else tif
        number = len(self.rows)
        row = Row(number, side, quantity, kind, tif, limit, stop, trail, percent, group, group_type, mother)
        trailing = kind in ("TRAIL", "TRAIL LIMIT")
        order = VenueOrder(
            perm_id=number + 1,
            client_id=1,
            order_id=number + 1,
            account="DU1",
            instrument="SPY",
            side=side,
            quantity=Decimal(quantity),
            order_type=kind,
            tif=Lifetime(tif),
            limit_price=money(limit) if row.limit is not None else None,
            stop_price=None if trailing or row.stop is None else money(stop),
            trail_amount=money(trail) if trailing and not percent else None,
            trail_percent=Decimal(percent) if trailing and percent else None,
            limit_offset=money(5) if kind == "TRAIL LIMIT" else None,
            oca_group=group or "",
            oca_type=group_type,
            parent_id=mother.number + 1 if mother else 0,
            parent_perm_id=mother.number + 1 if mother else 0,
            awaits="child" if mother and mother.state == "working" else "",
        )
        self.rows.append(row)
        self.orders.append(order)
        self.oracle.place(row)
        return self.exchange.submit(order)

    def compare(self):
        states = {"Filled": "filled", "Cancelled": "cancelled", "PreSubmitted": "working", "Submitted": "working"}
        for order, row in zip(self.orders, self.rows, strict=True):
            assert (states[order.status], order.filled, order.quantity) == (row.state, row.filled, row.quantity), order
            assert order.stop_price == (None if row.stop is None else money(row.stop))


def _replace(terms, **changes):
    return type(terms)(**{name: getattr(terms, name) for name in terms.__struct_fields__} | changes)


@pytest.mark.timeout(0 if LONG else 60)
@pytest.mark.parametrize("part", range(4))
def test_the_exchange_does_what_the_oracle_does(part):
    seen = Counter()
    for seed in range(part, SEEDS, 4):
        pair = Pair()
        for number, step in enumerate(script(seed)):
            before = len(pair.oracle.trades)
            events = pair.step(step)
            done = [(e.order.perm_id - 1, e.quantity, e.price) for e in events if isinstance(e, VenueTrade)]
            wanted = [(name, quantity, money(price)) for name, quantity, price in pair.oracle.trades[before:]]
            assert done == wanted, (seed, number, step)
            pair.compare()
            check_invariants(pair, events)
            seen.update(kind for e in events if isinstance(e, VenueTrade) for kind in kinds_of(e.order))
    assert {*KINDS, "child", "group", "partial"} <= set(seen), seen


def kinds_of(order):
    """What a fill of this order proves something about."""
    marks = {"child": order.parent_id, "group": order.oca_group and not order.parent_id, "partial": order.working}
    return [order.order_type, *(mark for mark, holds in marks.items() if holds)]


def check_invariants(pair, events):
    """What must hold whatever the rules in detail: these do not look at the oracle."""
    for event in events:
        order = event.order
        match event:
            case VenueTrade():
                limit = order.limit
                assert limit is None or (limit - event.price) * order.side.sign >= 0
                assert 0 < event.filled <= order.quantity
            case TriggerMoved():
                before = pair.stops.get(order.perm_id)
                assert before is None or (order.stop_price - before) * order.side.sign < 0
                pair.stops[order.perm_id] = order.stop_price
            case VenueOrderEnded():
                assert order.status == "Cancelled"
    shown = pair.exchange.quote("SPY")
    for side in Side:
        size = 0 if shown is None else shown.ask_size if side is Side.BUY else shown.bid_size
        assert sum(e.quantity for e in events if isinstance(e, VenueTrade) and e.order.side is side) <= size
    assert {order.perm_id for order in pair.exchange.working()} == {o.perm_id for o in pair.orders if o.working}


@pytest.mark.timeout(0 if LONG else 60)
def test_of_a_group_that_cancels_at_most_one_order_is_filled_and_cash_and_shares_are_conserved():
    filled_groups = 0
    for seed in range(SEEDS):
        pair, account = Pair(), Account("DU1", {"USD": Decimal(0)})
        paid = shares = Decimal(0)
        for step in script(seed):
            changed = step | {"group_type": 1, "parent": None} if isinstance(step, dict) else step
            for event in pair.step(changed):
                if isinstance(event, VenueTrade):
                    signed = event.quantity * event.order.side.sign
                    account.book(SPY.instrument, signed, event.price)
                    paid, shares = paid + signed * event.price, shares + signed
        assert (account.cash["USD"], account.quantity("SPY")) == (-paid, shares)
        assert shares == sum(order.filled * order.side.sign for order in pair.orders)
        for name in "ABC":
            winners = sum(order.filled > 0 for order in pair.orders if order.oca_group == name)
            assert winners <= 1
            filled_groups += winners
    assert filled_groups > SEEDS
