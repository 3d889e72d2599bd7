"""Where exchange rates come from: the mid of a pair's quotes, and the broker's account values."""

from decimal import Decimal
from math import inf, nan

import pytest

from mats.ledger.valuation.fx import FxRate, FxRates
from mats.ledger.valuation.rate_sources import with_account_rates, with_pair_rate
from mats.model.broker_reports import AccountValue

D = Decimal
NONE_KNOWN = FxRates("USD")


@pytest.mark.parametrize("mid", [0.0, -1.0, nan, inf])
def test_a_mid_that_is_no_price_is_not_taken(mid):
    assert with_pair_rate(NONE_KNOWN, "EURUSD", mid, 0) is None


def test_the_mid_of_a_pair_is_a_rate_with_its_source():
    known = with_pair_rate(NONE_KNOWN, "EURUSD", 1.0942, 7)
    assert known.find("EUR", 7, 60.0) == FxRate(D("1.0942"), 7, "mid of EURUSD")
    assert with_pair_rate(NONE_KNOWN, "SPY", 510.0, 8) is None


def test_a_rate_among_the_account_values_names_its_account():
    values = [
        AccountValue(account="DU1", tag="ExchangeRate", value=text, currency=currency)
        for currency, text in (("USD", "1"), ("EUR", "1.1"))
    ]
    known = with_account_rates(NONE_KNOWN, "DU1", values, 7)
    assert known.find("EUR", 7, 60.0) == FxRate(D("1.1"), 7, "values of DU1")
