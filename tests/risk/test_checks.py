"""Pre-trade checks: each objection with its code and figures, and what reducing orders are spared."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.orders import OrderIntent, OrderTicket, OrderType, Side
from mats.model.unknown import Unknown
from mats.risk.checks import PreTradeContext, first_rejection
from mats.risk.exposure import Exposure
from mats.risk.limits import Limits
from mats.risk.rejection import RejectionCode

D = Decimal
FLAT = Exposure(D(0), D(0), D(0))
LONG = Exposure(D(100), D(0), D(0))
LIMITS = Limits(
    max_order_quantity=D(1_000),
    max_order_notional=D(50_000),
    max_position_notional=D(80_000),
    max_account_notional=D(90_000),
    max_orders_per_minute=5,
    max_price_age_seconds=30.0,
)
WELL = PreTradeContext(
    resolved=True, strategy=FLAT, account=FLAT, price=D(100), price_age=1.0, rate=D(1), recent_orders=0
)


def an_intent(quantity="10", side=Side.BUY, **ticket):
    return OrderIntent(
        intent_id="a1-1",
        strategy="trend",
        account="DU1",
        instrument=parse_instrument("SPY"),
        side=side,
        quantity=D(quantity),
        ticket=OrderTicket(**ticket),
        time=0,
    )


def limit(price):
    return {"order_type": OrderType.LIMIT, "limit_price": price}


def code(intent, world=WELL):
    denial = first_rejection(intent, world, LIMITS)
    return denial.code if denial else None


def test_a_sound_order_in_a_sound_world_may_go():
    assert first_rejection(an_intent(), WELL, LIMITS) is None


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (an_intent("NaN"), RejectionCode.NOT_FINITE),
        (an_intent("0"), RejectionCode.NOT_POSITIVE),
        (an_intent("-5"), RejectionCode.NOT_POSITIVE),
        (an_intent(**limit(None)), RejectionCode.NOT_POSITIVE),
        (an_intent(**limit(D("Infinity"))), RejectionCode.NOT_FINITE),
        (an_intent(**limit(D(0))), RejectionCode.NOT_POSITIVE),
        (an_intent(**limit(D(-1))), RejectionCode.NOT_POSITIVE),
        (an_intent(order_type=OrderType.STOP), RejectionCode.NOT_POSITIVE),
        (an_intent(**limit(D("100.005"))), RejectionCode.TICK_SIZE),
        (an_intent(order_type=OrderType.STOP, stop_price=D("100.005")), RejectionCode.TICK_SIZE),
        (an_intent(order_type=OrderType.STOP_LIMIT, stop_price=D(100)), RejectionCode.NOT_POSITIVE),
        (an_intent(order_type=OrderType.STOP_LIMIT, limit_price=D(100)), RejectionCode.NOT_POSITIVE),
        (an_intent("10.5"), RejectionCode.SIZE_INCREMENT),
        (an_intent("1001"), RejectionCode.MAX_QUANTITY),
        (an_intent("501"), RejectionCode.MAX_NOTIONAL),
        (an_intent("400", **limit(D(130))), RejectionCode.MAX_NOTIONAL),
    ],
)
def test_an_unsound_or_oversized_order_is_denied(intent, expected):
    assert code(intent) is expected


BLOCKS = [
    ({"behind": "the store is 3 entries behind"}, RejectionCode.NOT_READY),
    ({"halt": "halted by the operator"}, RejectionCode.HALTED),
    ({"disagreement": "the broker holds 5 more"}, RejectionCode.BOOKS_DISAGREE),
    ({"unknown_order": "order a1-0 has no answer"}, RejectionCode.UNKNOWN_ORDER),
    ({"price": None}, RejectionCode.NO_PRICE),
    ({"price_age": None}, RejectionCode.NO_PRICE),
    ({"price_age": 30.5}, RejectionCode.STALE_DATA),
    ({"rate": Unknown("no rate from EUR")}, RejectionCode.NO_RATE),
    ({"recent_orders": 5}, RejectionCode.ORDER_RATE),
]


@pytest.mark.parametrize(("change", "expected"), BLOCKS)
def test_what_is_wrong_with_the_world_blocks_new_risk(change, expected):
    assert code(an_intent(), replace(WELL, **change)) is expected


@pytest.mark.parametrize(("change", "_expected"), BLOCKS)
def test_it_never_blocks_an_order_that_only_reduces(change, _expected):
    assert code(an_intent("100", Side.SELL), replace(WELL, strategy=LONG, **change)) is None


def test_a_flatten_larger_than_the_order_limits_may_go():
    huge = replace(WELL, strategy=Exposure(D(5_000), D(0), D(0)))
    assert code(an_intent("5000", Side.SELL), huge) is None


def test_an_order_through_flat_takes_risk():
    halted = replace(WELL, strategy=LONG, halt="halted by the operator")
    assert code(an_intent("101", Side.SELL), halted) is RejectionCode.HALTED


def test_a_second_close_while_the_first_is_unknown_is_not_a_reduction():
    world = replace(WELL, strategy=Exposure(D(100), D(0), D(100)), unknown_order="order a1-0 has no answer")
    assert code(an_intent("100", Side.SELL), world) is RejectionCode.UNKNOWN_ORDER


def test_no_order_passes_a_connection_that_is_not_ready_or_an_unresolved_instrument():
    for change, expected in (
        ({"connection": "connection 3 is replaying"}, RejectionCode.NOT_READY),
        ({"resolved": False}, RejectionCode.UNKNOWN_INSTRUMENT),
    ):
        assert code(an_intent("50", Side.SELL), replace(WELL, strategy=LONG, **change)) is expected


def test_the_position_limit_counts_orders_on_their_way():
    world = replace(WELL, strategy=Exposure(D(400), D(300), D(0)))
    assert code(an_intent("100"), world) is None
    assert code(an_intent("101"), world) is RejectionCode.MAX_POSITION


def test_the_account_limit_counts_all_strategies():
    world = replace(WELL, account=Exposure(D(-800), D(0), D(50)))
    assert code(an_intent("50", Side.SELL), world) is None
    denial = first_rejection(an_intent("51", Side.SELL), world, LIMITS)
    assert denial.code is RejectionCode.MAX_POSITION
    assert denial.text == "the net position of DU1 in SPY could reach -901, worth 90100.00, more than 90000"


def test_an_order_that_shrinks_an_account_above_its_limit_may_go():
    world = replace(WELL, account=Exposure(D(-1_000), D(0), D(0)))
    assert code(an_intent("50", Side.BUY), world) is None
    assert code(an_intent("50", Side.SELL), world) is RejectionCode.MAX_POSITION


def test_a_denial_carries_its_figures():
    denial = first_rejection(an_intent(**limit(D("100.005"))), WELL, LIMITS)
    assert denial.text == "limit_price 100.005 is not a multiple of 0.01; the nearest are 100.00 and 100.01"
    assert denial.figures == {"limit_price": "100.005", "tick_size": "0.01", "below": "100.00", "above": "100.01"}


LEVELS = ((D(0), D("0.01")), (D(3), D("0.05")), (D(50), D("0.1")))
SHARE = replace(parse_instrument("VOD.GBP"), price_increments=LEVELS, tick_size=D("0.01"))
CENTS = st.integers(1, 20_000).map(lambda cents: D(cents) / 100)


@pytest.mark.parametrize(
    ("price", "nearest"),
    [("2.99", ()), ("3.00", ()), ("3.01", ("3.00", "3.05")), ("49.99", ("49.95", "50")), ("50.05", ("50.0", "50.1"))],
)
def test_a_price_is_held_against_the_tick_of_its_level(price, nearest):
    for ticket in (limit(D(price)), {"order_type": OrderType.STOP, "stop_price": D(price)}):
        denial = first_rejection(replace(an_intent(**ticket), instrument=SHARE), WELL, LIMITS)
        found = denial and (D(denial.figures["below"]), D(denial.figures["above"]))
        assert found == (tuple(map(D, nearest)) or None)


@given(CENTS)
def test_the_nearest_prices_that_a_denial_names_are_on_the_tick_of_their_levels(price):
    denial = first_rejection(replace(an_intent(**limit(price)), instrument=SHARE), WELL, LIMITS)
    assert (denial is None) == (price % SHARE.tick_at(price) == 0)
    if denial is not None:
        below, above = D(denial.figures["below"]), D(denial.figures["above"])
        assert below < price < above
        for near in (below, above):
            assert first_rejection(replace(an_intent(**limit(near)), instrument=SHARE), WELL, LIMITS) is None


def test_the_value_is_in_the_base_currency():
    assert code(an_intent("460"), replace(WELL, rate=D("1.1"))) is RejectionCode.MAX_NOTIONAL
    assert code(an_intent("450"), replace(WELL, rate=D("1.1"))) is None


def test_every_limit_is_reached_before_it_is_exceeded():
    """What is exactly at a limit may go; for orders in a minute the limit is the last one that is not allowed."""
    assert code(an_intent("1000"), replace(WELL, price=D(50))) is None
    assert code(an_intent("500")) is None
    assert code(an_intent("100"), replace(WELL, strategy=Exposure(D(700), D(0), D(0)))) is None
    assert code(an_intent("101"), replace(WELL, strategy=Exposure(D(700), D(0), D(0)))) is RejectionCode.MAX_POSITION
    assert code(an_intent("100"), replace(WELL, account=Exposure(D(800), D(0), D(0)))) is None
    assert code(an_intent(), replace(WELL, price_age=30.0)) is None
    assert code(an_intent(), replace(WELL, recent_orders=4)) is None
    assert code(an_intent("1")) is None
    assert code(an_intent(order_type=OrderType.STOP_LIMIT, stop_price=D(100), limit_price=D(101))) is None


def test_a_smaller_order_than_the_least_is_not_tradable():
    intent = an_intent("4")
    for least, expected in ((D(4), None), (D(5), RejectionCode.SIZE_INCREMENT)):
        changed = replace(intent, instrument=replace(intent.instrument, min_size=least))
        assert code(changed) is expected


def test_a_position_above_its_limit_may_stay_as_large_as_it_is():
    above = Exposure(D(-1_000), D(0), D(0))
    assert code(an_intent("100", Side.BUY), replace(WELL, strategy=Exposure(D(-1_000), D(950), D(0)))) is None
    assert code(an_intent("10", Side.SELL), replace(WELL, strategy=above)) is RejectionCode.MAX_POSITION
    assert code(an_intent("100", Side.BUY), replace(WELL, strategy=Exposure(D(-1_000), D(1_900), D(0)))) is None
    assert code(an_intent("200", Side.BUY), replace(WELL, account=Exposure(D(-1_000), D(1_800), D(0)))) is None


def test_a_limit_below_the_market_does_not_make_an_order_worth_less():
    assert code(an_intent("501", **limit(D(50)))) is RejectionCode.MAX_NOTIONAL


def test_what_reduces_is_judged_on_either_side():
    short = replace(WELL, strategy=Exposure(D(-100), D(40), D(0)), halt="halted")
    assert code(an_intent("60", Side.BUY), short) is None
    assert code(an_intent("61", Side.BUY), short) is RejectionCode.HALTED
    assert code(an_intent("1", Side.SELL), short) is RejectionCode.HALTED
