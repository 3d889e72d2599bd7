"""Pre-trade checks: each objection with its code and figures, and what reducing orders are spared."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.model.instrument import parse_instrument
from mats.model.orders import OrderIntent, OrderTicket, OrderType, Side
from mats.model.unknown import Unknown
from mats.risk.checks import Circumstances, check_order
from mats.risk.denial import DenialCode
from mats.risk.limits import Limits
from mats.risk.state import Exposure

D = Decimal
FLAT = Exposure(D(0), D(0), D(0))
LONG = Exposure(D(100), D(0), D(0))
LIMITS = Limits(
    max_order_quantity=D(1_000),
    max_order_notional=D(50_000),
    max_position_notional=D(80_000),
    max_account_notional=D(90_000),
    max_orders_per_minute=5,
    stale_after=30.0,
)
WELL = Circumstances(
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
    denial = check_order(intent, world, LIMITS)
    return denial.code if denial else None


def test_a_sound_order_in_a_sound_world_may_go():
    assert check_order(an_intent(), WELL, LIMITS) is None


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (an_intent("NaN"), DenialCode.NOT_FINITE),
        (an_intent("0"), DenialCode.NOT_POSITIVE),
        (an_intent("-5"), DenialCode.NOT_POSITIVE),
        (an_intent(**limit(None)), DenialCode.NOT_POSITIVE),
        (an_intent(**limit(D("Infinity"))), DenialCode.NOT_FINITE),
        (an_intent(**limit(D(-1))), DenialCode.NOT_POSITIVE),
        (an_intent(order_type=OrderType.STOP), DenialCode.NOT_POSITIVE),
        (an_intent(**limit(D("100.005"))), DenialCode.TICK_SIZE),
        (an_intent("10.5"), DenialCode.SIZE_INCREMENT),
        (an_intent("1001"), DenialCode.MAX_QUANTITY),
        (an_intent("501"), DenialCode.MAX_NOTIONAL),
        (an_intent("400", **limit(D(130))), DenialCode.MAX_NOTIONAL),
    ],
)
def test_an_unsound_or_oversized_order_is_denied(intent, expected):
    assert code(intent) is expected


BLOCKS = [
    ({"behind": "the store is 3 entries behind"}, DenialCode.NOT_READY),
    ({"halt": "halted by the operator"}, DenialCode.HALTED),
    ({"disagreement": "the broker holds 5 more"}, DenialCode.BOOKS_DISAGREE),
    ({"unknown_order": "order a1-0 has no answer"}, DenialCode.UNKNOWN_ORDER),
    ({"price": None}, DenialCode.NO_PRICE),
    ({"price_age": None}, DenialCode.NO_PRICE),
    ({"price_age": 30.5}, DenialCode.STALE_DATA),
    ({"rate": Unknown("no rate from EUR")}, DenialCode.NO_RATE),
    ({"recent_orders": 5}, DenialCode.ORDER_RATE),
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
    assert code(an_intent("101", Side.SELL), halted) is DenialCode.HALTED


def test_a_second_close_while_the_first_is_unknown_is_not_a_reduction():
    world = replace(WELL, strategy=Exposure(D(100), D(0), D(100)), unknown_order="order a1-0 has no answer")
    assert code(an_intent("100", Side.SELL), world) is DenialCode.UNKNOWN_ORDER


def test_no_order_passes_a_connection_that_is_not_ready_or_an_unresolved_instrument():
    for change, expected in (
        ({"connection": "connection 3 is replaying"}, DenialCode.NOT_READY),
        ({"resolved": False}, DenialCode.UNKNOWN_INSTRUMENT),
    ):
        assert code(an_intent("50", Side.SELL), replace(WELL, strategy=LONG, **change)) is expected


def test_the_position_limit_counts_orders_on_their_way():
    world = replace(WELL, strategy=Exposure(D(400), D(300), D(0)))
    assert code(an_intent("100"), world) is None
    assert code(an_intent("101"), world) is DenialCode.MAX_POSITION


def test_the_account_limit_counts_all_strategies():
    world = replace(WELL, account=Exposure(D(-800), D(0), D(50)))
    assert code(an_intent("50", Side.SELL), world) is None
    denial = check_order(an_intent("51", Side.SELL), world, LIMITS)
    assert denial.code is DenialCode.MAX_POSITION
    assert denial.text == "the net position of DU1 in SPY could reach -901, worth 90100.00, more than 90000"


def test_an_order_that_shrinks_an_account_above_its_limit_may_go():
    world = replace(WELL, account=Exposure(D(-1_000), D(0), D(0)))
    assert code(an_intent("50", Side.BUY), world) is None
    assert code(an_intent("50", Side.SELL), world) is DenialCode.MAX_POSITION


def test_a_denial_carries_its_figures():
    denial = check_order(an_intent(**limit(D("100.005"))), WELL, LIMITS)
    assert denial.text == "limit_price 100.005 is not a multiple of 0.01; the nearest are 100.00 and 100.01"
    assert denial.figures == {"limit_price": "100.005", "tick_size": "0.01", "below": "100.00", "above": "100.01"}


def test_the_value_is_in_the_base_currency():
    assert code(an_intent("460"), replace(WELL, rate=D("1.1"))) is DenialCode.MAX_NOTIONAL
    assert code(an_intent("450"), replace(WELL, rate=D("1.1"))) is None
