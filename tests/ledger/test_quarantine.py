"""What a stage makes of entries that refer to one which it has set aside, and how an item becomes a fact again."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.ledger.books import Books, refold
from mats.ledger.quarantine import (
    CorrectionError,
    SetAside,
    as_text,
    as_text_fields,
    commission_of,
    execution_of,
    replacement,
    voiding,
)
from mats.model import SECOND, Commission, CommissionRecorded, Execution, FillCorrected, FillRecorded, Side

D = Decimal
NOW = 1_700_000_000 * SECOND

GOOD = Execution(account="DU1", exec_id="a.01", instrument="SPY", side=Side.BUY, quantity=D(10), price=D(100), time=NOW)
POISON = replace(GOOD, multiplier=D(0))
COST = Commission(exec_id="a.01", amount=D(1), currency="USD")


def fill(seq, execution, cls=FillRecorded, **more):
    return cls(seq=seq, strategy="trend", intent_id="i1", execution=execution, recorded=NOW, rate=D(1), **more)


BEFORE = fill(1, replace(GOOD, exec_id="z.01", quantity=D(5)))
ENTRY = fill(2, POISON)
CHARGE = fill(3, POISON, CommissionRecorded, commission=COST)


@pytest.fixture
def aside():
    return SetAside((ENTRY,))


def test_the_entry_and_its_commission_are_left_out_and_all_others_are_taken(aside):
    assert aside.without([BEFORE, ENTRY, CHARGE]) == [BEFORE]
    assert SetAside(()).without([BEFORE, ENTRY, CHARGE]) == [BEFORE, ENTRY, CHARGE]


def test_a_later_report_of_the_broker_is_the_first_one_here(aside):
    later = replace(GOOD, exec_id="a.02", price=D(101))
    assert aside.take(fill(4, later, FillCorrected, previous=POISON)) == fill(4, later)
    bust = fill(4, replace(later, quantity=D(0)), FillCorrected, previous=POISON)
    assert aside.take(bust) is None, "it takes back what was never here"


def books_of(entries):
    books = Books(
        lambda *key: [e for e in entries if (e.execution.account, e.strategy, e.execution.instrument) == key[:3]]
    )
    for entry in entries:
        books.seq = entry.seq - 1
        books.apply(entry)
    return books.get("DU1", "trend", "SPY")


@pytest.mark.parametrize("fixed", [GOOD, replace(GOOD, price=D("99.5"))])
def test_after_a_replacement_the_stage_that_had_the_entry_and_the_one_that_had_not_hold_the_same(aside, fixed):
    log = [BEFORE, fill(2, replace(POISON, multiplier=D(2)))]
    out = SetAside((log[1],))
    log.append(fill(3, log[1].execution, CommissionRecorded, commission=COST))
    log += replacement(log[1], fixed, COST, 4, NOW, D(1))
    expected = refold([BEFORE, fill(2, fixed), fill(3, fixed, CommissionRecorded, commission=COST)])
    for book in (books_of(log), books_of(out.without(log))):
        for figure in ("quantity", "cost", "realized", "commissions", "multiplier"):
            assert getattr(book, figure) == getattr(expected, figure), figure


def test_after_it_was_dropped_neither_holds_anything_of_it():
    log = [BEFORE, fill(2, replace(POISON, multiplier=D(2)))]
    out = SetAside((log[1],))
    log += voiding(log[1], 3, NOW)
    assert books_of(log).quantity == books_of(out.without(log)).quantity == D(5)


def test_in_another_account_it_is_taken_back_and_booked_there(aside):
    moved = replace(GOOD, account="DU2")
    void, first = replacement(ENTRY, moved, None, 3, NOW, D(1))
    assert (void.execution.quantity, void.previous, void.seq) == (D(0), POISON, 3)
    assert (first.execution, first.seq) == (moved, 4)
    assert aside.without([void, first]) == [first]


# Text and back


@pytest.mark.parametrize(
    "execution", [GOOD, POISON, replace(GOOD, order_ref="日本:x", price=D("-37.63"), side=Side.SELL)]
)
def test_the_fields_of_an_execution_make_it_again(execution):
    assert execution_of(as_text_fields(execution), {}) == execution
    assert commission_of(as_text_fields(COST), {}) == COST


def test_what_an_operator_gives_replaces_the_field():
    fields = as_text_fields(replace(POISON, time=253_402_300_799 * SECOND))
    made = execution_of(fields, {"multiplier": "1", "time": "2023-11-14T22:13:20Z"})
    assert made == GOOD


@pytest.mark.parametrize(
    ("corrections", "sentence"),
    [
        ({"prize": "1"}, "prize is no field"),
        ({"price": "abc"}, "price"),
        ({"side": "HOLD"}, "side"),
        ({"time": "2023-11-14T22:13:20"}, "has no zone"),
        ({"time": "soon"}, "cannot be read"),
        ({"perm_id": "1.5"}, "perm_id"),
    ],
)
def test_what_makes_no_fact_is_refused_with_the_field(corrections, sentence):
    with pytest.raises(CorrectionError, match=sentence):
        execution_of(as_text_fields(GOOD), corrections)


def test_text_that_cannot_be_stored_is_escaped_and_what_is_endless_is_cut():
    assert as_text("a\ud800") == "a\\ud800"
    assert len(as_text("x" * 1_000_000)) < 11_000
