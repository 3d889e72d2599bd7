"""The replaceable models: fees, margin, shares to borrow, hours, and how they are chosen by name."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mats.model.instrument import Instrument, SecType
from mats.model.orders import Side
from mats.model.timestamp import DAY, HOUR, from_datetime, iso
from mats.venue.markets import default_universe
from mats.venue.markets.sessions import AlwaysOpen, ExchangeHours, SessionPhase
from mats.venue.matching.account import Account
from mats.venue.matching.clearing import Clearing
from mats.venue.matching.events import VenueTrade
from mats.venue.matching.orders import OrderKind, VenueOrder
from mats.venue.models.fees import FixedFees, NoFees, TieredFees, tiered
from mats.venue.models.latency import FixedLatency, NoLatency
from mats.venue.models.margin import CashMargin, IntradayMargin, RegTMargin
from mats.venue.models.selection import VenueModels, choose_models
from mats.venue.models.slippage import FixedSlippage, NoSlippage
from mats.venue.models.stock_loan import EasyToBorrow, Inventory

UNIVERSE = default_universe()
STOCK, PAIR = UNIVERSE.instrument("SPY"), UNIVERSE.instrument("EURUSD")
ABROAD = Instrument(id="SAP.EUR", symbol="SAP", sec_type=SecType.STOCK, currency="EUR")
FUTURE = Instrument(id="ES:2027", symbol="ES", sec_type=SecType.FUTURE, currency="USD", multiplier=Decimal(50))
OPTION = Instrument(id="X", symbol="X", sec_type=SecType.OPTION, currency="USD", multiplier=Decimal(100))


@pytest.mark.parametrize(
    ("model", "instrument", "quantity", "value", "month", "cost"),
    [
        (FixedFees(), STOCK, 100, 50_000, 0, "1.00"),
        (FixedFees(), STOCK, 1000, 500_000, 0, "5.000"),
        (FixedFees(), ABROAD, 100, 10_000, 0, "5"),
        (FixedFees(), ABROAD, 1, 100, 0, "3.00"),
        (FixedFees(), OPTION, 1, 500, 0, "1.00"),
        (FixedFees(), OPTION, 10, 5000, 0, "6.50"),
        (FixedFees(), FUTURE, 2, 600_000, 0, "4.50"),
        (FixedFees(), UNIVERSE.instrument("MES:20261218"), 10, 300_000, 0, "6.20"),
        (FixedFees(), UNIVERSE.instrument("ZC:20261218"), 2, 42_000, 0, "1.70"),
        (FixedFees(), PAIR, 1_000_000, 1_100_000, 0, "22"),
        (TieredFees(), STOCK, 10, 5_000, 0, "0.352"),
        (TieredFees(), STOCK, 1000, 500_000, 0, "3.70"),
        (TieredFees(), STOCK, 1000, 500_000, 299_500, "2.95"),
        (TieredFees(), STOCK, 1000, 500_000, 200_000_000, "0.70"),
        (TieredFees(), STOCK, 1000, 20, 0, "0.40"),
        (TieredFees(), OPTION, 100, 50_000, 0, "65"),
        (TieredFees(), OPTION, 100, 500, 0, "50"),
        (TieredFees(), OPTION, 100, 300, 0, "25"),
        (TieredFees(), OPTION, 100, 50_000, 20_000, "50"),
        (TieredFees(), FUTURE, 10, 3_000_000, 995, "7.5"),
        (TieredFees(), PAIR, 1_000_000, 1_000_000, 0, "20"),
        (TieredFees(), PAIR, 1_000, 1_000, 6_000_000_000, "1.00"),
        (NoFees(), STOCK, 1000, 500_000, 0, "0"),
        (TieredFees(), STOCK, 0, 0, 0, "0"),
    ],
)
def test_an_order_costs_what_its_schedule_says(model, instrument, quantity, value, month, cost):
    assert model.order_fee(instrument, Decimal(quantity), Decimal(value), Decimal(month)) == Decimal(cost)


def test_parts_of_an_amount_are_paid_at_the_rates_of_their_tiers():
    tiers = ((Decimal(10), Decimal(3)), (Decimal(20), Decimal(2)), (Decimal("Infinity"), Decimal(1)))
    assert [tiered(tiers, Decimal(before), Decimal(15)) for before in (0, 5, 25)] == [40, 35, 15]


def trade(instrument, quantity, price):
    order = VenueOrder(
        perm_id=1,
        client_id=1,
        order_id=1,
        account="DU1",
        instrument=instrument.id,
        side=Side.BUY,
        quantity=Decimal(quantity),
        order_type=OrderKind.MARKET,
    )
    order.fill(Decimal(quantity), Decimal(price))
    return VenueTrade(order, Decimal(quantity), Decimal(price), order.filled, order.value)


def test_the_volume_of_the_month_lowers_the_rate_and_a_new_month_begins_at_nothing():
    account, clearing = Account("DU1", {"USD": Decimal(0)}), Clearing(UNIVERSE, lambda name: Decimal(1), TieredFees())
    october = from_datetime(datetime(2026, 10, 5, tzinfo=UTC))
    fees = [clearing.settle(account, trade(STOCK, 300_000, 500), october + day * DAY).fee for day in (0, 1, 30)]
    assert fees == [300_000 * Decimal("0.0037"), 300_000 * Decimal("0.0022"), 300_000 * Decimal("0.0037")]
    assert account.cash["USD"] == -3 * 300_000 * 500 - sum(fees)


def test_fills_of_one_order_pay_its_minimum_once():
    account, clearing = Account("DU1", {"USD": Decimal(0)}), Clearing(UNIVERSE, lambda name: Decimal(1), FixedFees())
    first = trade(STOCK, 50, 500)
    order = first.order
    order.quantity = Decimal(300)
    fees = [clearing.settle(account, first, 0).fee]
    for _ in range(2):
        order.fill(Decimal(100), Decimal(500))
        fees.append(
            clearing.settle(account, VenueTrade(order, Decimal(100), Decimal(500), order.filled, order.value), 0).fee
        )
    assert fees == [1, 0, Decimal("0.25")]


@pytest.mark.parametrize(
    ("model", "instrument", "quantity", "initial", "maintenance"),
    [
        (IntradayMargin(), STOCK, 10, 250, 250),
        (IntradayMargin(), PAIR, 10, 30, 30),
        (IntradayMargin(), FUTURE, -1, 100, 100),
        (RegTMargin(), STOCK, 10, 500, 250),
        (RegTMargin(), STOCK, -10, 500, 300),
        (RegTMargin(), OPTION, 1, 1000, 1000),
        (RegTMargin(), OPTION, -1, 20_000, 20_000),
        (CashMargin(), STOCK, 10, 1000, 1000),
        (CashMargin(), PAIR, 10, 0, 0),
    ],
)
def test_a_position_worth_a_thousand_ties_up(model, instrument, quantity, initial, maintenance):
    assert model.requirement(instrument, Decimal(quantity), Decimal(1000)) == (initial, maintenance)


def test_margin_to_keep_a_position_can_be_less_than_to_open_it():
    account = Account("DU1", {"USD": Decimal(0)})
    account.book(STOCK, Decimal(10), Decimal(100))
    worth = account.valuation(UNIVERSE, lambda name: Decimal(100), RegTMargin())
    assert (worth.margin, worth.maintenance) == (500, 250)


def test_shares_can_be_borrowed_up_to_what_there_is():
    inventory = Inventory({"SPY": Decimal(100)})
    assert inventory.available("SPY", Decimal(100))
    assert not inventory.available("SPY", Decimal(101))
    assert inventory.available("QQQ", Decimal(10**9))
    inventory.set("SPY", Decimal(101))
    assert inventory.available("SPY", Decimal(101))
    assert EasyToBorrow().available("SPY", Decimal(10**9))


@pytest.fixture(scope="module")
def new_york():
    return ExchangeHours("XNYS")


def instant(text):
    return from_datetime(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("moment", "session", "phase"),
    [
        ("2013-10-02T12:00:00+00:00", ["08:00", "13:30", "20:00", "00:00"], SessionPhase.EXTENDED),
        ("2013-10-02T13:30:00+00:00", ["08:00", "13:30", "20:00", "00:00"], SessionPhase.REGULAR),
        ("2013-10-05T13:30:00+00:00", ["08:00", "13:30", "20:00", "00:00"], SessionPhase.CLOSED),
        ("2013-11-29T18:30:00+00:00", ["09:00", "14:30", "18:00", "22:00"], SessionPhase.EXTENDED),
        ("2013-12-25T15:00:00+00:00", ["09:00", "14:30", "21:00", "01:00"], SessionPhase.CLOSED),
    ],
)
def test_new_york_keeps_its_holidays_early_closes_and_extended_hours(new_york, moment, session, phase):
    found = new_york.session(SecType.STOCK, instant(moment))
    assert [iso(time)[11:16] for time in found] == session
    assert found.phase(instant(moment)) is phase
    assert found.late > instant(moment)


def test_pairs_and_futures_trade_around_the_clock_and_always_is_a_day_of_utc(new_york):
    sunday = instant("2013-10-06T03:00:00+00:00")
    day = AlwaysOpen().session(SecType.STOCK, sunday)
    assert new_york.session(SecType.CASH, sunday) == new_york.session(SecType.FUTURE, sunday) == day
    assert (day.opens, day.closes, day.extended) == (sunday - 3 * HOUR, sunday + 21 * HOUR, False)


def test_models_are_chosen_by_name_and_the_defaults_are_the_simple_ones():
    plain, chosen = VenueModels(), choose_models(fees="tiered", margin="cash", slippage_ticks=2, latency_ms=5)
    assert isinstance(plain.fees, FixedFees)
    assert [type(plain.hours), type(plain.slippage), type(plain.latency)] == [AlwaysOpen, NoSlippage, NoLatency]
    assert [type(chosen.fees), type(chosen.margin)] == [TieredFees, CashMargin]
    assert [type(chosen.slippage), type(chosen.latency)] == [FixedSlippage, FixedLatency]
    assert chosen.latency.delay() == 5_000_000
    assert not choose_models(borrow=["SPY=10"]).locate.available("SPY", Decimal(11))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"calendar": "XNOWHERE"}, "calendar 'XNOWHERE' is unknown"),
        ({"fees": "free"}, "fees 'free' are unknown; use one of fixed, tiered, none"),
        ({"margin": "lots"}, "margin 'lots' is unknown"),
        ({"borrow": ["SPY"]}, "borrow 'SPY' is not a name and a number of shares; use the form GME=1000"),
        ({"latency_ms": -1}, "must not be negative"),
    ],
)
def test_an_unknown_name_is_reported_in_a_sentence(names, words):
    with pytest.raises(ValueError, match=words):
        choose_models(**names)
