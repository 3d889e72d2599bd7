"""The newest facts in memory answer like all facts, but that an execution beyond the bound counts as new."""

import pytest
from msgspec.structs import replace

from mats.ledger.fill_log.recent_facts import RecentFacts
from mats.model.executions import FillRecorded
from tests.ledger.test_booking import Known, an_execution, cost


@pytest.fixture
def known():
    return Known({"i1": "trend"})


@pytest.fixture
def recent(known):
    return RecentFacts(known, 2)


def book(known, recent, *exec_ids, commissions=()):
    entries = known.report([an_execution(exec_id) for exec_id in exec_ids], commissions).entries
    recent.extend(entries)
    return entries


def test_the_newest_executions_are_known_without_a_look_at_all_facts(known, recent):
    *_, fill = book(known, recent, "a.01", "b.01")
    known.entries.clear()
    assert recent.latest_execution("DU1", "b") == recent.find_execution("b.01") == fill
    assert not recent.has_commission("b.01")
    assert recent.booked_commission("b.01") is None


def test_a_commission_of_a_remembered_execution_is_known_with_its_last_amount(known, recent):
    book(known, recent, "a.01", commissions=[cost("a.01")])
    book(known, recent, commissions=[cost("a.01", "2.00")])
    known.entries.clear()
    assert recent.has_commission("a.01")
    assert recent.booked_commission("a.01") == cost("a.01", "2.00")


def test_no_more_than_the_bound_is_remembered(known, recent):
    for n in range(50):
        book(known, recent, f"x{n}.01", commissions=[cost(f"x{n}.01")])
        known.intents[f"j{n}"] = "trend"
        assert recent.strategy_of(f"j{n}") == "trend"
    assert len(recent) == 2
    assert recent.latest_execution("DU1", "x47") is None
    assert {len(kept) for kept in (recent._latest, recent._fills, recent._charges, recent._strategies)} == {2}


def test_beyond_the_bound_commissions_are_looked_up_among_all_facts(known, recent):
    fill, *_ = book(known, recent, "a.01", "b.01", "c.01", commissions=[cost("a.01")])
    assert recent.latest_execution("DU1", "a") is None, "as far as is known here it is new"
    assert recent.find_execution("a.01") == fill
    assert recent.has_commission("a.01")
    assert recent.booked_commission("a.01") == cost("a.01")


def test_one_id_in_three_accounts_leaves_nothing_behind(recent):
    for seq, account in enumerate(("DU1", "DU2", "DU3"), 1):
        execution = replace(an_execution("a.01"), account=account)
        recent.extend([FillRecorded(seq=seq, strategy="trend", intent_id="i1", execution=execution, recorded=0)])
    assert recent.latest_execution("DU1", "a") is None
    assert recent.latest_execution("DU3", "a") is not None
    assert len(recent._latest) == 2


def test_only_the_execution_of_a_held_commission_is_looked_up_among_them(known, monkeypatch):
    known.early["a.01"] = cost("a.01")
    recent, asked = RecentFacts(known, 2), []
    monkeypatch.setattr(known, "early_commission", lambda exec_id: asked.append(exec_id) or known.early.get(exec_id))
    recent.hold(cost("b.01"))
    assert recent.early_commission("a.01") == cost("a.01")
    assert recent.early_commission("b.01") is recent.early_commission("c.01") is None
    assert asked == ["a.01", "b.01"]
    book(known, recent, "a.01", commissions=[cost("a.01")])
    assert recent.early_commission("a.01") is None
    assert asked[2:].count("a.01") == 1, "the booking looks it up; then it is held no more"
