"""The exchange rule by rule: priority, sessions, the close, order expiry, latency, slippage."""

from decimal import Decimal

import pytest

from mats.model.instrument import SecType
from mats.model.market_data import Quote
from mats.model.orders import Side
from mats.model.timestamp import DAY, HOUR, MINUTE, SECOND
from mats.venue.markets import DEFAULT_LISTINGS, Universe
from mats.venue.markets.sessions import TradingSession
from mats.venue.matching.events import VenueOrderChanged, VenueOrderEnded, VenueTrade
from mats.venue.matching.exchange import Exchange
from mats.venue.matching.orders import Lifetime, OrderKind, VenueOrder
from mats.venue.models.latency import FixedLatency, RandomLatency
from mats.venue.models.slippage import FixedSlippage, ImpactSlippage

UNIVERSE = Universe([listing for listing in DEFAULT_LISTINGS if listing.instrument.id in ("SPY", "QQQ", "EURUSD")])


class OfficeHours:
    """Extended trading from 8 to 18, regular trading from 9 to 17, every day."""

    def session(self, sec_type, instant):
        day = instant // DAY * DAY
        if sec_type is SecType.CASH:
            return TradingSession(day, day, day + DAY, day + DAY)
        session = TradingSession(day + 8 * HOUR, day + 9 * HOUR, day + 17 * HOUR, day + 18 * HOUR)
        return session if instant < session.late else TradingSession(*(moment + DAY for moment in session))


def order(number=1, side=Side.BUY, quantity=10, kind=OrderKind.LIMIT, **terms):
    if kind is OrderKind.LIMIT:
        terms.setdefault("limit_price", Decimal(100))
    return VenueOrder(
        perm_id=number,
        client_id=1,
        order_id=number,
        account="DU1",
        instrument=terms.pop("instrument", "SPY"),
        side=side,
        quantity=Decimal(quantity),
        order_type=kind,
        **terms,
    )


def quote(bid, ask, size=100, name="SPY"):
    return Quote(name, 0, bid, ask, size, size, bid)


def fills(events):
    return [(e.order.perm_id, e.quantity, e.price) for e in events if isinstance(e, VenueTrade)]


def ends(events):
    return [(e.order.perm_id, e.reason) for e in events if isinstance(e, VenueOrderEnded)]


def changed(terms, **changes):
    return type(terms)(**{name: getattr(terms, name) for name in terms.__struct_fields__} | changes)


# priority


def three_orders(exchange):
    """Three equal orders that wait, and who of them trades when one is served after the other."""
    orders = [order(number) for number in (1, 2, 3)]
    exchange.on_quote(quote(100, 101))
    for one in orders:
        exchange.submit(one)
    return orders


@pytest.mark.parametrize(
    ("change", "served"),
    [
        ({}, [1, 2, 3]),
        ({"quantity": Decimal(5)}, [1, 2, 3]),
        ({"quantity": Decimal(20)}, [2, 3, 1]),
        ({"limit_price": Decimal("100.5")}, [1, 2, 3]),
        ({"limit_price": Decimal("99.5")}, [2, 3, 1]),
        ({"tif": Lifetime.GTC}, [1, 2, 3]),
    ],
)
def test_a_better_price_goes_first_and_a_larger_quantity_goes_last(change, served):
    exchange = Exchange(UNIVERSE)
    first, *_ = three_orders(exchange)
    exchange.amend(first, changed(first.terms, **change))
    trades = fills(exchange.on_quote(quote(99, 99.5)))
    assert [number for number, _, _ in trades] == served


def test_a_price_changed_and_restored_loses_priority():
    exchange = Exchange(UNIVERSE)
    first, *_ = three_orders(exchange)
    exchange.amend(first, changed(first.terms, limit_price=Decimal(99)))
    exchange.amend(first, changed(first.terms, limit_price=Decimal(100)))
    assert [number for number, _, _ in fills(exchange.on_quote(quote(99.9, 100)))] == [2, 3, 1]


def test_priority_survives_a_restart():
    exchange = Exchange(UNIVERSE)
    first, second, third = three_orders(exchange)
    exchange.amend(first, changed(first.terms, quantity=Decimal(20)))
    again = Exchange(UNIVERSE)
    for one in sorted((first, second, third), key=lambda one: one.priority):
        again.restore(one)
    again.submit(order(4))
    assert [number for number, _, _ in fills(again.on_quote(quote(99.9, 100)))] == [2, 3, 1, 4]


# sessions


def test_an_order_outside_the_hours_waits_for_the_open_and_ends_at_the_close():
    exchange = Exchange(UNIVERSE, hours=OfficeHours())
    exchange.advance(7 * HOUR)
    exchange.on_quote(quote(99, 100))
    plain, early = order(1), order(2, outside_rth=True)
    assert exchange.submit(plain) + exchange.submit(early) == []
    assert (plain.status, plain.expires, early.expires) == ("PreSubmitted", 17 * HOUR, 18 * HOUR)
    assert [e.order.perm_id for e in exchange.advance(8 * HOUR) if isinstance(e, VenueOrderChanged)] == [2]
    assert [number for number, _, _ in fills(exchange.on_quote(quote(99, 100)))] == [2]
    exchange.on_quote(quote(150, 151))
    exchange.advance(9 * HOUR)
    assert plain.status == "Submitted"
    late = order(3, limit_price=Decimal(1))
    exchange.submit(late)
    assert ends(exchange.advance(17 * HOUR)) == [(1, "the day is over"), (3, "the day is over")]
    assert list(exchange.working()) == []


def test_a_day_order_that_comes_after_the_close_is_for_the_next_day():
    exchange = Exchange(UNIVERSE, hours=OfficeHours())
    exchange.advance(17 * HOUR + MINUTE)
    late = order(1)
    exchange.submit(late)
    assert exchange.on_quote(quote(99, 100)) == []
    exchange.advance(DAY + 10 * HOUR)
    assert late.expires == DAY + 17 * HOUR
    assert [number for number, _, _ in fills(exchange.on_quote(quote(99, 100)))] == [1]


def test_an_order_for_the_open_does_not_trade_at_a_price_of_the_day_before():
    exchange = Exchange(UNIVERSE, hours=OfficeHours())
    exchange.advance(17 * HOUR)
    exchange.on_quote(quote(99, 100))
    exchange.advance(19 * HOUR)
    exchange.submit(order(1, kind=OrderKind.MARKET))
    exchange.submit(order(2, Side.SELL, kind=OrderKind.STOP, stop_price=Decimal(99)))
    assert fills(exchange.advance(DAY + 9 * HOUR)) == []
    assert fills(exchange.submit(order(3, kind=OrderKind.MARKET))) == []
    assert fills(exchange.on_quote(quote(109, 110))) == [(1, 10, 110), (3, 10, 110)]


def test_immediate_orders_end_where_the_market_is_closed_and_pairs_trade_on():
    exchange = Exchange(UNIVERSE, hours=OfficeHours())
    exchange.advance(20 * HOUR)
    exchange.on_quote(quote(99, 100))
    exchange.on_quote(quote(1.1, 1.2, 1_000_000, "EURUSD"))
    assert ends(exchange.submit(order(1, tif=Lifetime.IOC))) == [(1, "the part that did not trade at once is not kept")]
    assert len(fills(exchange.submit(order(2, instrument="EURUSD", kind=OrderKind.MARKET)))) == 1


def test_orders_on_the_close_trade_whole_at_the_last_price_where_their_limit_allows_it():
    exchange = Exchange(UNIVERSE, hours=OfficeHours())
    exchange.advance(16 * HOUR)
    exchange.on_quote(quote(99, 100, size=1))
    exchange.submit(order(1, quantity=5000, kind=OrderKind.MARKET_ON_CLOSE))
    exchange.submit(order(2, kind=OrderKind.LIMIT_ON_CLOSE, limit_price=Decimal(98)))
    exchange.submit(order(3, Side.SELL, kind=OrderKind.LIMIT_ON_CLOSE, limit_price=Decimal(98)))
    assert exchange.on_quote(quote(99, 99.5, size=1)) == []
    events = exchange.advance(17 * HOUR)
    assert fills(events) == [(1, 5000, 99), (3, 10, 99)]
    assert ends(events) == [(2, "the closing price is beyond its limit")]


def test_an_order_good_till_a_moment_ends_at_that_moment_also_after_a_restart():
    exchange = Exchange(UNIVERSE)
    exchange.advance(HOUR)
    lasting = order(1, tif=Lifetime.GTD, good_till=3 * DAY + HOUR)
    exchange.submit(lasting)
    assert exchange.advance(3 * DAY) == []
    again = Exchange(UNIVERSE)
    again.restore(lasting)
    assert again.advance(3 * DAY + HOUR - 1) == []
    assert ends(again.advance(3 * DAY + HOUR)) == [(1, "its good-till date has passed")]


def test_a_change_of_its_time_moves_the_end_of_an_order():
    exchange = Exchange(UNIVERSE)
    exchange.advance(HOUR)
    one = order(1)
    exchange.submit(one)
    exchange.amend(one, changed(one.terms, tif=Lifetime.GTC))
    assert exchange.advance(5 * DAY) == []
    exchange.amend(one, changed(one.terms, tif=Lifetime.DAY))
    assert ends(exchange.advance(6 * DAY)) == [(1, "the day is over")]


# families and groups


def test_children_wait_for_their_parent_and_one_of_them_ends_the_other():
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99, 100))
    parent = order(1, limit_price=Decimal(98))
    target = order(2, Side.SELL, limit_price=Decimal(105), parent_id=1, parent_perm_id=1, awaits="child")
    stop = order(
        3, Side.SELL, kind=OrderKind.STOP, stop_price=Decimal(95), parent_id=1, parent_perm_id=1, awaits="child"
    )
    for one in (parent, target, stop):
        exchange.submit(one)
    assert (target.why_held, stop.why_held, target.oca_group) == ("child", "child,trigger", "1")
    assert exchange.on_quote(quote(105, 106)) == []
    exchange.on_quote(quote(97, 98))
    assert (parent.status, target.why_held, stop.why_held) == ("Filled", "", "trigger")
    events = exchange.on_quote(quote(105, 106))
    assert (fills(events), ends(events)) == ([(2, 10, 105)], [(3, "another order of its group was filled")])


def test_children_end_with_a_parent_that_filled_nothing_and_cover_what_it_filled():
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99, 100, size=4))
    for number, limit in ((1, 98), (3, 100)):
        exchange.submit(order(number, limit_price=Decimal(limit)))
        child = order(number + 1, Side.SELL, limit_price=Decimal(200), parent_id=number, parent_perm_id=number)
        child.awaits = "child"
        exchange.submit(child)
    parents = {one.perm_id: one for one in exchange.working()}
    assert ends(exchange.cancel(parents[1])) == [(1, ""), (2, "its parent ended without a fill")]
    assert ends(exchange.cancel(parents[3])) == [(3, "")]
    (child,) = exchange.working()
    assert (child.perm_id, child.quantity, child.status) == (4, 4, "Submitted")


@pytest.mark.parametrize(("group_type", "left"), [(1, None), (2, 60), (3, 60)])
def test_a_partial_fill_ends_or_reduces_the_others_of_its_group_in_other_books_too(group_type, left):
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99, 100, size=40))
    terms = {"oca_group": "one", "oca_type": group_type}
    other = order(2, quantity=100, limit_price=Decimal(1), instrument="QQQ", **terms)
    exchange.submit(other)
    exchange.submit(order(1, quantity=100, **terms))
    assert (other.remaining if other.working else None) == left
    assert exchange.group_filled("DU1", "one")


def test_a_cancel_of_one_of_a_group_is_a_cancel_of_all():
    exchange = Exchange(UNIVERSE)
    orders = [order(number, limit_price=Decimal(1), oca_group="one") for number in (1, 2, 3)]
    for one in orders:
        exchange.submit(one)
    assert [number for number, _ in ends(exchange.cancel(orders[1]))] == [2, 1, 3]


# latency


def test_messages_in_transit_can_arrive_too_late():
    exchange = Exchange(UNIVERSE, latency=FixedLatency(SECOND))
    exchange.advance(HOUR)
    exchange.on_quote(quote(99, 100))
    one = order(1)
    assert exchange.submit(one) == []
    assert list(exchange.working()) == [one]
    assert exchange.advance(HOUR + SECOND // 2) == []
    assert exchange.cancel(one) == []
    assert fills(exchange.advance(HOUR + SECOND)) == [(1, 10, 100)]
    assert exchange.advance(HOUR + 2 * SECOND) == []
    assert one.status == "Filled"


def test_messages_of_random_latency_overtake_each_other_and_a_seed_is_reproducible():
    delays = [[model.delay() for _ in range(50)] for model in (RandomLatency(10, 100, 7), RandomLatency(10, 100, 7))]
    assert delays[0] == delays[1]
    assert min(delays[0]) >= 10
    assert delays[0] != sorted(delays[0])


# slippage


def test_slippage_is_paid_in_ticks_and_never_beyond_the_limit():
    exchange = Exchange(UNIVERSE, slippage=FixedSlippage(3))
    exchange.on_quote(quote(99, 100))
    assert fills(exchange.submit(order(1, kind=OrderKind.MARKET))) == [(1, 10, Decimal("100.03"))]
    assert fills(exchange.submit(order(2, limit_price=Decimal("100.01")))) == [(2, 10, Decimal("100.01"))]
    assert fills(exchange.submit(order(3, Side.SELL, kind=OrderKind.MARKET))) == [(3, 10, Decimal("98.97"))]


def test_impact_grows_with_the_root_of_the_share_of_the_size():
    spy, price = UNIVERSE.instrument("SPY"), Decimal(100)
    model = ImpactSlippage(4)
    paid = [model.price(spy, Side.BUY, Decimal(share), price, Decimal(100)) for share in (1, 25, 100)]
    assert paid == [Decimal("100.01"), Decimal("100.02"), Decimal("100.04")]
    assert model.price(spy, Side.SELL, Decimal(100), price, Decimal(100)) == Decimal("99.96")


# cost


def test_a_quote_visits_only_the_orders_that_it_reaches(monkeypatch):
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99, 100))
    for number in range(2000):
        exchange.submit(order(number + 1, limit_price=Decimal(50) - Decimal(number) / 100))
    visited = []
    monkeypatch.setattr(VenueOrder, "limit", property(lambda one: visited.append(one) or one.limit_price))
    assert len(fills(exchange.on_quote(quote(49.98, 49.99)))) == 2
    assert len(visited) < 10
