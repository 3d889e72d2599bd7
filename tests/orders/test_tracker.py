"""What the order manager knows: changes are told once and in order, and a restart or a replay leaves nothing out."""

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.broker_reports import BrokerOrder, BrokerOrderStatus, BrokerSnapshot, BrokerStatus
from mats.model.executions import Execution, FillRecorded
from mats.model.orders import OrderIntent, OrderState, OrderTicket, OrderView, Side, opening_view, order_ref
from mats.orders.order_ids import RESERVED, OrderIds
from mats.orders.tracker import OrderTracker, amendment_fault

D = Decimal


class Kept(Struct):
    intent: OrderIntent
    view: OrderView
    session: str = "s1"


class Archive:
    """Orders that were written down."""

    def __init__(self, *kept: Kept) -> None:
        self._kept = {one.view.intent_id: one for one in kept}

    def open_orders(self) -> list[Kept]:
        return [one for one in self._kept.values() if not one.view.state.final]

    def order(self, intent_id: str) -> Kept | None:
        return self._kept.get(intent_id)


def kept(intent_id: str, state: OrderState = OrderState.WORKING, client_id: int = 1, order_id: int = 7) -> Kept:
    intent = OrderIntent(
        intent_id=intent_id,
        strategy="trend",
        account="DU1",
        instrument=parse_instrument("SPY"),
        side=Side.BUY,
        quantity=D(10),
        ticket=OrderTicket(),
        time=0,
    )
    return Kept(intent, replace(opening_view(intent), state=state, client_id=client_id, order_id=order_id))


def fill(intent_id: str, seq: int, quantity: str) -> FillRecorded:
    execution = Execution(
        account="DU1", exec_id=f"e{seq}.01", instrument="SPY", side=Side.BUY, quantity=D(quantity), price=D(5), time=0
    )
    return FillRecorded(seq=seq, strategy="trend", intent_id=intent_id, execution=execution, recorded=9)


def a_replay(*open_orders: BrokerOrder) -> BrokerSnapshot:
    return BrokerSnapshot(executions=(), commissions=(), open_orders=open_orders, completed_orders=(), positions=())


def an_open_order(intent_id: str, order_id: int) -> BrokerOrder:
    return BrokerOrder(
        order_ref=order_ref("trend", intent_id),
        client_id=1,
        order_id=order_id,
        perm_id=900,
        account="DU1",
        instrument="SPY",
        side=Side.BUY,
        quantity=D(10),
        order_type="MKT",
        status=BrokerOrderStatus.WORKING,
    )


def states(desk: OrderTracker) -> list[tuple[str, OrderState]]:
    return [(view.intent_id, view.state) for view in desk.take_changed()]


def test_each_change_is_told_once_and_in_order_and_the_journal_gets_what_holds_now() -> None:
    desk = OrderTracker(Archive())
    new = kept("i1", OrderState.PENDING)
    desk.open(new.intent, new.view, "s1", monotonic=4.0)
    desk.book([fill("i1", 1, "4"), fill("i1", 2, "6"), fill("i1", 2, "6")])
    told = desk.take_changed()
    assert [(view.filled, view.applied) for view in told] == [(D(4), 1), (D(10), 2)]
    assert desk.take_changed() == []
    assert [view.filled for view in desk.take_unsaved()] == [D(10)]
    assert desk.take_unsaved() == []


def test_after_a_restart_every_open_order_is_there_and_late_news_brings_a_final_one_back() -> None:
    desk = OrderTracker(Archive(kept("i1", OrderState.SENT), kept("i2", OrderState.CANCELLED)))
    assert desk.recover(now=5) == ("trend",)
    assert [view.intent_id for view in desk.views()] == ["i1"]
    desk.take_changed()
    desk.book([fill("i2", 1, "10")])
    assert states(desk) == [("i2", OrderState.FILLED)]
    desk.take_changed()


def test_a_fill_whose_intent_was_lost_changes_no_order() -> None:
    desk = OrderTracker(Archive(kept("i1")))
    desk.recover(now=5)
    desk.take_changed()
    desk.book([fill("i3", 2, "10"), fill("i1", 1, "10")])
    assert states(desk) == [("i1", OrderState.FILLED)]


def test_news_of_other_peoples_orders_is_given_back() -> None:
    desk = OrderTracker(Archive(kept("i1")))
    desk.recover(now=5)
    foreign = BrokerStatus(
        client_id=1, order_id=999, perm_id=1, status=BrokerOrderStatus.FILLED,
        filled=D(1), remaining=D(0), average_price=D(5),
    )  # fmt: skip
    assert desk.on_reports([foreign, an_open_order("i1", 7)], client_id=1, now=6) == [foreign]


def test_a_replay_says_nothing_about_an_order_that_was_sent_while_it_was_asked_for() -> None:
    desk = OrderTracker(Archive())
    old, young = kept("i1", OrderState.SENT), kept("i2", OrderState.SENT, order_id=8)
    desk.open(old.intent, old.view, "s1", monotonic=0.0)
    desk.open(young.intent, young.view, "s1", monotonic=9.0)
    desk.compare(a_replay(), client_id=1, asked_at=10.0, now=1)
    assert states(desk) == [("i1", OrderState.UNKNOWN)]
    assert desk.due({1}, 10.0) == [1]


def test_a_cancel_that_the_broker_does_not_know_of_is_wished_for_again_under_the_new_name() -> None:
    desk = OrderTracker(Archive(kept("i1", OrderState.CANCELLING)))
    desk.recover(now=1)
    desk.orders.begin_session(1, "s2")
    replay = a_replay(an_open_order("i1", 31))
    desk.compare(replay, client_id=1, asked_at=10.0, now=2)
    assert desk.views()[0].state is OrderState.CANCELLING
    ((order, names),) = desk.rebind_order_ids(replay, 1, "s2")
    assert names == ("i1", "s2", 1, 31, 900)
    assert (order.session, order.view.order_id) == ("s2", 31)
    ((_, again),) = desk.rebind_order_ids(replay, 1, "s2")
    assert again is None


def test_what_is_final_cannot_be_cancelled_and_only_what_works_in_this_session_can_be_changed() -> None:
    desk = OrderTracker(Archive(kept("i1"), kept("i2", OrderState.FILLED)))
    desk.recover(now=1)
    assert desk.cancel("i2", 2, 2.0) is None and desk.cancel("i9", 2, 2.0) is None
    order = desk.orders.get("i1")
    assert order is not None
    assert amendment_fault(order, order.session) == ""
    assert amendment_fault(order, None) == amendment_fault(order, "s9") == "its connection is not ready"
    assert desk.cancel("i1", 2, 2.0) is order
    assert amendment_fault(order, order.session) == "a CANCELLING order cannot be changed"


def test_order_ids_are_reserved_in_blocks_before_the_first_of_a_block_is_used() -> None:
    marks: list[int] = []
    ids = OrderIds(5, marks.append)
    assert marks == []
    assert [ids.take() for _ in range(RESERVED)] == list(range(5, 5 + RESERVED))
    assert marks == [5 + RESERVED]
    assert ids.take() == 5 + RESERVED
    assert marks == [5 + RESERVED, 5 + 2 * RESERVED]


def test_two_answers_that_were_asked_for_at_nearly_one_moment_prove_no_absence() -> None:
    desk = OrderTracker(Archive())
    lost = kept("i1", OrderState.SENT)
    desk.open(lost.intent, lost.view, "s1", monotonic=0.0)
    for asked_at in (10.0, 10.2, 11.9):
        desk.compare(a_replay(), client_id=1, asked_at=asked_at, now=1)
        assert [view.state for view in desk.views()] == [OrderState.UNKNOWN], "the gateway may have yet to read it"
    desk.compare(a_replay(), client_id=1, asked_at=12.0, now=1)
    assert not desk.views(), "it never reached the broker"


def test_the_children_of_an_order_are_found_without_a_look_at_all_orders(monkeypatch):
    family = (
        kept("entry"),
        *(kept(f"entry.{what}", order_id=number) for number, what in enumerate(("stop", "profit"), 8)),
    )
    for child in family[1:]:
        child.view = replace(child.view, parent="entry")
    tracker = OrderTracker(Archive(*family, *(kept(f"i{n}", order_id=10 + n) for n in range(50))))
    tracker.recover(0)
    monkeypatch.setattr(tracker.orders, "live", None)
    assert [order.view.intent_id for order in tracker.orders.children("entry")] == ["entry.stop", "entry.profit"]
    tracker.not_sent("entry", "its connection is not ready", 1)
    assert {tracker.order(one.view.intent_id).view.state for one in family} == {OrderState.REJECTED}
    assert tracker.orders.children("entry") == []
    assert tracker.order("i1").view.state is not OrderState.REJECTED
