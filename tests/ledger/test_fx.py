"""Exchange rates: exact, of a known age and source, and unknown rather than one."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ledger.valuation.fx import FxRate, FxRates, conversion_pairs, pair_of
from mats.model.timestamp import SECOND
from mats.model.unknown import Unknown, difference, total

D = Decimal


def rates(*said: tuple[str, str, str, int], base: str = "USD") -> FxRates:
    """Rates of lines like `("EUR", "USD", "1.1", 5)`: at five seconds a euro was 1.1 dollars."""
    known = FxRates(base)
    for currency, counter, value, second in said:
        known = known.with_rate(currency, counter, D(value), second * SECOND, f"{currency}{counter}")
    return known


def test_the_base_currency_needs_no_rate():
    assert FxRates("USD").rate("USD", 0, 1.0) == 1


def test_a_missing_rate_is_unknown_and_never_one():
    assert FxRates("USD").convert(D(100), "EUR", 0, 60.0) == Unknown("no rate from EUR to USD is known")


def test_an_old_rate_is_unknown():
    known = rates(("EUR", "USD", "1.1", 0))
    assert known.convert(D(100), "EUR", 60 * SECOND, 60.0) == D("110.0")
    assert known.rate("EUR", 61 * SECOND, 60.0) == Unknown("the rate from EUR to USD is 61 s old, more than 60 s")


def test_an_older_rate_does_not_replace_a_newer_one():
    assert rates(("EUR", "USD", "1.1", 9), ("EUR", "USD", "1.2", 5)).rate("EUR", 9 * SECOND, 60.0) == D("1.1")


@pytest.mark.parametrize("value", ["0", "-1.1", "NaN", "Infinity"])
def test_a_rate_that_is_not_positive_and_finite_is_refused(value):
    with pytest.raises(ValueError, match=f"rate {value} of EUR is not positive; give USD for one EUR"):
        FxRates("USD").with_rate("EUR", "USD", D(value), 0, "test")


def test_a_pair_that_is_quoted_the_other_way_round_is_inverted():
    known = rates(("USD", "JPY", "125", 1)).find("JPY", SECOND, 60.0)
    assert known == FxRate(D("0.008"), SECOND, "inverse of USDJPY")


def test_of_a_pair_and_its_inverse_the_newer_one_is_believed():
    known = rates(("USD", "JPY", "125", 1), ("JPY", "USD", "0.007", 2))
    assert known.rate("JPY", 2 * SECOND, 60.0) == D("0.007")
    assert known.with_rate("USD", "JPY", D(100), 3 * SECOND, "USDJPY").rate("JPY", 3 * SECOND, 60.0) == D("0.01")


def test_without_a_pair_the_rate_goes_over_another_currency_and_is_as_old_as_its_older_half():
    known = rates(("GBP", "USD", "1.5", 1), ("EUR", "USD", "1.25", 7), base="EUR").find("GBP", 8 * SECOND, 60.0)
    assert known == FxRate(D("1.2"), SECOND, "GBPUSD × inverse of EURUSD")
    old = rates(("GBP", "USD", "1.5", 1), ("EUR", "USD", "1.25", 70), base="EUR").rate("GBP", 71 * SECOND, 60.0)
    assert old == Unknown("the rate from GBP to EUR is 70 s old, more than 60 s")


def test_of_several_ways_the_freshest_is_taken():
    known = rates(
        ("GBP", "USD", "1.5", 1),
        ("EUR", "USD", "1.25", 1),
        ("GBP", "CHF", "1.2", 5),
        ("EUR", "CHF", "0.96", 5),
        base="EUR",
    )
    assert known.rate("GBP", 5 * SECOND, 60.0) == D("1.25")


@settings(max_examples=100)
@given(st.decimals("0.0001", "10000", allow_nan=False, places=6), st.integers(0, 100), st.integers(0, 100))
def test_whatever_was_said_a_rate_is_unknown_or_the_one_that_was_said(value, said, now):
    known = FxRates("USD").with_rate("EUR", "USD", value, said * SECOND, "test").rate("EUR", now * SECOND, 30.0)
    assert known == value if now - said <= 30 else isinstance(known, Unknown)


# Pairs


@pytest.mark.parametrize(
    ("name", "pair"), [("EURUSD", ("EUR", "USD")), ("SPY", None), ("SAP.EUR", None), ("GOOGLE", None)]
)
def test_a_pair_is_known_by_its_name(name, pair):
    assert pair_of(name) == pair


@pytest.mark.parametrize(
    ("currencies", "base", "pairs"),
    [
        (["USD"], "USD", set()),
        (["USD", "EUR", "JPY"], "USD", {"EURUSD", "USDJPY"}),
        (["EUR", "USD"], "EUR", {"EURUSD"}),
        (["EUR", "HKD"], "EUR", {"EURUSD", "USDHKD"}),
        (["XXX"], "USD", set()),
    ],
)
def test_pairs_are_asked_for_as_the_broker_lists_them(currencies, base, pairs):
    assert conversion_pairs(currencies, base) == pairs


def test_the_pairs_asked_for_convert_every_currency_that_is_traded():
    for base in ("USD", "EUR", "JPY"):
        for name in ("EUR", "GBP", "JPY", "HKD", "SEK", "USD"):
            known = FxRates(base)
            for pair in conversion_pairs([name], base):
                known = known.with_rate(pair[:3], pair[3:], D(2), 0, pair)
            assert isinstance(known.rate(name, 0, 1.0), Decimal), (name, base)


# Sums


def test_a_sum_with_an_unknown_part_is_unknown_and_names_everything_that_is_missing_once():
    assert total([D(1), D("2.5")]) == D("3.5")
    assert total([]) == 0
    parts = [D(1), Unknown("no price of A"), Unknown("no rate"), Unknown("no price of A")]
    assert total(parts) == Unknown("no price of A; no rate")
    assert difference(D(3), D(1)) == 2
    assert difference(D(3), Unknown("no rate")) == Unknown("no rate")
