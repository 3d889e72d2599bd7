"""Positions by the log and the rest of orders: together they are the exposure, at every instant."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.executions import (
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Execution,
    FillCorrected,
    FillRecorded,
)
from mats.model.orders import OrderIntent, OrderState, OrderTicket, OrderView, Side
from mats.model.timestamp import SECOND
from mats.risk.exposure import Exposure, RiskState

D = Decimal


def a_view(
    quantity=100, filled=0, applied=0, state=OrderState.WORKING, side=Side.BUY, intent="a1-1", strategy="trend",
    instrument="SPY",
):  # fmt: skip
    return OrderView(
        intent_id=intent,
        strategy=strategy,
        account="DU1",
        instrument=instrument,
        side=side,
        quantity=D(quantity),
        ticket=OrderTicket(),
        state=state,
        filled=D(filled),
        applied=applied,
    )


def a_fill(seq, quantity, side=Side.BUY, intent="a1-1", strategy="trend"):
    execution = Execution(
        account="DU1", exec_id=f"e{seq}.01", instrument="SPY", side=side, quantity=D(quantity), price=D(10), time=0
    )
    return FillRecorded(seq=seq, strategy=strategy, intent_id=intent, execution=execution, recorded=0)


def exposure(state, strategy="trend", without=""):
    return state.exposure("DU1", "SPY", strategy, without)


def test_an_approved_order_counts_before_anyone_answers():
    state = RiskState()
    state.observe(a_view(state=OrderState.PENDING))
    assert exposure(state) == Exposure(D(0), D(100), D(0))


def test_a_view_ahead_of_the_log_waits_for_the_fill():
    state = RiskState()
    state.observe(a_view())
    state.observe(a_view(filled=40, applied=1))
    assert exposure(state) == Exposure(D(0), D(100), D(0))
    assert state.order("a1-1").filled == D(40)
    state.apply(a_fill(1, 40))
    assert exposure(state) == Exposure(D(40), D(60), D(0))


def test_a_finished_order_counts_until_its_last_fill_is_in():
    state = RiskState()
    state.observe(a_view())
    state.observe(a_view(filled=100, applied=2, state=OrderState.FILLED))
    state.apply(a_fill(1, 40))
    assert exposure(state) == Exposure(D(40), D(60), D(0))
    state.apply(a_fill(2, 60))
    assert exposure(state) == Exposure(D(100), D(0), D(0))


def test_an_older_view_does_not_take_a_fill_back():
    state = RiskState()
    state.observe(a_view())
    state.apply(a_fill(1, 40))
    state.observe(a_view(state=OrderState.CANCELLING))
    assert exposure(state) == Exposure(D(40), D(60), D(0))


def test_a_view_with_the_entries_that_are_known_counts_as_it_says():
    state = RiskState()
    state.observe(a_view(filled=10))
    state.observe(a_view(filled=40))
    assert exposure(state).buying == D(60)


def test_an_order_that_ended_ahead_of_the_log_counts_no_more_when_its_fill_is_in():
    state = RiskState()
    state.observe(a_view())
    state.observe(a_view(filled=40, applied=1, state=OrderState.CANCELLED))
    state.apply(a_fill(1, 40))
    assert exposure(state) == Exposure(D(40), D(0), D(0))


def test_what_fills_beyond_its_quantity_hides_nothing_that_other_orders_may_still_trade():
    state = RiskState()
    state.observe(a_view(quantity=100))
    state.observe(a_view(quantity=30, intent="a1-2"))
    state.apply(a_fill(1, 120))
    assert exposure(state) == Exposure(D(120), D(30), D(0))


def test_unknown_orders_count_and_are_named():
    state = RiskState()
    state.observe(a_view(state=OrderState.UNKNOWN))
    assert exposure(state).buying == D(100)
    assert state.unknown_order("trend", "SPY").intent_id == "a1-1"
    assert state.unknown_order("revert", "SPY") is None
    state.observe(a_view(state=OrderState.REJECTED))
    assert state.unknown_order("trend", "SPY") is None
    assert exposure(state).buying == 0


def test_an_unknown_order_speaks_for_itself_and_not_for_its_siblings():
    state = RiskState()
    intent = OrderIntent(
        intent_id="a1-1", strategy="trend", account="DU1", instrument=parse_instrument("SPY"), side=Side.BUY,
        quantity=D(10), ticket=OrderTicket(), time=0,
    )  # fmt: skip
    state.approve(intent, state.positions["DU1", "SPY"], 0)
    state.observe(a_view(intent="a1-2"))
    state.observe(a_view(intent="a1-3", instrument="QQQ", state=OrderState.UNKNOWN))
    assert state.unknown_order("trend", "SPY") is None
    assert state.unknown_order("trend", "QQQ").intent_id == "a1-3"


def test_an_order_is_unknown_where_the_log_has_yet_to_reach_its_view():
    state = RiskState()
    state.observe(a_view(filled=40, applied=1, state=OrderState.UNKNOWN))
    assert state.unknown_order("trend", "SPY").intent_id == "a1-1"
    state.apply(a_fill(1, 40))
    assert state.unknown_order("trend", "SPY").intent_id == "a1-1"
    state.observe(a_view(filled=40, applied=1))
    assert state.unknown_order("trend", "SPY") is None


def test_the_account_sums_its_strategies():
    state = RiskState()
    state.apply(a_fill(1, 100))
    state.apply(a_fill(2, 70, Side.SELL, "a1-2", "revert"))
    state.observe(a_view(side=Side.SELL, intent="a1-3", strategy="revert", quantity=30))
    assert state.exposure("DU1", "SPY") == Exposure(D(30), D(0), D(30))
    assert exposure(state, "revert") == Exposure(D(-70), D(0), D(30))


def test_one_order_can_be_left_out_to_judge_its_change():
    state = RiskState()
    state.observe(a_view())
    assert exposure(state, without="a1-1").buying == 0


def test_corrections_and_adjustments_move_the_position():
    state = RiskState()
    fill = a_fill(1, 100)
    fixed = replace(fill.execution, exec_id="e1.02", quantity=D(90))
    state.apply(fill)
    state.apply(
        FillCorrected(seq=2, strategy="trend", intent_id="a1-1", execution=fixed, previous=fill.execution, recorded=0)
    )
    state.apply(
        AdjustmentRecorded(
            seq=3,
            strategy="trend",
            account="DU1",
            instrument="SPY",
            quantity=D(-15),
            price=D(10),
            currency="USD",
            multiplier=D(1),
            reason="test",
            recorded=0,
        )
    )
    assert exposure(state).position == D(75)


def test_a_commission_moves_no_position_and_no_order():
    state = RiskState()
    state.observe(a_view())
    fill = a_fill(1, 40)
    state.apply(fill)
    commission = Commission(exec_id="e1.01", amount=D(1), currency="USD")
    state.apply(
        CommissionRecorded(
            seq=2, strategy="trend", intent_id="a1-1", commission=commission, execution=fill.execution, recorded=0
        )
    )
    assert (state.seq, exposure(state)) == (2, Exposure(D(40), D(60), D(0)))


def test_the_same_entry_again_changes_nothing_and_a_gap_is_refused():
    state = RiskState()
    state.apply(a_fill(1, 100))
    state.apply(a_fill(1, 100))
    assert exposure(state).position == D(100)
    with pytest.raises(ValueError, match="entry 3 follows 1"):
        state.apply(a_fill(3, 1))


def test_orders_are_counted_over_a_sliding_minute():
    state = RiskState()
    for second in (0, 30, 59):
        state.submitted("trend", second * SECOND)
    assert state.orders_in_last_minute("trend", 59 * SECOND) == 3
    assert state.orders_in_last_minute("trend", 60 * SECOND) == 2
    assert state.orders_in_last_minute("revert", 60 * SECOND) == 0


def test_a_snapshot_and_the_list_of_working_orders_restore_everything():
    state = RiskState()
    state.observe(a_view())
    state.observe(a_view(intent="a1-9"))
    state.apply(a_fill(1, 40))
    again = RiskState.load(state.dump())
    assert (again.seq, exposure(again)) == (1, exposure(state))
    again.replace_orders([a_view(filled=40, applied=1)])
    assert exposure(again) == Exposure(D(40), D(60), D(0))
    assert again.order("a1-9") is None
    again.forget("a1-1")
    assert exposure(again).buying == 0


def test_reducing_means_towards_flat_and_not_through_it():
    long = Exposure(D(100), D(0), D(30))
    assert long.reduced_by(Side.SELL, D(70))
    assert not long.reduced_by(Side.SELL, D(71))
    assert not long.reduced_by(Side.BUY, D(1))
    assert not Exposure(D(0), D(0), D(0)).reduced_by(Side.SELL, D(1))
    assert long.worst(Side.BUY, D(5)) == D(105)
    assert long.worst(Side.SELL, D(5)) == D(65)


@settings(max_examples=400)
@given(st.lists(st.integers(1, 30), max_size=6), st.randoms(use_true_random=False))
def test_position_plus_rest_is_the_ordered_quantity_however_views_and_fills_interleave(fills, rng):
    """A view always comes before the entry it contains; between those, any delay."""
    state, total = RiskState(), sum(fills) + 10
    state.observe(a_view(total))
    views = [a_view(total, sum(fills[: n + 1]), n + 1) for n in range(len(fills))]
    entries = [a_fill(n + 1, quantity) for n, quantity in enumerate(fills)]
    seen = applied = 0
    while applied < len(entries):
        if seen < len(views) and (seen <= applied or rng.random() < 0.5):
            state.observe(views[seen])
            seen += 1
        else:
            state.apply(entries[applied])
            applied += 1
        now = exposure(state)
        assert now.position + now.buying == total
        assert now.position == sum(fills[:applied])
