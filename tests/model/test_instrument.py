"""Names of instruments: one for each, the same in both directions."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mats.model.instrument import CURRENCIES, SecType, instrument_id, parse_instrument

SYMBOLS = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=5)
SPACED = st.lists(SYMBOLS, min_size=1, max_size=2).map(" ".join)


def name_of(instrument):
    return instrument_id(instrument.symbol, instrument.sec_type, instrument.currency, instrument.expiry)


@pytest.mark.parametrize(
    ("name", "symbol", "sec_type", "currency", "exchange"),
    [
        ("SPY", "SPY", SecType.STOCK, "USD", "SMART"),
        ("SAP.EUR", "SAP", SecType.STOCK, "EUR", "SMART"),
        ("BT.A.GBP", "BT.A", SecType.STOCK, "GBP", "SMART"),
        ("BRK_B", "BRK B", SecType.STOCK, "USD", "SMART"),
        ("EURUSD", "EUR", SecType.CASH, "USD", "IDEALPRO"),
        ("ES:20241220", "ES", SecType.FUTURE, "USD", ""),
        ("USDJPX", "USDJPX", SecType.STOCK, "USD", "SMART"),
    ],
)
def test_a_name_says_what_is_meant(name, symbol, sec_type, currency, exchange):
    meant = parse_instrument(name)
    assert (meant.symbol, meant.sec_type, meant.currency, meant.exchange) == (symbol, sec_type, currency, exchange)
    assert (meant.id, meant.con_id) == (name, 0)
    assert name_of(meant) == name


def test_a_pair_names_itself_to_the_broker_and_a_future_its_expiry():
    assert parse_instrument("EURUSD").local_symbol == "EUR.USD"
    assert parse_instrument("ES:20241220").expiry == "20241220"


@given(SPACED, st.sampled_from(sorted(CURRENCIES)))
def test_a_stock_has_one_name_that_leads_back_to_it(symbol, currency):
    if currency == "USD" and len(symbol) == 6 and symbol[:3] in CURRENCIES and symbol[3:] in CURRENCIES:
        return  # a US stock that spells a pair has no name; none is known
    meant = parse_instrument(instrument_id(symbol, SecType.STOCK, currency))
    assert (meant.symbol, meant.sec_type, meant.currency) == (symbol, SecType.STOCK, currency)


@given(st.permutations(sorted(CURRENCIES)))
def test_every_pair_has_one_name_that_leads_back_to_it(currencies):
    meant = parse_instrument(instrument_id(currencies[0], SecType.CASH, currencies[1]))
    assert (meant.symbol, meant.currency, meant.sec_type) == (currencies[0], currencies[1], SecType.CASH)


def test_a_future_whose_class_is_not_its_symbol_has_the_class_in_its_name():
    named = [instrument_id("DAX", SecType.FUTURE, "EUR", "20261218", "", kind) for kind in ("FDAX", "FDXM", "DAX", "")]
    assert named == ["DAX:20261218:FDAX", "DAX:20261218:FDXM", "DAX:20261218", "DAX:20261218"]
    assert instrument_id("AAPL", SecType.STOCK, "USD", trading_class="NMS") == "AAPL"


@given(SPACED, st.dates().map(lambda day: day.strftime("%Y%m%d")))
def test_a_future_has_one_name_that_leads_back_to_it(symbol, expiry):
    meant = parse_instrument(instrument_id(symbol, SecType.FUTURE, "USD", expiry))
    assert (meant.symbol, meant.sec_type, meant.expiry) == (symbol, SecType.FUTURE, expiry)


@given(st.text(max_size=8))
def test_any_text_is_an_instrument_of_that_name_or_is_refused_with_a_sentence(text):
    try:
        assert name_of(parse_instrument(text)) == text
    except ValueError as error:
        assert "; write " in str(error)


@pytest.mark.parametrize("name", ["", "S PY", "SPY\n", "Ü", ".EUR", ":20241220"])
def test_an_invalid_name_is_refused(name):
    with pytest.raises(ValueError, match=r"is not a valid name; write SPY, SAP\.EUR, EURUSD or ES:20241220"):
        parse_instrument(name)


@pytest.mark.parametrize(("second", "first"), [("SPY.USD", "SPY"), ("EUR.USD", "EURUSD")])
def test_a_second_name_for_one_instrument_is_refused(second, first):
    with pytest.raises(ValueError, match=f"has another name; write {first}"):
        parse_instrument(second)


def test_an_index_is_named_like_a_stock_and_an_option_by_its_exchange_symbol():
    assert instrument_id("SPX", SecType.INDEX, "USD") == "SPX"
    local = "SPY   240119C00400000"
    assert instrument_id("SPY", SecType.OPTION, "USD", "20240119", local) == local
    assert instrument_id("SPY", SecType.OPTION, "USD", "20240119") == "SPY:20240119"
