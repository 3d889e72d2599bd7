"""The ranges of what the broker reports: ordinary facts pass, and each extreme is refused with a sentence."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.model import (
    DAY,
    POSSIBLE,
    SECOND,
    AccountValue,
    BrokerPosition,
    Commission,
    Execution,
    Side,
    commission_fault,
    execution_fault,
    is_moment,
    is_price,
    position_fault,
    value_fault,
)

D = Decimal
NOW = 1_700_000_000 * SECOND

EXECUTION = Execution(
    account="DU1",
    exec_id="0000e1a7.6580.01.01",
    instrument="SPY",
    side=Side.BUY,
    quantity=D(100),
    price=D("512.31"),
    time=NOW,
    order_ref="trend:i1",
    perm_id=900,
    client_id=1,
    order_id=7,
    cumulative_quantity=D(100),
    average_price=D("512.31"),
    exchange="ARCA",
)

ORDINARY = {
    "quantity": [D(0), D("0.00000001"), D(1_000_000_000)],
    "price": [D(0), D("-37.63"), D("0.0000123456789"), D(800_000)],
    "multiplier": [D("0.01"), D(1), D(100_000)],
    "time": [0, NOW + DAY],
    "account": ["DU1", "U1234567", "F12-A.b_c"],
    "instrument": ["BRK_B", "SAP.EUR", "EURUSD", "ES:20241220", "SPY   240621C00500000", "X:BOND:5"],
    "currency": ["USD", "CNH"],
    "exec_id": ["x", "0001f4e8.65f0a.01.01", "a.999999999"],
    "order_ref": ["", "日本", "x" * 200],
    "perm_id": [-1, 2**63 - 1],
    "order_id": [-5, 2**31],
    "exchange": ["", "IBKRATS"],
}
POISON = {
    "quantity": [D(-5), D("1e300"), D("1e-300"), D("inf"), D("nan"), D("sNaN"), D("1.7976931348623157E308")],
    "price": [D("1e308"), D("-1e308"), D("1e-300"), D("inf"), D("-inf"), D("nan")],
    "multiplier": [D(0), D(-1), D("1e308"), D("1e-300"), D("inf"), D("nan")],
    "time": [-1, NOW + 32 * DAY, 253_402_300_799 * SECOND, -62_135_596_800 * SECOND, 2**63, 2**70],
    "account": ["", "a/b", "../x", "日本", "x\n", "a" * 300, "*<>", "\ud800"],
    "instrument": ["", "x" * 300, "日本", "A\nB", "*<>", ".x", ":x", "\ud800"],
    "currency": ["", "US\n", "usd", "x" * 300, "日本"],
    "exec_id": ["", "a.99999999999999999999", "1" * 20, "x" * 5000, "日本\n", "a.²", "a b", "\ud800"],
    "order_ref": ["x" * 5000, "\ud800"],
    "exchange": ["x" * 5000, "\ud800"],
    "perm_id": [2**63, 2**64, -(2**63) - 1],
    "client_id": [2**63, -(2**70)],
    "order_id": [2**63, -(2**70)],
    "cumulative_quantity": [D("1e308"), D("inf"), D("nan")],
    "average_price": [D("-1e308"), D("inf")],
}


def each(table):
    return [pytest.param(field, value, id=f"{field}={value!r:.40}") for field in table for value in table[field]]


@pytest.mark.parametrize(("field", "value"), each(ORDINARY))
def test_an_ordinary_execution_passes(field, value):
    assert execution_fault(replace(EXECUTION, **{field: value}), NOW) == ""


@pytest.mark.parametrize(("field", "value"), each(POISON))
def test_a_field_at_an_extreme_is_refused_with_a_sentence_that_can_be_stored(field, value):
    fault = execution_fault(replace(EXECUTION, **{field: value}), NOW)
    assert fault
    assert len(fault.encode(errors="backslashreplace")) < 300


def test_what_is_only_strange_can_be_booked_by_an_operator():
    strange = replace(EXECUTION, price=D("2e9"), quantity=D("2e12"), time=NOW + 100 * DAY)
    assert execution_fault(strange, NOW)
    assert execution_fault(strange, NOW, POSSIBLE) == ""
    assert "multiplier 0 is not above zero" in execution_fault(replace(strange, multiplier=D(0)), NOW, POSSIBLE)


@pytest.mark.parametrize("amount", ["nan", "inf", "-inf", "1e308", "-1e308", "1e-300"])
def test_a_commission_is_a_finite_cost(amount):
    cost = Commission(exec_id="a.01", amount=D("-0.25"), currency="USD")
    assert commission_fault(cost) == ""
    assert "amount" in commission_fault(replace(cost, amount=D(amount)))
    assert commission_fault(replace(cost, currency=""))
    assert commission_fault(replace(cost, exec_id="\ud800"))


def test_a_position_and_a_value_of_an_account_are_of_a_size_that_there_is():
    held = BrokerPosition(account="DU1", instrument="SPY", quantity=D(-5), average_cost=D(100))
    assert position_fault(held) == ""
    for field, value in (("quantity", D("1e308")), ("average_cost", D("inf")), ("account", ""), ("multiplier", D(0))):
        assert position_fault(replace(held, **{field: value}))
    value = AccountValue(account="DU1", tag="NetLiquidation", value="1000000.00", currency="USD")
    assert [value_fault(replace(value, currency=code)) for code in ("USD", "BASE", "")] == ["", "", ""]
    assert value_fault(replace(value, value="1e308"))
    assert value_fault(replace(value, currency="'; DROP"))


def test_measured_prices_are_finite_and_moments_are_not_far_ahead():
    assert is_price(1.0, -37.63, 0.0)
    assert not any(is_price(bad) for bad in (float("nan"), float("inf"), -float("inf"), 1e308))
    assert is_moment(NOW + 300 * DAY, NOW)
    assert not is_moment(4_102_444_800 * SECOND, NOW)
    assert not is_moment(-5, NOW)
