"""Execution ids: families, revisions; and entries that survive being written."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mats.model.executions import (
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
)
from mats.model.orders import Side

NUMBERS = st.decimals("0", "1e9", places=6)


def an_execution(exec_id="0000e0d5.6542f1e3.01.01", side=Side.BUY, quantity=Decimal(3), price=Decimal("1.10")):
    return Execution(
        account="DU1", exec_id=exec_id, instrument="SPY", side=side, quantity=quantity, price=price, time=1
    )


@pytest.mark.parametrize(
    ("exec_id", "family", "revision"),
    [
        ("0000e0d5.6542f1e3.01.01", "0000e0d5.6542f1e3.01", 1),
        ("0000e0d5.6542f1e3.01.10", "0000e0d5.6542f1e3.01", 10),
        ("abc", "abc", 0),
        ("abc.x1", "abc.x1", 0),
        ("abc.", "abc.", 0),
        ("abc.²", "abc.²", 0),
        ("", "", 0),
    ],
)
def test_the_last_segment_counts_revisions_of_a_family(exec_id, family, revision):
    assert (an_execution(exec_id).family, an_execution(exec_id).revision) == (family, revision)


@given(st.text(max_size=12))
def test_every_id_has_a_family_and_a_revision(exec_id):
    execution = an_execution(exec_id)
    assert exec_id.startswith(execution.family)
    assert execution.revision >= 0


def test_what_is_sold_counts_negative():
    assert an_execution(side=Side.SELL).signed_quantity == Decimal(-3)
    assert an_execution().signed_quantity == Decimal(3)


@given(quantity=NUMBERS, price=NUMBERS, text=st.text(max_size=5))
def test_an_entry_of_any_kind_comes_back_equal_and_of_its_kind(quantity, price, text):
    execution = an_execution(quantity=quantity, price=price)
    named = {"seq": 1, "strategy": "trend", "recorded": 2}
    commission = Commission(exec_id=execution.exec_id, amount=price, currency="USD")
    entries = [
        FillRecorded(**named, intent_id=text, execution=execution),
        FillCorrected(**named, intent_id=text, execution=execution, previous=an_execution(exec_id=text)),
        CommissionRecorded(**named, intent_id=text, execution=execution, commission=commission),
        AdjustmentRecorded(
            **named, account="DU1", instrument="SPY", quantity=-quantity, price=price, currency="USD",
            multiplier=Decimal(1), reason=text,
        ),
    ]  # fmt: skip
    for entry in entries:
        back = msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=Entry)
        assert (back, type(back), repr(back)) == (entry, type(entry), repr(entry))
