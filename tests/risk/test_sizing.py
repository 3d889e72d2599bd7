"""From strength and equity to units."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.instruments import parse_instrument
from mats.model.instrument import Instrument, SecType
from mats.model.unknown import Unknown
from mats.risk.limits import Limits
from mats.risk.rejection import Rejection, RejectionCode
from mats.risk.sizing import Basis, fraction_quantity, least_change, target_quantity

D = Decimal
SPY = parse_instrument("SPY")
ES = Instrument(id="ES:20241220", symbol="ES", sec_type=SecType.FUTURE, currency="USD", multiplier=D(50))


def basis(equity="25000", price="500", rate="1"):
    return Basis(equity=D(equity), price=D(price), rate=D(rate))


def test_the_target_is_equity_times_strength_over_price_rounded_down():
    assert target_quantity(SPY, 0.5, basis(price="510")) == D(24)
    assert target_quantity(SPY, -0.5, basis(price="510")) == D(-24)


def test_multiplier_and_rate_make_a_unit_worth_more():
    assert target_quantity(ES, 1.0, basis(equity="600000", price="5000")) == D(2)
    assert target_quantity(parse_instrument("SAP.EUR"), 1.0, basis(equity="22000", price="100", rate="1.1")) == D(200)


def test_fractional_increments_are_kept():
    fractional = Instrument(id="X", symbol="X", sec_type=SecType.STOCK, currency="USD", size_increment=D("0.001"))
    assert target_quantity(fractional, 0.1, basis(equity="1000", price="300")) == D("0.333")


def test_flat_needs_no_figures():
    nothing = Basis(equity=Unknown("?"), price=None, rate=Unknown("?"))
    assert target_quantity(SPY, 0.0, nothing) == 0


@pytest.mark.parametrize("strength", [1.01, -2.0, float("nan"), float("inf")])
def test_a_strength_out_of_range_is_denied(strength):
    assert target_quantity(SPY, strength, basis()).code is RejectionCode.STRENGTH_RANGE


@pytest.mark.parametrize(
    ("given_basis", "code"),
    [
        (Basis(equity=Unknown("no total"), price=D(1), rate=D(1)), RejectionCode.NO_EQUITY),
        (Basis(equity=D(0), price=D(1), rate=D(1)), RejectionCode.NO_EQUITY),
        (Basis(equity=D(1), price=None, rate=D(1)), RejectionCode.NO_PRICE),
        (Basis(equity=D(1), price=D(0), rate=D(1)), RejectionCode.NO_PRICE),
        (Basis(equity=D(1), price=D(1), rate=Unknown("no EUR")), RejectionCode.NO_RATE),
    ],
)
def test_a_missing_figure_denies_and_is_never_guessed(given_basis, code):
    assert target_quantity(SPY, 1.0, given_basis).code is code


def test_a_fraction_of_the_equity_is_an_unsigned_quantity():
    assert fraction_quantity(SPY, 0.5, basis()) == D(25)
    assert fraction_quantity(SPY, 1.0, basis()) == D(50)
    assert isinstance(fraction_quantity(SPY, 0.0, basis()), Rejection)
    assert isinstance(fraction_quantity(SPY, 1.5, basis()), Rejection)


def test_a_change_is_worth_an_order_from_a_share_of_the_target_or_a_value_up():
    limits = Limits(least_change_share=D("0.02"), least_change_value=D(0))
    assert least_change(SPY, D(-50), basis(), limits) == D(1)
    assert least_change(SPY, D(0), basis(), limits) == 0, "going flat is always worth it"
    dear = Limits(least_change_share=D("0.02"), least_change_value=D(2_000))
    assert least_change(SPY, D(50), basis(), dear) == D(2_000) / (basis().price * SPY.unit_value * basis().rate)


@settings(max_examples=500)
@given(
    st.floats(-1, 1, allow_subnormal=False),
    st.integers(1, 10**9),
    st.integers(1, 10**7),
    st.sampled_from(["1", "0.1", "100"]),
)
def test_a_target_never_costs_more_than_its_share_and_misses_it_by_less_than_one_step(strength, equity, cents, step):
    price = D(cents) / 100
    stock = Instrument(id="X", symbol="X", sec_type=SecType.STOCK, currency="USD", size_increment=D(step))
    quantity = target_quantity(stock, strength, Basis(equity=D(equity), price=price, rate=D(1)))
    share = abs(D(repr(strength))) * equity
    assert abs(quantity) * price <= share * (1 + D("1e-20"))
    assert (abs(quantity) + D(step)) * price > share
    assert quantity % D(step) == 0
