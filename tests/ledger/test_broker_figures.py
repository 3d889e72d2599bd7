"""What the broker says an account is worth: not before it said so, and not what it says while it resets."""

from decimal import Decimal

import pytest

from mats.ledger.valuation.broker_figures import AccountFigures
from mats.model.broker_reports import AccountValue
from mats.model.timestamp import SECOND
from mats.model.unknown import Unknown

D = Decimal


def value(tag, text, currency="USD", account="DU1"):
    return AccountValue(account=account, tag=tag, value=text, currency=currency)


def ready(text):
    return value("AccountReady", text, "")


@pytest.fixture
def figures():
    return AccountFigures("USD")


def rate(figures, currency, now=0):
    return figures.rates.rate(currency, now, 60.0)


def test_nothing_is_known_before_it_was_said(figures):
    assert figures.total_equity("DU1") is None
    assert figures.values("DU1") == ()
    assert figures.accounts() == ()


def test_equity_is_the_net_liquidation_value_in_the_base_currency(figures):
    figures.update([value("NetLiquidation", "5", "EUR"), value("NetLiquidation", "1000.50")], 0)
    assert figures.total_equity("DU1") == D("1000.50")


def test_the_equity_of_an_account_that_is_kept_in_another_currency_is_converted(figures):
    figures.update([value("NetLiquidation", "1000", "EUR"), value("CashBalance", "900", "GBP")], 0)
    assert figures.total_equity("DU1") is None
    assert "in EUR, and no rate from EUR to USD is known; set portfolio.base_currency to EUR" in (
        figures.equity("DU1").reason
    )
    assert figures.currencies("DU1") == {"EUR", "GBP"}
    figures.update_pair_rate("EURUSD", 1.25, 0)
    assert figures.total_equity("DU1") == D(1250)


def test_an_account_quotes_the_rate_of_our_currency_in_its_own(figures):
    rates = [value("ExchangeRate", "1", "EUR"), value("ExchangeRate", "0.8", "USD")]
    figures.update([value("NetLiquidation", "1000", "EUR"), *rates], 0)
    assert figures.total_equity("DU1") == D(1250)


def test_a_newer_value_replaces_an_older_one_of_its_account_only(figures):
    figures.update([value("NetLiquidation", "1"), value("NetLiquidation", "2", account="DU2")], 0)
    figures.update([value("NetLiquidation", "3")], 0)
    assert (figures.total_equity("DU1"), figures.total_equity("DU2")) == (D(3), D(2))
    assert figures.accounts() == ("DU1", "DU2")
    assert figures.values("DU1") == (value("NetLiquidation", "3"),)


@pytest.mark.parametrize("text", ["", "n/a", "NaN", "Infinity"])
def test_a_value_that_is_no_number_is_unknown(figures, text):
    figures.update([value("NetLiquidation", text)], 0)
    assert figures.total_equity("DU1") is None


@pytest.mark.parametrize("first", [True, False])
def test_figures_of_a_reset_are_not_taken_wherever_they_stand_in_their_batch(figures, first):
    figures.update(
        [value("NetLiquidation", "1000"), value("ExchangeRate", "1"), value("ExchangeRate", "1.1", "EUR")], 0
    )
    wrong = [value("NetLiquidation", "0"), value("ExchangeRate", "9", "EUR")]
    figures.update([ready("false"), *wrong] if first else [*wrong, ready("false")], 0)
    assert figures.total_equity("DU1") is None
    figures.update([ready("true")], 0)
    assert figures.total_equity("DU1") == D(1000)
    assert rate(figures, "EUR") == D("1.1")


def test_one_account_in_reset_leaves_the_others_alone(figures):
    figures.update([ready("false"), value("NetLiquidation", "7", account="DU2")], 0)
    assert figures.total_equity("DU2") == D(7)


def test_rates_are_as_old_as_the_last_ones_the_broker_told(figures):
    figures.update([value("ExchangeRate", "1"), value("ExchangeRate", "1.1", "EUR")], 0)
    assert rate(figures, "EUR", 60 * SECOND) == D("1.1")
    assert isinstance(rate(figures, "EUR", 61 * SECOND), Unknown)


def test_rates_of_an_account_with_another_base_currency_are_turned_into_ours(figures):
    """The account counts in euros: a dollar is 0.8 of them, a pound 1.2, hence a pound is 1.5 dollars."""
    figures.update(
        [value("ExchangeRate", "1", "EUR"), value("ExchangeRate", "0.8"), value("ExchangeRate", "1.2", "GBP")], 0
    )
    assert (rate(figures, "GBP"), rate(figures, "EUR")) == (D("1.5"), D("1.25"))


def test_without_the_rate_of_our_own_currency_no_rate_is_known(figures):
    figures.update([value("ExchangeRate", "1", "EUR"), value("ExchangeRate", "1.2", "GBP")], 0)
    assert isinstance(rate(figures, "GBP"), Unknown)
    figures.update([value("ExchangeRate", "0.8")], 0)
    assert rate(figures, "GBP") == D("1.5")


@pytest.mark.parametrize("text", ["0", "-1.1", "NaN", "?"])
def test_a_rate_that_cannot_be_is_not_taken(figures, text):
    figures.update([value("ExchangeRate", "1"), value("ExchangeRate", text, "EUR")], 0)
    assert isinstance(rate(figures, "EUR"), Unknown)


def test_the_mid_of_a_pair_is_taken_and_the_price_of_anything_else_is_not(figures):
    assert figures.update_pair_rate("EURUSD", 1.0942, 7)
    assert rate(figures, "EUR", 7) == D("1.0942")
    assert not figures.update_pair_rate("SPY", 510.0, 8)
    assert figures.rates.pairs.keys() == {("EUR", "USD")}
