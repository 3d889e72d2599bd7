"""Which strategy an execution belongs to, and what a repeated report of it is."""

from msgspec.structs import replace

from mats.ledger.fill_log.attribution import (
    CorrectedExecution,
    DuplicateExecution,
    NewExecution,
    StaleExecution,
    attribute,
)
from mats.model.orders import DISCRETIONARY

INTENTS = {"a1-1": "trend", "a1-2": "revert"}
PERM_IDS = {77: "a1-1"}


def decide(execution, booked=None):
    return attribute(execution, booked, INTENTS.get, PERM_IDS.get)


def test_an_order_ref_of_a_journaled_intent_names_its_strategy(execution):
    assert decide(execution("e.01", "10", "1", order_ref="trend:a1-1")) == NewExecution("trend", "a1-1")


def test_an_intent_the_journal_does_not_have_is_discretionary(execution):
    found = decide(execution("e.01", "10", "1", order_ref="trend:zz-9"))
    assert (found.strategy, found.intent_id) == (DISCRETIONARY, "")
    assert "zz-9" in found.reason


def test_a_foreign_order_ref_is_discretionary(execution):
    assert decide(execution("e.01", "10", "1", order_ref="my own note")).strategy == DISCRETIONARY


def test_a_manual_execution_without_order_ref_is_discretionary(execution):
    assert decide(execution("e.01", "10", "1")).strategy == DISCRETIONARY


def test_an_order_ref_that_names_anothers_intent_is_not_guessed_at(execution):
    found = decide(execution("e.01", "10", "1", order_ref="trend:a1-2"))
    assert found.strategy == DISCRETIONARY
    assert "revert" in found.reason


def test_a_blank_order_ref_falls_back_to_the_perm_id_and_never_to_zero(execution):
    blank = execution("e.01", "10", "1")
    assert decide(replace(blank, perm_id=77)) == NewExecution("trend", "a1-1")
    assert attribute(blank, None, INTENTS.get, {0: "a1-1"}.get).strategy == DISCRETIONARY


def test_the_same_revision_is_a_duplicate(log, execution):
    booked = log.fill("10", "1", exec_id="0001.02.01")
    assert decide(execution("0001.02.01", "10", "1"), booked) == DuplicateExecution()


def test_a_duplicate_with_other_figures_says_what_differs(log, execution):
    booked = log.fill("10", "1", exec_id="0001.02.01")
    assert decide(execution("0001.02.01", "11", "1"), booked) == DuplicateExecution("quantity 11, booked 10")


def test_a_higher_revision_corrects_and_stays_with_its_strategy(log, execution):
    booked = log.fill("10", "1", exec_id="0001.02.01")
    found = decide(execution("0001.02.02", "9", "1", order_ref="revert:a1-2"), booked)
    assert found == CorrectedExecution("trend", "", booked.execution)


def test_revisions_compare_as_numbers(log, execution):
    booked = log.fill("10", "1", exec_id="0001.02.9")
    assert isinstance(decide(execution("0001.02.10", "9", "1"), booked), CorrectedExecution)


def test_a_lower_revision_after_its_correction_is_stale(log, execution):
    fixed = log.correct(log.fill("10", "1", exec_id="0001.02.01"), "9", "1")
    assert decide(execution("0001.02.01", "10", "1"), fixed) == StaleExecution(fixed.execution)


def test_ids_that_do_not_end_in_digits_are_executions_of_their_own(execution):
    one, other = execution("abc.x", "1", "1"), execution("abc.y", "1", "1")
    assert one.family != other.family
