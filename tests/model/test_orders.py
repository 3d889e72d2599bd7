"""Sides, states, references: the smallest values of the model."""

import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mats.instruments import parse_instrument
from mats.model.orders import PRICES, OrderState, OrderTicket, OrderType, Side, order_ref, parse_order_ref

WORDS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=20)


@given(WORDS, WORDS)
def test_a_reference_leads_back_to_strategy_and_intent(strategy, intent_id):
    assert parse_order_ref(order_ref(strategy, intent_id)) == (strategy, intent_id)


@pytest.mark.parametrize("text", ["", "by hand", ":", "trend:", ":i1", "trend:i1:x", "a::b"])
def test_a_reference_of_another_form_is_not_ours(text):
    assert parse_order_ref(text) is None


@pytest.mark.parametrize(("side", "sign", "opposite"), [(Side.BUY, 1, Side.SELL), (Side.SELL, -1, Side.BUY)])
def test_a_side_has_a_sign_and_an_opposite(side, sign, opposite):
    assert (side.sign, side.opposite, Side.of(Decimal(sign))) == (sign, opposite, side)


def test_only_three_states_are_final():
    assert {state for state in OrderState if state.final} == {
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
    }


def test_an_instrument_cannot_be_changed():
    with pytest.raises(AttributeError):
        parse_instrument("SPY").symbol = "QQQ"


def test_every_order_type_says_which_prices_it_needs():
    assert PRICES.keys() == set(OrderType)
    assert {price for prices in PRICES.values() for price in prices} <= set(OrderTicket.__struct_fields__)
