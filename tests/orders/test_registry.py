"""All orders of the system: whom news means, what a restart and a new session leave of their names, what is kept."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.broker_reports import (
    BrokerError,
    BrokerOrder,
    BrokerOrderStatus,
    BrokerSnapshot,
    BrokerStatus,
    OrderErrorMeaning,
)
from mats.model.executions import FillRecorded
from mats.model.orders import (
    OrderIntent,
    OrderModification,
    OrderRequest,
    OrderState,
    OrderTicket,
    OrderType,
    Side,
    Signal,
    changed_view,
    opening_view,
    refused_view,
)
from mats.orders import order_events as ev
from mats.orders import registry as orders_module
from mats.orders.registry import (
    Order,
    Orders,
    amended,
    echo,
    entries_of_orders,
    fill_event,
    replay_events,
    report_events,
    restored,
)

D = Decimal
B = BrokerOrderStatus
CLIENT = 1


def an_intent(intent_id="i1", strategy="trend", quantity="10", **ticket):
    return OrderIntent(
        intent_id=intent_id,
        strategy=strategy,
        account="DU1",
        instrument=parse_instrument("SPY"),
        side=Side.BUY,
        quantity=D(quantity),
        ticket=OrderTicket(**ticket),
        time=3,
    )


def an_order(intent_id="i1", order_id=0, session="", perm_id=0, **more):
    intent = an_intent(intent_id, **more)
    view = replace(opening_view(intent), client_id=CLIENT, order_id=order_id, perm_id=perm_id)
    return Order(intent, view, session)


def broker_order(ref="trend:i1", order_id=5, perm_id=0, status=B.WORKING, **changes):
    described = BrokerOrder(
        order_ref=ref, client_id=CLIENT, order_id=order_id, perm_id=perm_id, account="DU1", instrument="SPY",
        side=Side.BUY, quantity=D(10), order_type="MKT", status=status,
    )  # fmt: skip
    return replace(described, **changes)


def status(order_id=5, perm_id=0, status=B.WORKING, client_id=CLIENT):
    return BrokerStatus(
        client_id=client_id, order_id=order_id, perm_id=perm_id, status=status, filled=D(0), remaining=D(10),
        average_price=D(0),
    )  # fmt: skip


def error(order_id=5, code=201):
    return BrokerError(request_id=order_id, code=code, text="no", meaning=OrderErrorMeaning.REJECTED)


@pytest.fixture
def orders():
    """A book of orders in session `s1` of the client."""
    orders = Orders()
    orders.begin_session(CLIENT, "s1")
    return orders


def put(orders, order):
    orders.add(order)
    return order


# Whom news means


def test_an_order_reference_names_the_order_whatever_ids_come_with_it(orders):
    order = put(orders, an_order())
    put(orders, an_order("i2", order_id=9, session="s1", perm_id=70))
    assert orders.named_by(broker_order(order_id=9, perm_id=70), CLIENT) is order


def test_a_reference_of_another_strategy_or_intent_names_nobody(orders):
    put(orders, an_order(order_id=5, session="s1", perm_id=70))
    assert orders.named_by(broker_order("other:i1", perm_id=70), CLIENT) is None
    assert orders.named_by(broker_order("trend:i9", perm_id=70), CLIENT) is None


def test_without_a_reference_the_perm_id_names_the_order_and_0_is_no_perm_id(orders):
    order = put(orders, an_order(perm_id=70))
    put(orders, an_order("i2"))
    assert orders.named_by(broker_order("", perm_id=70), CLIENT) is order
    assert orders.named_by(broker_order("made by hand", perm_id=70), CLIENT) is order
    assert orders.named_by(broker_order("", perm_id=0), CLIENT) is None


def test_a_status_is_matched_by_perm_id_before_the_ids_of_the_session(orders):
    by_perm = put(orders, an_order(perm_id=70))
    by_id = put(orders, an_order("i2", order_id=5, session="s1"))
    assert orders.named_by(status(order_id=5, perm_id=70), CLIENT) is by_perm
    assert orders.named_by(status(order_id=5), CLIENT) is by_id


def test_a_status_carries_its_own_client(orders):
    put(orders, an_order(order_id=5, session="s1"))
    assert orders.named_by(status(client_id=2), CLIENT) is None


def test_an_error_is_matched_by_the_client_of_the_connection_it_came_over(orders):
    order = put(orders, an_order(order_id=5, session="s1"))
    assert orders.named_by(error(), CLIENT) is order
    assert orders.named_by(error(), 2) is None
    assert orders.named_by(error(6), CLIENT) is None


# Sessions


def test_order_ids_of_another_session_name_nobody(orders):
    order = put(orders, an_order(order_id=5, session="s1"))
    orders.begin_session(CLIENT, "s2")
    assert orders.named_by(error(), CLIENT) is None
    assert orders.named_by(broker_order(), CLIENT) is order


def test_a_change_of_an_order_does_not_bring_its_old_ids_back(orders):
    order = put(orders, an_order(order_id=5, session="s1"))
    orders.begin_session(CLIENT, "s2")
    orders.change(order, ev.ConnectionLost(time=1))
    assert orders.named_by(error(), CLIENT) is None


def test_ids_that_the_broker_names_in_the_new_session_count(orders):
    order = put(orders, an_order(order_id=5, session="s1"))
    orders.begin_session(CLIENT, "s2")
    assert orders.rename(order, "s2", broker_order(order_id=6, perm_id=70))
    assert orders.named_by(error(6), CLIENT) is order
    assert orders.named_by(error(5), CLIENT) is None
    assert (order.session, order.view.order_id, order.view.perm_id) == ("s2", 6, 70)


def test_naming_an_order_as_it_is_known_already_is_no_news(orders):
    order = put(orders, an_order(order_id=5, session="s1"))
    assert orders.rename(order, "s1", broker_order(perm_id=70))
    assert not orders.rename(order, "s1", broker_order(perm_id=70))
    assert orders.rename(order, "s2", broker_order(perm_id=70))


def test_the_first_perm_id_is_for_life(orders):
    order = put(orders, an_order(perm_id=70))
    orders.rename(order, "s1", broker_order(perm_id=71))
    assert order.view.perm_id == 70


def test_the_session_of_one_client_is_not_that_of_another(orders):
    order = put(orders, an_order(order_id=5, session="s1"))
    orders.begin_session(2, "s2")
    assert orders.named_by(error(), CLIENT) is order


def test_after_a_crash_in_the_middle_of_a_session_its_ids_still_count():
    order = restored(an_intent(), an_order(order_id=5).view, "s1")
    orders = Orders()
    orders.add(order)
    assert orders.named_by(error(), CLIENT) is None
    orders.begin_session(CLIENT, "s1")
    assert orders.named_by(error(), CLIENT) is order


def test_after_a_crash_ids_of_the_session_before_do_not_count():
    orders = Orders()
    orders.add(restored(an_intent(), an_order(order_id=5).view, "s1"))
    orders.begin_session(CLIENT, "s2")
    assert orders.named_by(error(), CLIENT) is None


# Fills


def test_a_fill_is_booked_once_however_often_the_log_sends_it(orders, execution):
    order = put(orders, an_order())
    entry = FillRecorded(seq=4, strategy="trend", intent_id="i1", execution=execution("a.01", "4", "100"), recorded=9)
    result = orders.book(order, entry)
    assert (result.order, order.view.filled, order.view.applied) == (order.view, D(4), 4)
    assert orders.book(order, entry) is None
    assert order.view.filled == D(4)


def test_fills_and_corrections_are_what_they_are_to_an_order(log):
    fill = log.fill("4", "100")
    assert fill_event(fill) == ev.FillBooked(time=fill.recorded, quantity=D(4), price=D(100))
    assert fill_event(log.correct(fill, "3", "101")) == ev.FillReplaced(
        time=fill.recorded, old_quantity=D(4), old_price=D(100), quantity=D(3), price=D(101)
    )


def test_only_fills_and_corrections_of_an_intent_change_orders(log):
    fill = log.fill("4", "100")
    log.charge(fill, "1")
    log.adjust("5", "100")
    named = replace(fill, intent_id="i1")
    assert list(entries_of_orders([*log.entries, named])) == [named]


# What is kept


def test_a_final_order_is_not_live_but_found_for_late_news(orders):
    order = put(orders, an_order(order_id=5, session="s1", perm_id=70))
    orders.change(order, ev.OrderRefused(time=1, reason="x"))
    assert list(orders.live()) == []
    assert orders.get("i1") is order
    assert orders.named_by(error(), CLIENT) is order


def test_an_order_that_turns_out_to_be_open_is_live_again(orders):
    order = put(orders, an_order())
    orders.change(order, ev.OrderRefused(time=1, reason="x"))
    orders.change(order, ev.FoundOpen(time=2, status=B.WORKING))
    assert list(orders.live()) == [order]


def test_the_shelf_is_bounded_and_forgets_the_oldest_with_its_names(orders, monkeypatch):
    monkeypatch.setattr(orders_module, "CLOSED_ORDERS_KEPT", 2)
    for n in range(1, 4):
        closed = put(orders, an_order(f"i{n}", order_id=n, session="s1", perm_id=70 + n))
        orders.change(closed, ev.OrderRefused(time=1, reason="x"))
    assert [orders.get(f"i{n}") is not None for n in (1, 2, 3)] == [False, True, True]
    assert orders.named_by(error(1), CLIENT) is None
    assert orders.named_by(status(order_id=99, perm_id=71), CLIENT) is None
    assert orders.named_by(error(2), CLIENT) is orders.get("i2")


def test_forgetting_an_order_takes_no_name_from_the_one_that_bears_it_now(orders, monkeypatch):
    monkeypatch.setattr(orders_module, "CLOSED_ORDERS_KEPT", 1)
    old = put(orders, an_order("i1", order_id=5, session="s1"))
    orders.change(old, ev.OrderRefused(time=1, reason="x"))
    orders.begin_session(CLIENT, "s2")
    new = put(orders, an_order("i2", order_id=5, session="s2"))
    other = put(orders, an_order("i3", order_id=6, session="s2"))
    orders.change(other, ev.OrderRefused(time=1, reason="x"))
    assert orders.get("i1") is None
    assert orders.named_by(error(5), CLIENT) is new


def test_an_order_brought_back_from_the_journal_is_where_its_state_says(orders):
    order = an_order(perm_id=70)
    order.view = replace(order.view, state=OrderState.FILLED)
    orders.restore(order)
    assert (orders.get("i1"), list(orders.live())) == (order, [])
    assert orders.named_by(status(perm_id=70), CLIENT) is order


# Intents, and changes of them


def test_an_order_begins_as_its_intent_says():
    view = opening_view(an_intent(order_type=OrderType.LIMIT, limit_price=D(99)))
    assert (view.state, view.quantity, view.ticket.limit_price, view.created) == (OrderState.PENDING, D(10), D(99), 3)


def test_a_wish_that_never_became_an_order_is_a_rejected_order_with_a_reason():
    signal = Signal(intent_id="i1", strategy="trend", instrument="SPY", strength=1.0, time=3)
    view = refused_view(signal, "DU1", "BUSY: later", 4)
    assert (view.state, view.note, view.quantity) == (OrderState.REJECTED, "BUSY: later", D(0))
    assert (view.created, view.updated, view.account) == (3, 4, "DU1")
    request = OrderRequest(intent_id="i2", strategy="trend", instrument="SPY", side=Side.SELL, time=3, quantity=D(4))
    assert (refused_view(request, "", "x", 4).side, refused_view(request, "", "x", 4).intent_id) == (Side.SELL, "i2")


def change(**what):
    return OrderModification(intent_id="i1", strategy="trend", time=0, **what)


def test_a_change_leaves_open_what_it_does_not_name():
    view = opening_view(an_intent(order_type=OrderType.STOP_LIMIT, limit_price=D(99), stop_price=D(98)))
    wanted = amended(an_intent(), view, change(limit_price=D(97)))
    assert (wanted.quantity, wanted.ticket) == (D(10), replace(view.ticket, limit_price=D(97)))
    assert amended(an_intent(), view, change(quantity=D(4))).quantity == D(4)


def test_a_change_to_zero_is_a_change_that_checks_can_refuse():
    view = opening_view(an_intent(order_type=OrderType.LIMIT, limit_price=D(99)))
    changed = changed_view(view, change(quantity=D(0), limit_price=D(0)))
    assert (changed.quantity, changed.ticket.limit_price) == (D(0), D(0))


def test_a_restored_order_works_with_the_quantity_and_prices_it_has_now():
    view = replace(opening_view(an_intent()), quantity=D(7), ticket=OrderTicket(limit_price=D(5)))
    order = restored(an_intent(), view, "s1")
    assert (order.intent.quantity, order.intent.ticket, order.session) == (D(7), view.ticket, "s1")


# What news and replays say


def working(**ticket):
    return replace(opening_view(an_intent(**ticket)), state=OrderState.WORKING)


def test_a_status_an_error_and_an_open_order_become_events():
    view = working()
    assert report_events(status(perm_id=7), view, 9) == [
        ev.StatusReported(time=9, status=B.WORKING, perm_id=7, filled=D(0), why_held="")
    ]
    assert report_events(error(), view, 9) == [
        ev.ErrorReported(time=9, code=201, text="no", meaning=OrderErrorMeaning.REJECTED)
    ]
    assert report_events(broker_order(perm_id=7), view, 9) == [ev.StatusReported(time=9, status=B.WORKING, perm_id=7)]


def test_an_echo_confirms_what_differs_and_only_prices_that_the_order_has():
    limit = {"order_type": OrderType.LIMIT, "limit_price": D(99)}
    assert echo(broker_order(limit_price=D("99.0")), working(**limit), 9) == []
    (changed,) = echo(broker_order(quantity=D(4), limit_price=D(98)), working(**limit), 9)
    assert (changed.quantity, changed.ticket.limit_price) == (D(4), D(98))
    assert echo(broker_order(limit_price=D(0), stop_price=D(0)), working(), 9) == []
    assert echo(broker_order(quantity=D(4)), replace(working(), state=OrderState.FILLED), 9) == []


def replay(open_orders=(), completed=()):
    return BrokerSnapshot(
        executions=(), commissions=(), open_orders=open_orders, completed_orders=completed, positions=()
    )


def test_a_replay_lists_an_order_as_open_completed_or_not_at_all():
    order = an_order(perm_id=70)
    (found,) = replay_events(replay([broker_order(perm_id=70)]), order, 9)
    assert found == ev.FoundOpen(time=9, status=B.WORKING, perm_id=70)
    done = broker_order("", perm_id=70, status=B.CANCELLED, filled=D(3), note="by hand", completed=True)
    (found,) = replay_events(replay(completed=[done]), order, 9)
    assert found == ev.FoundCompleted(time=9, status=B.CANCELLED, perm_id=70, filled=D(3), note="by hand")
    order.looks = 1
    assert replay_events(replay([broker_order("trend:i2")]), order, 9) == [ev.NotFound(time=9, looks=2)]


def test_every_event_keeps_the_word_of_the_broker():
    held = broker_order(status=B.INACTIVE, status_text="Inactive")
    order, reported = an_order(), replace(status(status=B.UNKNOWN), status_text="Novel")
    events = [
        *report_events(held, working(), 9),
        *report_events(reported, working(), 9),
        *replay_events(replay([held]), order, 9),
        *replay_events(replay(completed=[held]), order, 9),
    ]
    assert [event.wording for event in events] == ["Inactive", "Novel", "Inactive", "Inactive"]


def test_an_order_without_a_perm_id_is_not_the_one_that_has_none_either():
    assert replay_events(replay([broker_order("")]), an_order(), 9) == [ev.NotFound(time=9, looks=1)]


def test_an_open_listing_counts_before_a_completed_one():
    both = replay([broker_order()], [broker_order(status=B.CANCELLED)])
    assert isinstance(replay_events(both, an_order(), 9)[-1], ev.FoundOpen)


EVENTS = (
    ev.OrderSent(time=1, client_id=CLIENT, order_id=5),
    ev.OrderRefused(time=1, reason="x"),
    ev.StatusReported(time=1, status=B.WORKING, perm_id=70),
    ev.StatusReported(time=1, status=B.CANCELLED),
    ev.FillBooked(time=1, quantity=D(10), price=D(1)),
    ev.ConnectionLost(time=1),
    ev.FoundOpen(time=1, status=B.WORKING),
    ev.NotFound(time=1, looks=2),
)


@settings(max_examples=150)
@given(
    story=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(EVENTS)) | st.sampled_from(["s1", "s2", "s3"]), max_size=25
    )
)
def test_every_order_is_in_one_place_and_names_lead_to_orders_that_bear_them(story):
    orders, session = Orders(), "s0"
    orders.begin_session(CLIENT, session)
    for n in range(1, 5):
        orders.add(an_order(f"i{n}"))
    for step in story:
        if isinstance(step, str):
            session = step
            orders.begin_session(CLIENT, session)
        else:
            number, event = step
            order = orders.get(f"i{number}")
            if isinstance(event, ev.OrderSent):
                order.session = session
                event = ev.OrderSent(time=1, client_id=CLIENT, order_id=number)
            if isinstance(event, ev.StatusReported) and event.perm_id:
                event = ev.StatusReported(time=1, status=B.WORKING, perm_id=70 + number)
            orders.change(order, event)
    live = [order.view.intent_id for order in orders.live()]
    for number in range(1, 5):
        order = orders.get(f"i{number}")
        assert (f"i{number}" in live) is not order.view.state.final
        by_id = orders.named_by(error(number), CLIENT)
        if order.view.order_id and order.session == session and not order.view.state.final:
            assert by_id is order
        elif by_id is not None:
            assert by_id is order
            assert order.session == session
        if order.view.perm_id:
            assert orders.named_by(status(order_id=99, perm_id=order.view.perm_id), CLIENT) is order
