"""Contracts, orders, bars, quotes and codes, one value at a time."""

from decimal import Decimal

import msgspec
import pytest
from ib_async.contract import Contract, ContractDetails
from ib_async.objects import BarData
from ib_async.order import Order, OrderState
from ib_async.util import UNSET_DOUBLE

from mats.ib.conversion.contracts import (
    amount,
    from_details,
    name_of,
    to_contract,
    to_instrument,
    unit_value_of,
)
from mats.ib.conversion.history import bar_size, duration, source_of, to_bar
from mats.ib.conversion.orders import (
    UNKNOWN_CLIENT_ID,
    side_of,
    status_of,
    to_broker_order,
    to_completed_order,
    to_order,
)
from mats.ib.error_codes import Meaning, meaning_of, order_error_meaning
from mats.ib.streams import QuoteAggregator
from mats.instruments import InstrumentRegistry, MemoryRecords, parse_instrument
from mats.model.broker_reports import BrokerOrderStatus, OrderErrorMeaning
from mats.model.instrument import Instrument, SecType
from mats.model.market_data import Quote
from mats.model.orders import OrderTicket, OrderType, Side, TimeInForce

ES = Instrument(
    id="ES:20261218",
    symbol="ES",
    sec_type=SecType.FUTURE,
    currency="USD",
    exchange="CME",
    expiry="20261218",
    multiplier=Decimal(50),
    local_symbol="ESZ6",
    con_id=495512563,
)


SPY, EURUSD = (
    msgspec.structs.replace(parse_instrument(name), con_id=number) for number, name in enumerate(("SPY", "EURUSD"), 1)
)


@pytest.mark.parametrize("instrument", [SPY, EURUSD, ES])
def test_an_instrument_survives_the_way_through_a_contract(instrument: Instrument) -> None:
    assert msgspec.structs.replace(to_instrument(to_contract(instrument)), id=instrument.id) == instrument


def test_a_type_of_many_contracts_keeps_its_contract_id() -> None:
    registry = InstrumentRegistry(MemoryRecords())
    bond = Contract(symbol="US-T", secType="BOND", conId=77, currency="USD")
    other = Contract(symbol="X", secType="IOPT", conId=78, currency="EUR")
    assert (name_of(bond, registry), name_of(other, registry)) == ("US-T:BOND:77", "X:IOPT:78")


def test_an_option_is_looked_up_by_its_symbol_of_the_occ_alone() -> None:
    asked = to_contract(parse_instrument("SPXW  240119C05000000"))
    assert (asked.localSymbol, asked.secType, asked.symbol) == ("SPXW  240119C05000000", "OPT", "")
    assert (asked.multiplier, asked.strike, asked.lastTradeDateOrContractMonth) == ("", 0.0, "")


def test_what_a_unit_is_worth_needs_the_details_where_prices_are_magnified() -> None:
    registry = InstrumentRegistry(MemoryRecords())
    corn = Contract(symbol="ZC", secType="FUT", conId=5, currency="USD", multiplier="5000")
    corn.lastTradeDateOrContractMonth = "20261214"
    assert unit_value_of(corn, registry).is_nan(), "it may be quoted in dollars, or in cents"
    details = from_details(parse_instrument("ZC:20261214"), ContractDetails(contract=corn, priceMagnifier=100))
    assert details is not None
    registry.complete(details)
    assert unit_value_of(corn, registry) == 50
    corn.multiplier = "0"
    assert unit_value_of(corn, registry) == 0, "what contradicts the terms is not mended, and so not believed"


def test_details_give_steps_multiplier_and_zone() -> None:
    contract = Contract(symbol="ES", secType="FUT", currency="USD", exchange="CME", conId=5, multiplier="50")
    contract.lastTradeDateOrContractMonth = "20261218"
    details = ContractDetails(
        contract=contract,
        minTick=0.25,
        sizeIncrement=1.0,
        minSize=1.0,
        timeZoneId="US/Central",
        longName="E-mini S&P 500",
    )
    found = from_details(parse_instrument("ES:20261218"), details)
    assert found is not None
    assert (found.expiry, found.multiplier, found.tick_size) == ("20261218", Decimal(50), Decimal("0.25"))
    assert (found.exchange, found.time_zone, found.con_id) == ("CME", "US/Central", 5)


def test_numbers_off_the_wire_are_exact_and_unset_is_none() -> None:
    assert amount(0.1) == Decimal("0.1")
    assert str(amount(100.0)) == "100"
    assert amount(UNSET_DOUBLE) is None
    with pytest.raises(ValueError, match="finite"):
        amount(float("nan"))


def test_an_order_leaves_nothing_to_presets() -> None:
    ticket = OrderTicket(
        order_type=OrderType.STOP_LIMIT,
        limit_price=Decimal("1.10005"),
        stop_price=Decimal("1.1"),
        tif=TimeInForce.GTC,
        outside_rth=True,
    )
    order = to_order(Side.SELL, Decimal("1E+4"), ticket, "ibs:i7", "DU1")
    assert (order.action, order.orderType, order.tif, order.outsideRth) == ("SELL", "STP LMT", "GTC", True)
    assert (str(order.totalQuantity), str(order.lmtPrice), str(order.auxPrice)) == ("10000", "1.10005", "1.1")
    assert (order.account, order.orderRef, order.transmit) == ("DU1", "ibs:i7", True)


def test_a_market_order_carries_no_price() -> None:
    order = to_order(Side.BUY, Decimal(1), OrderTicket(limit_price=Decimal(5)), "ibs:i7", "DU1")
    assert order.lmtPrice is None
    assert order.auxPrice is None
    assert order.outsideRth is False


@pytest.mark.parametrize(
    ("quantity", "ticket", "reference", "account", "complaint"),
    [
        ("0", OrderTicket(), "s:i", "DU1", "must be positive"),
        ("-5", OrderTicket(), "s:i", "DU1", "must be positive"),
        ("NaN", OrderTicket(), "s:i", "DU1", "must be positive"),
        ("1", OrderTicket(order_type=OrderType.LIMIT), "s:i", "DU1", "limit price None"),
        ("1", OrderTicket(order_type=OrderType.STOP, stop_price=Decimal("NaN")), "s:i", "DU1", "stop price NaN"),
        ("1", OrderTicket(), "s:i\0100", "DU1", "printable ASCII"),
        ("1", OrderTicket(), "s:ü", "DU1", "printable ASCII"),
        ("1", OrderTicket(), "s:i", "", "account ''"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused(
    quantity: str, ticket: OrderTicket, reference: str, account: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        to_order(Side.BUY, Decimal(quantity), ticket, reference, account)


def test_an_echoed_order_keeps_prices_only_where_its_type_has_them() -> None:
    order = Order(orderId=7, clientId=1, permId=9, action="BUY", totalQuantity=100.0, orderType="LMT", lmtPrice=512.3)
    order.auxPrice, order.account, order.orderRef = 0.0, "DU1", "ibs:i7"
    echo = to_broker_order("SPY", order, OrderState(status="Submitted"))
    assert (echo.limit_price, echo.stop_price, echo.filled) == (Decimal("512.3"), None, Decimal(0))
    assert (echo.order_ref, echo.completed) == ("ibs:i7", False)
    assert (echo.status, echo.status_text) == (BrokerOrderStatus.WORKING, "Submitted")


def test_a_completed_order_has_no_client() -> None:
    order = Order(permId=9, action="SSHORT", totalQuantity=100.0, orderType="MKT", filledQuantity=60.0)
    state = OrderState(status="Cancelled", completedStatus="Cancelled by Trader")
    echo = to_completed_order(ES.id, order, state)
    assert (echo.client_id, echo.order_id, echo.completed) == (UNKNOWN_CLIENT_ID, 0, True)
    assert (echo.side, echo.filled, echo.note) == (Side.SELL, Decimal(60), "Cancelled by Trader")
    assert (echo.status, echo.status_text) == (BrokerOrderStatus.CANCELLED, "Cancelled")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("ApiPending", BrokerOrderStatus.PENDING_SUBMIT),
        ("PendingSubmit", BrokerOrderStatus.PENDING_SUBMIT),
        ("PreSubmitted", BrokerOrderStatus.WORKING),
        ("Submitted", BrokerOrderStatus.WORKING),
        ("PendingCancel", BrokerOrderStatus.PENDING_CANCEL),
        ("Cancelled", BrokerOrderStatus.CANCELLED),
        ("ApiCancelled", BrokerOrderStatus.CANCELLED),
        ("Filled", BrokerOrderStatus.FILLED),
        ("Inactive", BrokerOrderStatus.INACTIVE),
        ("Novel", BrokerOrderStatus.UNKNOWN),
        ("", BrokerOrderStatus.UNKNOWN),
    ],
)
def test_a_status_means_what_ib_says_of_it(word: str, status: BrokerOrderStatus) -> None:
    assert status_of(word) is status


def test_a_side_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="'XYZ'"):
        side_of("XYZ")


@pytest.mark.parametrize(
    ("seconds", "bar", "text"),
    [
        (3600, 60, "3600 S"),
        (86_400, 60, "86400 S"),
        (86_401, 60, "2 D"),
        (86_400, 86_400, "1 D"),
        (3 * 365 * 86_400, 86_400, "3 Y"),
    ],
)
def test_spans_are_said_in_the_unit_that_ib_takes(seconds: int, bar: int, text: str) -> None:
    assert duration(seconds, bar) == text


def test_impossible_history_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="bars of 7 seconds do not exist"):
        bar_size(7)
    with pytest.raises(ValueError, match="at most 3600 seconds"):
        duration(7200, 5)
    with pytest.raises(ValueError, match="holds no bar"):
        duration(60, 300)


def test_pairs_come_as_midpoints_and_all_else_as_trades() -> None:
    assert source_of(parse_instrument("EURUSD")) == "MIDPOINT"
    assert source_of(ES) == "TRADES"


def test_missing_volume_of_a_bar_is_zero() -> None:
    bar = to_bar("EURUSD", 60, BarData("1776108420", 1.1, 1.2, 1.0, 1.15, -1.0, -1.0, -1))  # type: ignore[arg-type]
    assert (bar.start, bar.volume, bar.wap, bar.count) == (1_776_108_420_000_000_000, 0.0, 0.0, 0)


def test_ticks_of_a_packet_become_one_quote() -> None:
    quotes = QuoteAggregator(lambda: 5)
    quotes.price("SPY", 1, 10.0, 300.0)
    quotes.price("SPY", 2, 10.01, 0.0)
    quotes.size("SPY", 3, 200.0)
    quotes.price("SPY", 9, 9.5, 0.0)  # yesterday's close is no quote
    assert list(quotes.drain()) == [Quote("SPY", 5, 10.0, 10.01, 300.0, 200.0, 0.0)]
    assert list(quotes.drain()) == []


def test_a_side_that_is_withdrawn_is_zero() -> None:
    quotes = QuoteAggregator(lambda: 5)
    quotes.price("SPY", 1, 10.0, 300.0)
    quotes.price("SPY", 1, -1.0, 0.0)
    (quote,) = quotes.drain()
    assert (quote.bid, quote.bid_size) == (0.0, 0.0)


def test_an_unchanged_tick_is_no_quote() -> None:
    quotes = QuoteAggregator(lambda: 5)
    quotes.price("SPY", 1, 10.0, 300.0)
    assert len(list(quotes.drain())) == 1
    quotes.price("SPY", 1, 10.0, 300.0)
    assert list(quotes.drain()) == []


@pytest.mark.parametrize(
    ("code", "text", "meaning"),
    [
        (1100, "", Meaning.LINK_LOST),
        (1102, "", Meaning.LINK_RESTORED),
        (2107, "", Meaning.FARM_IDLE),
        (2109, "Outside Regular Trading Hours", Meaning.NOTICE),
        (162, "Historical Market Data Service error message:HMDS query returned no data: X", Meaning.NO_DATA),
        (162, "Historical data request pacing violation", Meaning.PACING),
        (162, "API historical data query cancelled: 5", Meaning.CANCELLED),
        (162, "No market data permissions for ISLAND STK", Meaning.NOT_PERMITTED),
        (162, "Time length exceed max.", Meaning.OTHER),
        (201, "Order rejected", Meaning.OTHER),
    ],
)
def test_codes_mean_what_their_text_says(code: int, text: str, meaning: Meaning) -> None:
    assert meaning_of(code, text) is meaning


@pytest.mark.parametrize(
    ("meaning", "codes"),
    [
        (OrderErrorMeaning.REJECTED, [201, 203]),
        (OrderErrorMeaning.INVALID, [110, 321, 434, 10006, 10243, 10318]),
        (OrderErrorMeaning.CANCELLED, [202]),
        (OrderErrorMeaning.CANCEL_REFUSED, [136, 161, 10148]),
        (OrderErrorMeaning.MODIFY_REFUSED, [104, 105, 2102, 10242, 10326]),
        (OrderErrorMeaning.WARNING, [399, 404, 2109, 2100, 2137, 2199]),
        (OrderErrorMeaning.INFORMATION, [165, 492, 10167, 10349]),
        (OrderErrorMeaning.UNCLEAR, [10147, 100, 103, 2099, 2200, 31_337]),
    ],
)
def test_codes_mean_for_an_order_what_ib_says_of_them(meaning: OrderErrorMeaning, codes: list[int]) -> None:
    assert {code: order_error_meaning(code) for code in codes} == dict.fromkeys(codes, meaning)
