"""Names of contracts: parsed, written, and the same in both directions."""

import string
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mats.instruments import (
    candidate_names,
    canonical_name,
    instrument_id,
    nth_expiry,
    parse_instrument,
    try_parse_instrument,
)
from mats.model import CURRENCIES, Instrument, SecType

SYMBOLS = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=5)
SPACED = st.lists(SYMBOLS, min_size=1, max_size=2).map(" ".join)
DOTTED = st.lists(SYMBOLS, min_size=1, max_size=2).map(".".join)
DAYS = st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}")
NUMBERED = frozenset({SecType.UNKNOWN, SecType.CONTINUOUS_FUTURE})


@st.composite
def contracts(draw, kinds=tuple(kind for kind in SecType if kind not in NUMBERED)):
    """What a broker may state of a contract, whatever that is."""
    kind = draw(st.sampled_from(kinds))
    option, expires = kind in (SecType.OPTION, SecType.FUTURE_OPTION), kind is SecType.FUTURE
    symbol = draw(SPACED | DOTTED | st.sampled_from(["BRK B", "EURUSD", "SPY_X", "HHI.HK", "A@B", "C#1", "IND", ""]))
    return Instrument(
        id="",
        symbol=symbol,
        sec_type=kind,
        currency=draw(st.sampled_from([*sorted(CURRENCIES), "XTS"])),
        trading_class=draw(st.just(symbol) | SPACED | st.just("")),
        expiry=draw(DAYS) if option or expires else "",
        strike=Decimal(draw(st.integers(1, 10**7))) / 1000 if option else Decimal(0),
        right=draw(st.sampled_from("CP")) if option else "",
        multiplier=Decimal(draw(st.integers(1, 10**6))),
        con_id=draw(st.integers(1, 10**9)),
    )


@pytest.mark.parametrize(
    ("name", "symbol", "sec_type", "currency", "exchange"),
    [
        ("SPY", "SPY", SecType.STOCK, "USD", "SMART"),
        ("SAP.EUR", "SAP", SecType.STOCK, "EUR", "SMART"),
        ("BT.A.GBP", "BT.A", SecType.STOCK, "GBP", "SMART"),
        ("BRK_B", "BRK B", SecType.STOCK, "USD", "SMART"),
        ("2330.TWD", "2330", SecType.STOCK, "TWD", "SMART"),
        ("EURUSD", "EUR", SecType.CASH, "USD", "IDEALPRO"),
        ("USD.XTS:CASH", "USD", SecType.CASH, "XTS", "IDEALPRO"),
        ("ES:20241220", "ES", SecType.FUTURE, "", ""),
        ("DAX.EUR:202412", "DAX", SecType.FUTURE, "EUR", ""),
        ("ES:202412@CME", "ES", SecType.FUTURE, "", "CME"),
        ("ES:cont@CME", "ES", SecType.CONTINUOUS_FUTURE, "", "CME"),
        ("USDJPX", "USDJPX", SecType.STOCK, "USD", "SMART"),
        ("SPX:IND", "SPX", SecType.INDEX, "USD", ""),
        ("IBDE40.EUR:CFD", "IBDE40", SecType.CFD, "EUR", "SMART"),
        ("BTC:CRYPTO", "BTC", SecType.CRYPTO, "USD", ""),
    ],
)
def test_a_name_says_what_is_meant(name, symbol, sec_type, currency, exchange):
    meant = parse_instrument(name)
    assert (meant.symbol, meant.sec_type, meant.currency, meant.exchange) == (symbol, sec_type, currency, exchange)
    assert (meant.id, meant.con_id) == (name, 0)


@pytest.mark.parametrize(
    ("name", "expiry", "strike", "right", "trading_class"),
    [
        ("DAX:202612:FDXM", "202612", "0", "", "FDXM"),
        ("SPX:20261218:6000:C:SPXW", "20261218", "6000", "C", "SPXW"),
        ("ESTX50.EUR:20261218:4775:C", "20261218", "4775", "C", ""),
        ("NG:20261218:2.75:P:LN:FOP", "20261218", "2.75", "P", "LN"),
        ("SPY   240119C00470500", "20240119", "470.5", "C", ""),
        ("SPXW__240119P05000000", "20240119", "5000", "P", ""),
    ],
)
def test_a_derivative_has_its_terms_in_its_name(name, expiry, strike, right, trading_class):
    meant = parse_instrument(name)
    assert (meant.expiry, meant.strike, meant.right) == (expiry, Decimal(strike), right)
    assert meant.trading_class == trading_class


def test_exchange_multiplier_and_contract_id_may_follow():
    sap = parse_instrument("SAP@IBIS")
    assert (sap.exchange, sap.primary_exchange, sap.currency) == ("SMART", "IBIS", "")
    eoe = parse_instrument("EOE:202612@FTA*20")
    assert (eoe.exchange, eoe.multiplier, eoe.con_id) == ("FTA", Decimal(20), 0)
    assert parse_instrument("DAX:20261218:FDXM#650000002").con_id == 650000002
    number = parse_instrument("#756733")
    assert (number.sec_type, number.con_id, number.symbol) == (SecType.UNKNOWN, 756733, "")
    bond = parse_instrument("US-T:BOND:77")
    assert (bond.sec_type, bond.con_id) == (SecType.BOND, 77)


def test_the_root_of_an_adjusted_option_says_nothing_of_its_size():
    assert parse_instrument("AAPL  240119C00100000").multiplier == 100
    assert parse_instrument("AAPL1 240119C00100000").multiplier == 1


@pytest.mark.parametrize(("name", "nth"), [("ES:front", 1), ("ES:2nd", 2), ("DAX:3rd:FDXM@EUREX", 3), ("ES:202412", 0)])
def test_an_expiry_may_be_given_by_rule(name, nth):
    assert nth_expiry(name) == nth
    assert parse_instrument(name).expiry == ("" if nth else "202412")


def test_a_pair_names_itself_to_the_broker():
    assert parse_instrument("EURUSD").local_symbol == "EUR.USD"


@given(contracts())
def test_the_name_of_a_contract_is_read_as_its_terms_or_carries_its_id(contract):
    name = canonical_name(contract)
    meant = try_parse_instrument(name)
    if meant is None or meant.con_id:
        assert name.endswith(str(contract.con_id))
        return
    assert meant.sec_type is contract.sec_type
    assert (meant.symbol, meant.expiry, meant.strike) == (contract.symbol, contract.expiry, contract.strike)
    assert meant.currency in ("", contract.currency)


@given(contracts((SecType.STOCK, SecType.CASH, SecType.FUTURE, SecType.OPTION, SecType.INDEX)))
def test_ordinary_contracts_need_no_number(contract):
    assume(contract.symbol.isalnum() and contract.currency in CURRENCIES)
    assume(len(contract.symbol) != 6 and contract.symbol not in CURRENCIES)
    assume(contract.sec_type is not SecType.CASH)
    assert "#" not in canonical_name(contract)


@given(st.permutations(sorted(CURRENCIES)))
def test_every_pair_has_one_name_that_leads_back_to_it(currencies):
    meant = parse_instrument(instrument_id(currencies[0], SecType.CASH, currencies[1]))
    assert (meant.symbol, meant.currency, meant.sec_type) == (currencies[0], currencies[1], SecType.CASH)


@given(st.text(max_size=12) | st.text("SPYEUR.:@*#_0123C ", max_size=24))
def test_any_text_is_an_instrument_of_that_name_or_is_refused_with_a_sentence(text):
    try:
        assert parse_instrument(text).id == text
    except ValueError as error:
        assert "; write " in str(error)


@pytest.mark.parametrize("name", ["", "S PY", "SPY\n", "Ü", ".EUR", ":20241220", "ES:", "SPY@", "@CME", "*5", "SPY#0"])
def test_an_invalid_name_is_refused(name):
    with pytest.raises(ValueError, match=r"is not a valid name; write SPY, SAP\.EUR, EURUSD or ES:20241220"):
        parse_instrument(name)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("SPY.USD", "has another name; write SPY$"),
        ("EUR.USD", "has another name; write EURUSD$"),
        ("ES:December", "write a day"),
        ("ES:202412*0", "in place of a number above zero; write it like"),
        ("USD:CASH", "write BASE.QUOTE:CASH"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(name, remedy):
    with pytest.raises(ValueError, match=remedy):
        parse_instrument(name)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (("DAX", "FUT", "EUR", "20261218", "FDXM 20261218 M", "FDXM"), "DAX:20261218:FDXM"),
        (("ES", "FUT", "USD", "20261218", "ESZ6", "ES"), "ES:20261218"),
        (("SPX", "OPT", "USD", "20261106", "SPXW  261106C06935000", "SPXW"), "SPXW  261106C06935000"),
        (("ESTX50", "OPT", "EUR", "20261218", "C OESX  20261218 4775 M", "OESX", Decimal("4775.0"), "C"),
         "ESTX50.EUR:20261218:4775:C:OESX"),
        (("ES", "FOP", "USD", "20261230", "EW4Z6 C6000", "EW4", Decimal(6000), "C"), "ES:20261230:6000:C:EW4:FOP"),
        (("IBUS500", "CFD", "USD", "", "IBUS500", "IBUS500"), "IBUS500:CFD"),
        (("BAC PRL", "STK", "USD"), "BAC_PRL"),
        (("USD", "CASH", "CAD"), "USDCAD"),
        (("SPX", "IND", "USD"), "SPX:IND"),
    ],
)  # fmt: skip
def test_names_of_what_people_hold(given, name):
    assert instrument_id(*given) == name
    assert parse_instrument(name).sec_type == given[1]


def future(con_id, trading_class, multiplier, exchange="EUREX"):
    return Instrument(
        id="", symbol="DAX", sec_type=SecType.FUTURE, currency="EUR", exchange=exchange, expiry="20261218",
        trading_class=trading_class, multiplier=Decimal(multiplier), con_id=con_id,
    )  # fmt: skip


def test_candidates_are_told_apart_by_class_exchange_multiplier_or_id():
    assert candidate_names([future(1, "FDAX", 25), future(2, "FDXM", 5)]) == {
        1: "DAX:20261218:FDAX", 2: "DAX:20261218:FDXM",
    }  # fmt: skip
    assert candidate_names([future(1, "D", 25), future(2, "D", 25, "CME")]) == {
        1: "DAX:20261218:D@EUREX", 2: "DAX:20261218:D@CME",
    }  # fmt: skip
    assert candidate_names([future(1, "D", 25), future(2, "D", 5)]) == {
        1: "DAX:20261218:D@EUREX*25", 2: "DAX:20261218:D@EUREX*5",
    }  # fmt: skip
    assert candidate_names([future(1, "D", 5), future(2, "D", 5)]) == {1: "#1", 2: "#2"}
