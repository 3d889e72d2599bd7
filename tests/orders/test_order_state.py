"""The life of an order: what each event makes of each state."""

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.model.broker_reports import BrokerOrderStatus, OrderErrorMeaning
from mats.model.orders import OrderState, OrderTicket, OrderType, OrderView, Side
from mats.orders import order_events as ev
from mats.orders import order_state
from mats.orders.order_state import apply, transition
from mats.orders.record import record_of

D = Decimal
S = OrderState
B = BrokerOrderStatus
M = OrderErrorMeaning


def an_order(state=S.PENDING, **more):
    fields = {"acknowledged": state in (S.WORKING, S.CANCELLING), "quantity": D(100), **more}
    return OrderView(
        intent_id="a1-1",
        strategy="trend",
        account="DU1",
        instrument="SPY",
        side=Side.BUY,
        ticket=OrderTicket(),
        state=state,
        **fields,
    )


def live(order, *events):
    for event in events:
        order = apply(order, event)
    return order


def status(status, filled=0, **more):
    return ev.StatusReported(time=1, status=status, filled=D(filled), **more)


def fill(quantity, price="10"):
    return ev.FillBooked(time=1, quantity=D(quantity), price=D(price))


def error(meaning):
    return ev.ErrorReported(time=1, code=7, text="words", meaning=meaning)


SENT = ev.OrderSent(time=1, client_id=3, order_id=41)
CANCEL = ev.CancelRequested(time=1)
LOST = ev.ConnectionLost(time=1)


def test_a_market_order_lives_from_pending_to_filled():
    order = live(an_order(), SENT, status(B.WORKING, perm_id=9), fill(60, "10"), fill(40, "11"), status(B.FILLED))
    assert (order.state, order.filled, order.average_price) == (S.FILLED, D(100), D("10.4"))
    assert (order.perm_id, order.client_id, order.order_id) == (9, 3, 41)


MARKET_BUY = (
    status(B.WORKING, perm_id=9),
    status(B.WORKING),
    fill(30, "10.01"),
    fill(70, "10.04"),
    status(B.FILLED, 100, perm_id=9),
    status(B.FILLED, 100),
)
CANCELLED_PART = (status(B.WORKING, perm_id=9), fill(30, "10.01"), status(B.CANCELLED, 30), error(M.CANCELLED))
CANCELLED_WHOLE = (
    status(B.WORKING, perm_id=9),
    status(B.WORKING),
    status(B.PENDING_CANCEL),
    status(B.CANCELLED),
    error(M.CANCELLED),
)


@pytest.mark.parametrize(
    ("life", "state", "filled"),
    [(MARKET_BUY, S.FILLED, 100), (CANCELLED_PART, S.CANCELLED, 30), (CANCELLED_WHOLE, S.CANCELLED, 0)],
)
def test_every_order_of_the_same_messages_ends_in_the_same_state(life, state, filled):
    ends = set()
    for order_of_arrival in permutations(life):
        end = live(an_order(), SENT, *order_of_arrival)
        ends.add((end.state, end.filled, end.notional, end.average_price, end.perm_id))
    assert len(ends) == 1
    assert next(iter(ends))[:2] == (state, D(filled))


def test_a_status_filled_without_executions_awaits_them():
    moved = transition(an_order(S.WORKING), status(B.FILLED, 100))
    assert moved.order.state is S.WORKING
    assert moved.query
    assert moved.order.note == "reported filled: awaiting executions"
    assert apply(moved.order, fill(100)).state is S.FILLED


def test_a_reported_fill_of_all_leaves_a_requested_cancel_requested():
    assert apply(an_order(S.CANCELLING), status(B.FILLED, 100)).state is S.CANCELLING


@pytest.mark.parametrize("state", [S.PENDING, S.SENT])
def test_the_first_fill_of_an_order_that_nobody_acknowledged_makes_it_working(state):
    order = apply(an_order(state), fill(30))
    assert (order.state, order.acknowledged) == (S.WORKING, True)


def test_an_order_that_is_already_working_is_not_sent_again():
    assert transition(an_order(S.WORKING), SENT).ignored == "OrderSent means nothing to a WORKING order"


def test_a_pending_cancel_is_one_that_was_requested_elsewhere():
    moved = transition(an_order(S.WORKING), status(B.PENDING_CANCEL))
    assert (moved.order.state, moved.order.note, moved.query) == (S.CANCELLING, "cancel pending at the broker", False)


def test_pending_cancel_can_still_fill():
    assert live(an_order(S.WORKING), CANCEL, status(B.PENDING_CANCEL), fill(100)).state is S.FILLED


def test_a_repeated_status_does_not_undo_a_requested_cancel():
    assert live(an_order(S.WORKING), CANCEL, status(B.WORKING)).state is S.CANCELLING
    assert live(an_order(S.SENT), CANCEL, status(B.WORKING)).state is S.CANCELLING


def test_what_only_repeats_is_no_update():
    order = live(an_order(), SENT, status(B.WORKING, perm_id=9), fill(60))
    again = replace(status(B.WORKING, filled=60, perm_id=9), time=5)
    assert apply(order, again) is order
    assert apply(order, replace(status(B.PENDING_CANCEL), time=5)).updated == 5


def test_a_late_fill_after_a_cancel_is_kept():
    part = live(an_order(S.WORKING), CANCEL, status(B.CANCELLED), fill(30))
    assert (part.state, part.filled, part.note) == (S.CANCELLED, D(30), "30 of 100 filled before it ended")
    assert apply(part, fill(70)).state is S.FILLED


def test_a_cancel_that_reports_more_filled_than_booked_asks_for_executions():
    moved = transition(an_order(S.CANCELLING), status(B.CANCELLED, 30))
    assert moved.order.state is S.CANCELLED
    assert moved.query
    assert "30 filled, 0 are booked" in moved.order.note


def test_a_cancel_that_reports_what_is_booked_leaves_nothing_to_ask():
    moved = transition(an_order(S.CANCELLING, filled=D(30)), status(B.CANCELLED, 30))
    assert (moved.order.state, moved.order.note, moved.query) == (S.CANCELLED, "", False)


def test_a_status_that_contradicts_the_end_of_an_order_asks_and_changes_nothing():
    ended = an_order(S.CANCELLED, filled=D(30))
    for contradiction in (status(B.WORKING, 30), status(B.CANCELLED, 31)):
        moved = transition(ended, contradiction)
        assert (moved.order, moved.query) == (ended, True)
    assert not transition(ended, status(B.CANCELLED, 30)).query


@pytest.mark.parametrize("late", [status(B.WORKING), status(B.FILLED, 120)])
def test_a_status_that_comes_after_the_fills_of_an_order_asks_nothing(late):
    moved = transition(an_order(S.FILLED, filled=D(100)), late)
    assert (moved.order.state, moved.query) == (S.FILLED, False)


def test_a_rejected_order_that_fills_was_not_rejected():
    order = live(an_order(S.SENT), error(M.REJECTED), fill(30))
    assert (order.state, order.filled) == (S.CANCELLED, D(30))


def test_more_fills_than_ordered_are_counted_and_said():
    moved = transition(an_order(S.WORKING), fill(120))
    assert (moved.order.state, moved.order.filled, moved.query) == (S.FILLED, D(120), True)
    assert "more than was ordered" in moved.order.note


def test_a_correction_moves_the_fill_and_leaves_a_finished_order_finished():
    order = live(an_order(S.WORKING), fill(100, "10"))
    corrected = apply(
        order, ev.FillReplaced(time=2, old_quantity=D(100), old_price=D(10), quantity=D(90), price=D("10.5"))
    )
    assert (corrected.state, corrected.filled, corrected.average_price) == (S.FILLED, D(90), D("10.5"))
    assert corrected.note == "a correction left 90 of 100 filled"


def test_a_bust_of_the_only_fill_leaves_no_average():
    order = live(an_order(S.WORKING), fill(50))
    busted = apply(order, ev.FillReplaced(time=2, old_quantity=D(50), old_price=D(10), quantity=D(0), price=D(10)))
    assert (busted.state, busted.filled, busted.average_price, busted.notional) == (S.WORKING, 0, 0, 0)


@pytest.mark.parametrize("meaning", [M.REJECTED, M.INVALID])
def test_a_refusal_ends_an_order_that_nobody_acknowledged(meaning):
    ended = live(an_order(S.SENT), error(meaning))
    assert (ended.state, ended.note) == (S.REJECTED, "7: words")


def test_an_error_that_tells_of_a_cancel_ends_the_order_by_itself():
    moved = transition(an_order(S.WORKING), error(M.CANCELLED))
    assert (moved.order.state, moved.order.note, moved.query) == (S.CANCELLED, "7: words", False)


@pytest.mark.parametrize("meaning", [M.INVALID, M.MODIFY_REFUSED])
def test_a_refused_change_leaves_the_working_order_as_it_was(meaning):
    before = an_order(S.WORKING)
    after = apply(before, error(meaning))
    assert (after.state, after.quantity, after.ticket) == (S.WORKING, before.quantity, before.ticket)


def test_a_rejection_of_a_working_order_is_unknown_until_the_broker_is_asked():
    moved = transition(an_order(S.WORKING), error(M.REJECTED))
    assert (moved.order.state, moved.query) == (S.UNKNOWN, True)


@pytest.mark.parametrize("meaning", [M.INFORMATION, M.WARNING])
def test_a_notice_never_ends_an_order(meaning):
    assert live(an_order(S.WORKING), error(meaning)).state is S.WORKING
    assert live(an_order(S.SENT), error(meaning)).state is S.SENT


def test_an_error_that_decides_nothing_asks_and_never_cancels():
    moved = transition(an_order(S.WORKING), error(M.UNCLEAR))
    assert (moved.order.state, moved.query) == (S.UNKNOWN, True)


@pytest.mark.parametrize(("meaning", "state"), [(M.CANCEL_REFUSED, S.CANCELLING), (M.UNCLEAR, S.UNKNOWN)])
def test_a_refused_cancel_is_never_a_cancel(meaning, state):
    moved = transition(an_order(S.CANCELLING), error(meaning))
    assert (moved.order.state, moved.query) == (state, True)
    assert apply(moved.order, fill(100)).state is S.FILLED


@pytest.mark.parametrize(("before", "after"), [(S.SENT, S.WORKING), (S.CANCELLING, S.CANCELLING)])
def test_inactive_held_for_a_locate_is_alive(before, after):
    order = apply(an_order(before), status(B.INACTIVE, why_held="locate"))
    assert (order.state, order.note) == (after, "held: locate")


def test_inactive_without_a_reason_is_unknown_and_can_come_back():
    moved = transition(an_order(S.WORKING), status(B.INACTIVE))
    assert (moved.order.state, moved.query) == (S.UNKNOWN, True)
    assert apply(moved.order, status(B.WORKING)).state is S.WORKING


def test_inactive_after_a_rejection_stays_rejected():
    assert live(an_order(S.SENT), error(M.REJECTED), status(B.INACTIVE)).state is S.REJECTED


def test_a_lost_connection_makes_sent_unknown_and_the_rest_unverified():
    assert live(an_order(S.SENT), LOST).state is S.UNKNOWN
    for state in (S.WORKING, S.CANCELLING):
        order = live(an_order(state), LOST)
        assert (order.state, order.note) == (state, "not verified since the connection was lost")
    assert live(an_order(S.PENDING), LOST).state is S.PENDING


@pytest.mark.parametrize("state", [S.PENDING, S.SENT])
def test_after_a_restart_an_order_without_an_answer_may_have_been_sent(state):
    moved = transition(an_order(state), ev.Restarted(time=1))
    assert (moved.order.state, moved.query) == (S.UNKNOWN, True)


@pytest.mark.parametrize("state", [S.WORKING, S.CANCELLING])
def test_after_a_restart_what_the_broker_knew_goes_on_unverified(state):
    moved = transition(an_order(state), ev.Restarted(time=1))
    assert (moved.order.state, moved.query) == (state, False)
    assert moved.order.note == "not verified since the daemon restarted"


def test_found_open_is_working_again():
    order = live(an_order(S.SENT), LOST, ev.FoundOpen(time=2, status=B.WORKING, perm_id=9))
    assert (order.state, order.perm_id, order.acknowledged) == (S.WORKING, 9, True)


def test_a_cancel_lost_with_the_connection_leaves_the_order_working():
    assert live(an_order(S.CANCELLING), LOST, ev.FoundOpen(time=2, status=B.WORKING)).state is S.WORKING


def test_an_order_listed_open_against_a_final_state_counts_again_and_is_asked_for():
    moved = transition(an_order(S.CANCELLED), ev.FoundOpen(time=2, status=B.WORKING))
    assert (moved.order.state, moved.query) == (S.UNKNOWN, True)
    assert apply(moved.order, ev.FoundOpen(time=3, status=B.WORKING)).state is S.WORKING
    assert apply(moved.order, ev.FoundCompleted(time=3, status=B.CANCELLED)).state is S.CANCELLED


@pytest.mark.parametrize(
    ("order", "listed"),
    [
        (an_order(S.FILLED, filled=D(100)), B.WORKING),
        (an_order(S.CANCELLED), B.PENDING_CANCEL),
        (an_order(S.REJECTED), B.INACTIVE),
    ],
)
def test_a_listing_that_proves_no_life_leaves_a_final_order_as_it_is(order, listed):
    moved = transition(order, ev.FoundOpen(time=2, status=listed, perm_id=9))
    assert (moved.order, moved.query) == (order, False)
    assert moved.ignored == f"FoundOpen means nothing to a {order.state} order"


@pytest.mark.parametrize(("booked", "reported"), [(30, 30), (30, 0), (0, 30)])
def test_what_filled_in_part_was_not_rejected_however_the_broker_completed_it(booked, reported):
    order = an_order(S.WORKING, filled=D(booked))
    moved = transition(order, ev.FoundCompleted(time=2, status=B.INACTIVE, filled=D(reported)))
    assert (moved.order.state, moved.query) == (S.CANCELLED, reported > booked)


def test_a_completion_that_reports_more_filled_than_a_final_order_has_booked_asks():
    ended, full = an_order(S.CANCELLED, filled=D(30)), an_order(S.FILLED, filled=D(100))
    for order, filled, query in ((ended, 31, True), (ended, 30, False), (full, 101, False)):
        moved = transition(order, ev.FoundCompleted(time=2, status=B.CANCELLED, filled=D(filled)))
        assert (moved.order, moved.query) == (order, query)


@pytest.mark.parametrize(("status", "state"), [(B.CANCELLED, S.CANCELLED), (B.INACTIVE, S.REJECTED)])
def test_a_completed_order_ends_as_the_broker_says(status, state):
    assert live(an_order(S.UNKNOWN), ev.FoundCompleted(time=2, status=status)).state is state


@pytest.mark.parametrize(("text", "word"), [("Inactive", "Inactive"), ("", "INACTIVE")])
def test_what_is_unclear_is_said_in_the_words_of_the_broker(text, word):
    told = {"time": 2, "status": B.INACTIVE, "status_text": text}
    assert live(an_order(S.UNKNOWN), ev.FoundCompleted(**told)).note == f"the broker completed it as {word}"
    said = f"the broker reports {word}: refused, or held and able to come back"
    assert live(an_order(S.WORKING), ev.StatusReported(**told)).note == said
    assert live(an_order(S.WORKING), ev.FoundOpen(**told)).note == said


@pytest.mark.parametrize(("wording", "word"), [("Submitted", "Submitted"), ("", "WORKING")])
def test_a_status_of_a_final_order_is_said_in_the_words_of_the_broker_where_there_are_any(wording, word):
    outcome = order_state.status(record_of(an_order(S.CANCELLED)), 1, B.WORKING, wording=wording)
    assert outcome.ignored == f"{word} changes nothing: the order is CANCELLED"


def test_a_status_without_a_word_of_the_broker_is_said_by_its_name():
    record = record_of(an_order(S.WORKING))
    order_state.status(record, 1, B.INACTIVE)
    assert record.note == "the broker reports INACTIVE: refused, or held and able to come back"


def test_a_rejection_found_in_a_replay_says_why_where_the_broker_does():
    rejected = ev.FoundCompleted(time=2, status=B.INACTIVE, note="no margin")
    assert live(an_order(S.UNKNOWN), rejected).note == "no margin"


def test_a_status_that_is_not_known_decides_nothing():
    moved = transition(an_order(S.WORKING), status(B.UNKNOWN, status_text="Novel"))
    assert (moved.order.state, moved.query) == (S.UNKNOWN, True)
    assert moved.order.note.startswith("the broker reports Novel: ")
    found = transition(an_order(S.WORKING), ev.FoundCompleted(time=2, status=B.UNKNOWN, status_text="Novel"))
    assert (found.order.state, found.order.note) == (S.UNKNOWN, "the broker completed it as Novel")


def test_a_completed_fill_still_awaits_its_executions():
    order = live(an_order(S.UNKNOWN), ev.FoundCompleted(time=2, status=B.FILLED, filled=D(100)))
    assert order.state is S.WORKING
    assert apply(order, fill(100)).state is S.FILLED


def test_a_fill_that_a_second_look_does_not_bring_will_not_come():
    order = an_order(S.WORKING, filled=D(90))
    found = ev.FoundCompleted(time=2, status=B.FILLED, filled=D(100))
    once, twice = transition(order, found), transition(order, replace(found, looks=2))
    assert (once.order.state, once.query) == (S.WORKING, True)
    assert (twice.order.state, twice.query) == (S.FILLED, False)
    assert twice.order.note == "the broker reports 100 filled, 90 are booked"


def test_an_order_that_was_not_sent_is_not_missed():
    moved = transition(an_order(S.PENDING), ev.NotFound(time=2, looks=1))
    assert (moved.order.state, moved.query) == (S.PENDING, False)


def test_absent_twice_and_never_acknowledged_never_reached_the_broker():
    once = live(an_order(S.SENT), LOST, ev.NotFound(time=2, looks=1))
    twice = live(once, ev.NotFound(time=3, looks=2))
    assert (once.state, twice.state, twice.note) == (S.UNKNOWN, S.REJECTED, "never reached the broker")


def test_absent_but_once_acknowledged_stays_unknown_for_ever():
    order = live(an_order(S.WORKING), *(ev.NotFound(time=n, looks=n) for n in range(1, 9)))
    assert order.state is S.UNKNOWN
    partly = live(an_order(S.SENT), fill(10), ev.NotFound(time=2, looks=5))
    assert partly.state is S.UNKNOWN


def test_a_change_counts_when_the_broker_echoes_it():
    ticket = OrderTicket(order_type=OrderType.LIMIT, limit_price=D(9))
    order = live(an_order(S.WORKING), ev.OrderModified(time=1, quantity=D(80), ticket=ticket))
    assert (order.state, order.quantity, order.ticket) == (S.WORKING, D(80), ticket)
    assert live(order, fill(80)).state is S.FILLED


def changed(order, quantity):
    return transition(order, ev.OrderModified(time=1, quantity=D(quantity), ticket=OrderTicket()))


@pytest.mark.parametrize(("quantity", "state"), [(29, S.FILLED), (30, S.FILLED), (31, S.WORKING)])
def test_an_order_that_is_changed_to_what_it_has_filled_is_filled(quantity, state):
    assert changed(an_order(S.WORKING, filled=D(30)), quantity).order.state is state


def test_an_echo_without_a_quantity_fills_nothing():
    assert changed(an_order(S.WORKING), 0).order.state is S.WORKING


@pytest.mark.parametrize(("before", "after"), [(S.SENT, S.WORKING), (S.CANCELLING, S.CANCELLING)])
def test_the_echo_of_a_change_acknowledges_the_order_and_takes_no_cancel_back(before, after):
    order = changed(an_order(before), 80).order
    assert (order.state, order.acknowledged) == (after, True)


def test_the_echo_of_a_change_to_a_final_order_asks_and_changes_nothing():
    ended = an_order(S.CANCELLED)
    moved = changed(ended, 80)
    assert (moved.order, moved.query) == (ended, True)


def test_an_order_cancelled_or_refused_before_it_was_sent_is_final():
    assert live(an_order(), CANCEL).state is S.CANCELLED
    assert live(an_order(), ev.OrderRefused(time=1, reason="not ready")).note == "not sent: not ready"


def test_a_connection_that_knows_it_did_not_send_settles_an_order_nobody_acknowledged():
    refused = ev.OrderRefused(time=1, reason="the socket was closed")
    assert live(an_order(S.SENT), refused).state is S.REJECTED
    assert live(an_order(S.SENT), LOST, refused).state is S.REJECTED
    moved = transition(an_order(S.WORKING), refused)
    assert (moved.order.state, moved.query) == (S.WORKING, True)


def test_an_event_that_means_nothing_says_so_and_changes_nothing():
    order = an_order(S.FILLED, filled=D(100))
    moved = transition(order, CANCEL)
    assert moved.order == order
    assert moved.ignored == "CancelRequested means nothing to a FILLED order"


EVENTS = st.one_of(
    st.sampled_from([SENT, CANCEL, LOST, ev.Restarted(time=1), ev.OrderRefused(time=1, reason="x")]),
    st.builds(status, st.sampled_from(B), st.integers(0, 100)),
    st.builds(error, st.sampled_from(M)),
    st.builds(fill, st.integers(1, 100)),
    st.builds(lambda n: ev.NotFound(time=1, looks=n), st.integers(1, 3)),
    st.builds(lambda status: ev.FoundCompleted(time=1, status=status), st.sampled_from(B)),
    st.builds(lambda status: ev.FoundOpen(time=1, status=status), st.sampled_from(B)),
)


@settings(max_examples=1_000)
@given(st.lists(EVENTS, max_size=14))
def test_any_history_counts_every_fill_and_a_final_state_yields_only_to_facts_and_listings(events):
    order, total = an_order(), D(0)
    for event in events:
        before, order = order, apply(order, event)
        if isinstance(event, ev.FillBooked):
            total += event.quantity
        elif before.state.final and not isinstance(event, ev.FoundOpen):
            assert order.state is before.state
        if order.state is S.FILLED:
            assert order.filled >= order.quantity
        if isinstance(event, ev.StatusReported | ev.ErrorReported | ev.NotFound) and before.filled:
            assert order.state is not S.REJECTED
        assert order.filled == total
    assert order.notional == total * 10


@settings(max_examples=300)
@given(st.lists(EVENTS, max_size=8), EVENTS)
def test_the_same_hint_or_act_twice_is_the_same_as_once(events, event):
    order = live(an_order(), *events)
    if not isinstance(event, ev.FillBooked | ev.FoundOpen):
        once = apply(order, event)
        assert replace(apply(once, event), note="") == replace(once, note="")
