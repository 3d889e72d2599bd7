"""Equity in two tiers, and weights."""

from decimal import Decimal

import pytest

from mats.ledger.equity import check_weights, strategy_equity
from mats.ledger.figures import Unknown

D = Decimal


def test_an_explicit_equity_wins():
    assert strategy_equity(D(5_000), D("0.5"), D(100_000)) == D(5_000)


def test_an_explicit_equity_of_zero_is_an_equity():
    assert strategy_equity(D(0), D("0.5"), D(100_000)) == 0


def test_otherwise_it_is_the_weight_of_the_total():
    assert strategy_equity(None, D("0.25"), D(100_000)) == D(25_000)


def test_a_missing_total_or_weight_is_unknown_not_zero():
    assert isinstance(strategy_equity(None, D("0.25"), None), Unknown)
    assert isinstance(strategy_equity(None, None, D(100_000)), Unknown)


def test_weights_above_one_are_refused_unless_leverage_is_allowed():
    weights = {"a": D("0.7"), "b": D("0.4")}
    with pytest.raises(ValueError, match=r"target weights sum to 1\.1 \(a 0\.7, b 0\.4\)"):
        check_weights(weights, allow_leverage=False)
    check_weights(weights, allow_leverage=True)
    check_weights({"a": D("0.7"), "b": D("0.3")}, allow_leverage=False)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"target_weight -0\.1 of a"):
        check_weights({"a": D("-0.1")}, allow_leverage=True)
