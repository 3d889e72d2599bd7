"""From reports to entries: each fact once, attributed; costs with their fill, corrections behind what they correct."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.ledger.fill_log.booking import book_reports, in_broker_order
from mats.model.executions import Commission, CommissionRecorded, Execution, FillCorrected, FillRecorded
from mats.model.orders import DISCRETIONARY, Side

D = Decimal
NOW = 7


def an_execution(exec_id):
    return Execution(
        account="DU1", exec_id=exec_id, instrument="SPY", side=Side.BUY, quantity=D(10), price=D(100), time=0,
        order_ref="trend:i1",
    )  # fmt: skip


class Known:
    """What a journal knows, in memory: feed it the entries that were booked and the commissions that are held."""

    def __init__(self, intents=()):
        self.entries, self.early = [], {}
        self.intents = dict(intents)
        self.perms = {}
        self.rates = {"USD": D(1)}

    def latest_execution(self, account, family):
        revisions = [e for e in self._fills() if (e.execution.account, e.execution.family) == (account, family)]
        return max(revisions, key=lambda e: e.execution.revision, default=None)

    def find_execution(self, exec_id):
        return next((e for e in self._fills() if e.execution.exec_id == exec_id), None)

    def has_commission(self, exec_id):
        return any(isinstance(e, CommissionRecorded) and e.commission.exec_id == exec_id for e in self.entries)

    def booked_commission(self, exec_id):
        booked = [e.commission for e in self.entries if isinstance(e, CommissionRecorded)]
        return next((c for c in reversed(booked) if c.exec_id == exec_id), None)

    def early_commission(self, exec_id):
        return self.early.get(exec_id)

    def held_commissions(self):
        return frozenset(self.early)

    def strategy_of(self, intent_id):
        return self.intents.get(intent_id)

    def intent_by_perm_id(self, perm_id):
        return self.perms.get(perm_id)

    def report(self, executions=(), commissions=()):
        """Book, and take in what was booked, as the fill log does."""
        booked = book_reports(executions, commissions, self, len(self.entries) + 1, NOW, self.rates.get)
        for commission in booked.held:
            self.early[commission.exec_id] = commission
        self.entries += booked.entries
        for entry in booked.entries:
            if isinstance(entry, CommissionRecorded):
                self.early.pop(entry.commission.exec_id, None)
        return booked

    def _fills(self):
        return [e for e in self.entries if isinstance(e, FillRecorded | FillCorrected)]


def cost(exec_id, amount="1.00"):
    return Commission(exec_id=exec_id, amount=D(amount), currency="USD")


@pytest.fixture
def known():
    return Known({"i1": "trend"})


@pytest.fixture
def fill(execution):
    def make(exec_id, quantity="10", price="100", ref="trend:i1", **changes):
        return replace(execution(exec_id, quantity, price, order_ref=ref), **changes)

    return make


def test_a_fill_is_booked_to_the_strategy_of_its_intent(known, fill):
    booked = known.report([fill("a.01")])
    expected = FillRecorded(seq=1, strategy="trend", intent_id="i1", execution=fill("a.01"), recorded=NOW, rate=D(1))
    assert booked.entries == (expected,)
    assert booked.notes == ()


def test_what_no_intent_caused_is_discretionary_and_a_person_is_told_why(known, fill):
    booked = known.report([fill("a.01", ref="")])
    assert (booked.entries[0].strategy, booked.entries[0].intent_id) == (DISCRETIONARY, "")
    assert booked.notes == ("execution a.01 is booked to Discretionary: it has no orderRef: an order placed elsewhere",)


def test_a_blank_reference_is_found_again_by_its_perm_id(known, fill):
    known.perms[77] = "i1"
    assert known.report([fill("a.01", ref="", perm_id=77)]).entries[0].strategy == "trend"


def test_entries_are_numbered_without_a_gap_from_the_next_one(known, fill):
    booked = book_reports([fill("a.01"), fill("b.01")], [cost("a.01"), cost("b.01")], known, 41, NOW, known.rates.get)
    assert [entry.seq for entry in booked.entries] == [41, 42, 43, 44]


def test_the_same_execution_twice_in_one_batch_is_booked_once(known, fill):
    assert len(known.report([fill("a.01"), fill("a.01")]).entries) == 1


def test_one_execution_id_in_two_accounts_is_two_executions(known, fill):
    assert len(known.report([fill("a.01"), fill("a.01", account="DU2")]).entries) == 2


def test_a_duplicate_with_another_price_changes_nothing_but_is_told(known, fill):
    known.report([fill("a.01")])
    booked = known.report([fill("a.01", price="101")])
    assert booked.entries == ()
    assert booked.notes == ("execution a.01 was reported again with different values: price 101, booked 100",)


def test_a_correction_replaces_the_booked_revision_and_stays_with_its_strategy(known, fill):
    known.report([fill("a.01")])
    (entry,) = known.report([fill("a.02", quantity="7", ref="")]).entries
    assert isinstance(entry, FillCorrected)
    assert (entry.previous.exec_id, entry.execution.exec_id) == ("a.01", "a.02")
    assert (entry.strategy, entry.intent_id) == ("trend", "i1")


def test_execution_and_correction_in_one_batch_are_both_booked(known, fill):
    first, second = known.report([fill("a.01"), fill("a.02", quantity="7")]).entries
    assert isinstance(first, FillRecorded)
    assert second.previous == first.execution


def test_an_older_revision_after_a_newer_one_changes_nothing(known, fill):
    known.report([fill("a.02")])
    assert known.report([fill("a.01")]).entries == ()


def test_a_replay_is_put_in_the_order_in_which_it_happened(fill):
    late = fill("late.01", time=5, perm_id=1, cumulative_quantity=D(30))
    part = fill("part.01", time=5, perm_id=1, cumulative_quantity=D(10))
    other = fill("other.01", time=5, perm_id=2, cumulative_quantity=D(5))
    early = fill("early.01", time=4, perm_id=9, cumulative_quantity=D(99))
    assert in_broker_order([late, other, part, early]) == [early, part, late, other]


@pytest.mark.parametrize("time", [4, 5, 6])
def test_a_correction_with_a_smaller_sum_or_another_time_still_follows_what_it_corrects(known, fill, time):
    first = fill("a.01", time=5, cumulative_quantity=D(10))
    corrected = fill("a.02", quantity="7", time=time, cumulative_quantity=D(7))
    assert in_broker_order([corrected, first]) == [first, corrected]
    assert len(known.report(in_broker_order([corrected, first])).entries) == 2


def test_a_commission_follows_its_fill_and_names_it(known, fill):
    _, charge = known.report([fill("a.01")], [cost("a.01", "1.25")]).entries
    assert (charge.strategy, charge.intent_id, charge.execution) == ("trend", "i1", fill("a.01"))
    assert charge.commission.amount == D("1.25")


def test_a_late_commission_finds_its_fill_in_the_log(known, fill):
    known.report([fill("a.01")])
    (charge,) = known.report(commissions=[cost("a.01")]).entries
    assert (charge.seq, charge.execution.exec_id) == (2, "a.01")


def test_a_commission_is_booked_once_however_often_it_comes(known, fill):
    known.report([fill("a.01")], [cost("a.01"), cost("a.01")])
    known.report(commissions=[cost("a.01")])
    assert [type(entry) for entry in known.entries] == [FillRecorded, CommissionRecorded]


def test_an_early_commission_is_held_and_booked_right_behind_its_fill(known, fill):
    booked = known.report(commissions=[cost("a.01", "0.35"), cost("a.01", "0.35")])
    assert (booked.entries, booked.held) == ((), (cost("a.01", "0.35"),))
    fills = known.report([fill("a.01"), fill("b.01")], [cost("a.01", "0.35")]).entries
    assert [(e.seq, type(e)) for e in fills] == [(1, FillRecorded), (2, CommissionRecorded), (3, FillRecorded)]
    assert known.early == {}


def test_the_commission_of_a_correction_is_charged_for_the_correction(known, fill):
    known.report([fill("a.01")], [cost("a.01")])
    _, charge = known.report([fill("a.02", quantity="7")], [cost("a.02", "0.70")]).entries
    assert (charge.execution.exec_id, charge.execution.quantity) == ("a.02", D(7))


def test_a_commission_that_comes_after_the_correction_belongs_to_the_revision_it_names(known, fill):
    known.report([fill("a.01"), fill("a.02", quantity="7")])
    (charge,) = known.report(commissions=[cost("a.01")]).entries
    assert charge.execution.exec_id == "a.01"


@st.composite
def broken_up(draw):
    """Facts of one day, reported in any order, in any number of batches, any of them several times."""
    families = draw(st.integers(1, 4))
    facts = [("fill", f"{f}.{r:02d}") for f in range(families) for r in range(1, draw(st.integers(1, 3)) + 1)]
    facts += [("cost", exec_id) for _, exec_id in facts]
    reports = draw(st.permutations(facts + draw(st.lists(st.sampled_from(facts), max_size=6))))
    cuts = sorted(draw(st.lists(st.integers(0, len(reports)), max_size=4)))
    return facts, [reports[a:b] for a, b in zip([0, *cuts], [*cuts, len(reports)], strict=True)]


@settings(max_examples=200)
@given(story=broken_up())
def test_however_a_day_is_reported_the_newest_revisions_and_each_cost_are_booked_once(story):
    facts, batches = story
    known = Known({"i1": "trend"})
    for batch in batches:
        known.report(
            [an_execution(exec_id) for kind, exec_id in batch if kind == "fill"],
            [cost(exec_id) for kind, exec_id in batch if kind == "cost"],
        )
    booked = [e.execution for e in known._fills()]
    assert [e.seq for e in known.entries] == list(range(1, len(known.entries) + 1))
    assert len({e.exec_id for e in booked}) == len(booked)
    newest = {exec_id.partition(".")[0]: exec_id for kind, exec_id in sorted(facts) if kind == "fill"}
    for family, exec_id in newest.items():
        assert known.latest_execution("DU1", family).execution.exec_id == exec_id
    charged = [e.commission.exec_id for e in known.entries if isinstance(e, CommissionRecorded)]
    assert sorted(charged) == sorted(e.exec_id for e in booked)


def test_every_entry_keeps_the_rate_of_its_currency_at_booking(known, fill):
    known.rates["EUR"] = D("1.08")
    known.report([fill("a.01", currency="EUR")], [cost("a.01")])
    known.rates["EUR"] = D("1.09")
    known.report([fill("b.01", currency="EUR"), fill("c.01")])
    assert [entry.rate for entry in known.entries] == [D("1.08"), D(1), D("1.09"), D(1)]


def test_a_rate_that_is_not_known_is_booked_as_not_known(known, fill):
    (entry,) = known.report([fill("a.01", currency="CHF")]).entries
    assert entry.rate is None


def test_a_correction_keeps_the_rate_of_what_it_corrects_unless_that_was_unknown(known, fill):
    known.report([fill("a.01", currency="EUR"), fill("b.01")])
    known.rates |= {"EUR": D("1.08"), "USD": D("0.99")}
    corrected = known.report([fill("a.02", "9", currency="EUR"), fill("b.02", "9")]).entries
    assert [entry.rate for entry in corrected] == [D("1.08"), D(1)]


def test_a_commission_that_comes_again_with_another_amount_is_booked_as_what_holds(known, fill):
    known.report([fill("a.01")], [cost("a.01", "1.00")])
    booked = known.report(commissions=[cost("a.01", "1.25")])
    (entry,) = booked.entries
    assert (entry.commission.amount, entry.previous.amount) == (D("1.25"), D("1.00"))
    assert booked.notes == (
        "the commission of execution a.01 was reported again: 1.25 USD instead of 1.00 USD is booked",
    )
    assert known.report(commissions=[cost("a.01", "1.25")]).entries == ()


def test_a_commission_whose_entry_has_left_the_log_is_not_booked_again(known, fill):
    known.report([fill("a.01")], [cost("a.01", "1.00")])
    known.booked_commission = lambda exec_id: None
    assert known.report(commissions=[cost("a.01", "1.25")]).entries == ()
