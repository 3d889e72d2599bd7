"""Breaks in the journal: as they stand, and as they ended."""

from decimal import Decimal

from msgspec.structs import replace

from mats.ledger.reconciliation.break_causes import (
    ExerciseCause,
    ExpiryCause,
    Residual,
    SplitCause,
    SymbolChangeCause,
)
from mats.ledger.reconciliation.breaks import MAX_PROOF_LINES, Agreement, Break, BreakState, Holder, Proof, proof_line
from mats.model.timestamp import SECOND
from mats.store.journal.journal import Journal

D = Decimal


def a_break(first_seen, **more):
    return Break(
        account="DU1",
        instrument="SPY",
        expected=D("0.10"),
        broker=D(7),
        first_seen=first_seen * SECOND,
        first_seq=3,
        seq=4,
        **more,
    )


def test_a_break_comes_back_equal_with_its_proof_and_its_answer(journal, make):
    adjustment = proof_line(make.fill(1, make.execution(1)))
    proof = Proof(
        time=5, start=D(1), lines=(adjustment,), holders=(Holder("ema", D("0.10"), 4),), average_cost=D("1.50")
    )
    suspects = (SplitCause("SPY", 7, 1), SymbolChangeCause("SPY", "SPX"), ExpiryCause("SPY", D(2)), Residual())
    exercise = ExerciseCause("SPY  140613C00645000", "SPY", D(-1), D(-100), D(645))
    known = a_break(
        9,
        agreed=Agreement(1, 2, D("0.10"), D("1.50")),
        comparisons=2,
        state=BreakState.QUESTION,
        proof=proof,
        suspects=(*suspects, exercise),
        answer=suspects[0],
    )
    journal.save_break(known)
    again = Journal(journal.path)
    assert again.open_breaks() == [known]
    assert str(again.open_breaks()[0].expected) == "0.10"
    again.close()


def test_a_break_has_one_row_from_its_beginning_to_its_end(journal):
    for first_seen in (1, 2, 3):
        journal.save_break(a_break(first_seen))
    journal.save_break(replace(a_break(1), state=BreakState.SETTLED, resolved=10))
    journal.save_break(replace(a_break(3), state=BreakState.ADJUSTED, resolved=20))
    assert [found.first_seen // SECOND for found in journal.open_breaks()] == [2]
    assert [found.first_seen // SECOND for found in journal.past_breaks(5)] == [3, 1]
    assert [found.first_seen // SECOND for found in journal.past_breaks(1)] == [3]
    assert journal.counts()["breaks"] == 3


def test_of_a_long_history_a_proof_gets_the_newest_entries_in_order(journal, make):
    count = 3 * MAX_PROOF_LINES
    journal.append([make.fill(n, make.execution(n)) for n in range(1, count + 1)])
    first = journal.entries(0, 1)[0]
    key = (first.execution.account, first.strategy, first.execution.instrument)
    assert [entry.seq for entry in journal.newest_entries(key, 0)] == list(range(MAX_PROOF_LINES + 1, count + 1))
    assert [entry.seq for entry in journal.newest_entries(key, count - 2)] == [count - 1, count]


def test_whether_an_instrument_moved_since_counts_every_strategy_and_no_other_instrument(journal, make):
    journal.append([make.fill(1, make.execution(1))])
    first = journal.entries(0, 1)[0].execution
    assert journal.moved_since((first.account, first.instrument), 0)
    assert not journal.moved_since((first.account, first.instrument), 1)
    assert not journal.moved_since((first.account, "NONE"), 0)
    assert not journal.moved_since(("NONE", first.instrument), 0)
