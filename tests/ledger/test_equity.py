"""Equity in two tiers."""

from decimal import Decimal

from mats.ledger.valuation.allocation import strategy_equity
from mats.model.unknown import Unknown

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
