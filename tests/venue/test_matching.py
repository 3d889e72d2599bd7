"""Matching, fees and accounts: what no sequence of orders and quotes may break."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.model.instrument import Instrument, SecType
from mats.model.market_data import Quote
from mats.model.orders import Side
from mats.venue.markets import ContractQuery, Listing, Universe, default_universe
from mats.venue.matching.account import Account
from mats.venue.matching.events import VenueTrade
from mats.venue.matching.exchange import Exchange
from mats.venue.matching.orders import Lifetime, OrderKind, VenueOrder
from mats.venue.models.fees import FixedFees

UNIVERSE = default_universe()


def order(perm_id=1, side=Side.BUY, quantity=100, order_type=OrderKind.MARKET, **terms):
    return VenueOrder(
        perm_id=perm_id,
        client_id=1,
        order_id=perm_id,
        account="DU1",
        instrument="SPY",
        side=side,
        quantity=Decimal(quantity),
        order_type=order_type,
        **terms,
    )


def trades(events):
    return [event for event in events if isinstance(event, VenueTrade)]


def quote(bid, ask, size=100, time=0):
    return Quote("SPY", time, bid, ask, size, size, bid)


def test_a_market_order_walks_over_successive_quotes_at_the_ask():
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99.99, 100.0, 60))
    taken = order(quantity=150)
    assert [(t.quantity, t.price) for t in trades(exchange.submit(taken))] == [(60, Decimal("100.0"))]
    assert [(t.quantity, t.price) for t in trades(exchange.on_quote(quote(100.0, 100.01, 60)))] == [
        (60, Decimal("100.01"))
    ]
    assert [t.quantity for t in trades(exchange.on_quote(quote(100.0, 100.02, 60)))] == [30]
    assert taken.status == "Filled"
    assert list(exchange.working()) == []


def test_a_quoted_size_is_used_once_by_all_orders_together():
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99.99, 100.0, 100))
    first, second = order(1, quantity=70), order(2, quantity=70)
    assert [t.quantity for t in trades(exchange.submit(first))] == [70]
    assert [t.quantity for t in trades(exchange.submit(second))] == [30]


def test_a_stop_is_elected_by_the_quote_and_then_trades_as_what_it_is():
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99.99, 100.0))
    plain = order(1, Side.SELL, 10, OrderKind.STOP, stop_price=Decimal(99))
    limited = order(2, Side.SELL, 10, OrderKind.STOP_LIMIT, stop_price=Decimal(99), limit_price=Decimal("98.9"))
    assert trades(exchange.submit(plain) + exchange.submit(limited)) == []
    assert [t.order for t in trades(exchange.on_quote(quote(98.5, 98.6)))] == [plain]
    assert limited.elected
    assert limited.status == "Submitted"
    assert [t.price for t in trades(exchange.on_quote(quote(98.95, 99.0)))] == [Decimal("98.95")]


def test_fill_or_kill_is_whole_or_nothing_and_immediate_orders_never_rest():
    exchange = Exchange(UNIVERSE)
    exchange.on_quote(quote(99.99, 100.0, 50))
    assert trades(exchange.submit(order(1, quantity=51, tif=Lifetime.FOK))) == []
    assert [t.quantity for t in trades(exchange.submit(order(2, quantity=80, tif=Lifetime.IOC)))] == [50]
    assert list(exchange.working()) == []


prices = st.integers(9_000, 11_000).map(lambda ticks: ticks / 100)
quotes = st.builds(lambda bid, spread, size: quote(bid, round(bid + spread / 100, 2), size), prices, st.integers(1, 5),
                   st.integers(0, 300))  # fmt: skip
orders = st.tuples(st.sampled_from(list(Side)), st.integers(1, 500), st.sampled_from([*OrderKind][:4]), prices, prices)


@settings(max_examples=200)
@given(st.lists(st.one_of(quotes, orders), max_size=40))
def test_no_fill_is_beyond_its_limit_and_cash_and_shares_are_conserved(events):
    exchange, account, paid, shares = Exchange(UNIVERSE), Account("DU1", {"USD": Decimal(0)}), Decimal(0), Decimal(0)
    spy = UNIVERSE.instrument("SPY")
    for number, event in enumerate(events):
        if isinstance(event, Quote):
            done = trades(exchange.on_quote(event))
        else:
            side, quantity, kind, limit, stop = event
            terms = {"limit_price": Decimal(str(limit)), "stop_price": Decimal(str(stop))}
            done = trades(exchange.submit(order(number + 1, side, quantity, kind, **terms)))
        shown = exchange.quote("SPY")
        for side in Side:
            size = shown.ask_size if side is Side.BUY and shown else shown.bid_size if shown else 0
            assert sum(t.quantity for t in done if t.order.side is side) <= size
        for trade in done:
            assert trade.price == Decimal(str(shown.ask if trade.order.side is Side.BUY else shown.bid))
            limit = trade.order.limit
            assert limit is None or (limit - trade.price) * trade.order.side.sign >= 0
            assert 0 < trade.order.filled <= trade.order.quantity
            signed = trade.quantity * trade.order.side.sign
            account.book(spy, signed, trade.price)
            paid, shares = paid + signed * trade.price, shares + signed
    assert account.cash["USD"] == -paid
    assert account.quantity("SPY") == shares
    if account.holdings:
        holding = account.holdings["SPY"]
        assert account.cash["USD"] + holding.quantity * holding.price == pytest.approx(
            holding.realized, abs=Decimal("1e-15")
        )


@pytest.mark.parametrize(
    ("name", "quantity", "value", "cost"),
    [
        ("SPY", 100, 50_000, "1.00"),
        ("SPY", 1000, 500_000, "5.000"),
        ("SPY", 1, 40, "0.40"),
        ("SPY", 10_000, 1_000, "10.00"),
        ("EURUSD", 20_000, 22_000, "2.00"),
        ("EURUSD", 1_000_000, 1_100_000, "22.00000"),
        ("SPY", 0, 0, "0"),
    ],
)
def test_an_order_costs_what_the_schedule_says(name, quantity, value, cost):
    assert FixedFees().order_fee(UNIVERSE.instrument(name), Decimal(quantity), Decimal(value), Decimal(0)) == Decimal(
        cost
    )


def test_a_reversed_position_realizes_the_closed_part_at_its_average_price():
    account, spy = Account("DU1", {"USD": Decimal(10_000)}), UNIVERSE.instrument("SPY")
    assert account.book(spy, Decimal(10), Decimal(100)) == 0
    assert account.book(spy, Decimal(10), Decimal(110)) == 0
    assert account.book(spy, Decimal(-25), Decimal(120)) == 20 * 15
    assert (account.quantity("SPY"), account.holdings["SPY"].price) == (-5, 120)
    worth = account.valuation(UNIVERSE, lambda name: Decimal(130))
    assert (worth.cash, worth.holdings, worth.unrealized) == (10_900, -650, -50)
    assert worth.equity == 10_000 + 300 - 50


def test_a_pair_moves_both_currencies_and_its_value_is_counted_once():
    account, pair = Account("DU1", {"USD": Decimal(1_000_000)}), UNIVERSE.instrument("EURUSD")
    account.book(pair, Decimal(100_000), Decimal("1.10"))
    assert account.cash == {"USD": 890_000, "EUR": 100_000}
    assert account.valuation(UNIVERSE, lambda name: Decimal("1.20")).equity == 1_010_000


def test_a_balance_is_worth_its_listed_level_until_its_pair_is_quoted():
    account = Account("DU1", {"USD": Decimal(0), "JPY": Decimal(1_480_000)})
    assert account.valuation(UNIVERSE, lambda name: Decimal(0)).equity == pytest.approx(10_000)
    assert account.valuation(UNIVERSE, lambda name: Decimal(100)).equity == 14_800


def test_a_future_moves_cash_only_by_its_realized_pnl():
    account = Account("DU1", {"USD": Decimal(100_000)})
    future = Instrument(
        id="ES:2027", symbol="ES", sec_type=SecType.FUTURE, currency="USD", multiplier=Decimal(50), con_id=1
    )
    universe = Universe([Listing(instrument=future, price=6000.0, volatility=0.1)])
    account.book(future, Decimal(2), Decimal(6000))
    assert account.cash == {"USD": 100_000}
    assert account.valuation(universe, lambda name: Decimal(6010)).equity == 101_000
    assert account.book(future, Decimal(-2), Decimal(6010)) == 1000
    assert account.cash == {"USD": 101_000}
    assert FixedFees().order_fee(future, Decimal(2), Decimal(600_000), Decimal(0)) == Decimal("4.50")


def test_contracts_are_found_by_their_description():
    assert [i.id for i in UNIVERSE.find(ContractQuery(symbol="EUR", sec_type="CASH", currency="USD"))] == ["EURUSD"]
    assert UNIVERSE.find(ContractQuery(con_id=756733, symbol="QQQ")) == []
    assert UNIVERSE.find(ContractQuery(symbol="SPY", exchange="LSE")) == []
    assert [i.id for i in UNIVERSE.find(ContractQuery(local_symbol="USD.JPY"))] == ["USDJPY"]
