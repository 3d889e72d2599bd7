"""Faults that the search found, each by itself and by name."""

from collections.abc import Hashable
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from actors.messages.addresses import ORDERS
from actors.messages.order_manager import OrderChanged, SubmitIntent
from actors.messages.subscription import Republish
from actors.order_manager import OrderManager
from mats.instruments import parse_instrument
from mats.model.broker_reports import BrokerOrderStatus
from mats.model.orders import OrderIntent, OrderState, OrderTicket, Side, opening_view
from mats.orders import apply
from mats.orders import order_events as ev
from mats.runtime import Actor, MailboxSpec, VirtualRuntime
from mats.runtime.testing import Probe
from mats.store.journal.journal import Journal

INTENT = OrderIntent(
    intent_id="i1",
    strategy="s1",
    account="DU1",
    instrument=parse_instrument("SPY"),
    side=Side.BUY,
    quantity=Decimal(100),
    ticket=OrderTicket(),
    time=1,
)


class Newest(Actor[int]):
    """Keeps what it gets; of the numbers that wait only the newest stays."""

    seen: ClassVar[list[object]] = []

    @staticmethod
    def key(message: object) -> Hashable | None:
        return "number" if isinstance(message, int) else None

    mailbox = MailboxSpec(conflate=key)

    def on_receive(self, message: object) -> object:
        self.seen.append(message)
        return None


def _order_manager(runtime: VirtualRuntime, folder: Path) -> dict[str, Probe]:
    probes = {name: runtime.probe(name) for name in ("fill_log", "store", "pool")}
    refs = {name: probe.ref for name, probe in probes.items()}
    args = OrderManager.Args(journal_path=folder / "journal.db", **refs)
    runtime.spawn(OrderManager, args, name=ORDERS.path)
    runtime.run_until_idle()
    return probes


def test_messages_conflated_before_an_actor_was_taken_away_are_handled_by_its_successor() -> None:
    runtime = VirtualRuntime()
    Newest.seen = []
    ref = runtime.spawn(Newest, name="newest")
    runtime.run_until_idle()
    runtime.pause(ref)
    for number in (1, 2, 3):
        ref.tell(number)
    runtime.run_until_idle()
    cell = runtime.slot("newest")
    cell.supervised = True
    runtime.kill(ref)
    runtime.launch("newest", Newest, supervised=True)
    runtime.run_until_idle()
    assert Newest.seen == [3]


def test_an_intent_without_a_route_is_in_the_journal_and_its_manager_lives(tmp_path: Path) -> None:
    runtime = VirtualRuntime()
    _order_manager(runtime, tmp_path)
    runtime.ref(ORDERS).tell(SubmitIntent(INTENT))
    runtime.advance(3.0)
    assert runtime.slot("core/orders").status().state == "running"
    found = Journal(tmp_path / "journal.db").order("i1")
    assert found is not None
    assert found.view.state is OrderState.REJECTED
    assert found.view.note == "not sent: its connection is not ready"


def test_a_store_that_comes_back_is_told_orders_as_they_are_and_not_as_they_were_last_written(tmp_path: Path) -> None:
    runtime = VirtualRuntime()
    probes = _order_manager(runtime, tmp_path)
    runtime.ref(ORDERS).tell(SubmitIntent(INTENT))
    runtime.ref(ORDERS).tell(Republish())
    runtime.run_until_idle()
    told = [m for m in _all(probes["store"]) if isinstance(m, OrderChanged)]
    assert [m.order.state for m in told] == [OrderState.REJECTED, OrderState.REJECTED]


def test_an_order_whose_fills_a_correction_took_back_is_over_when_the_broker_completed_it() -> None:
    order = apply(opening_view(INTENT), ev.OrderSent(time=2, client_id=1, order_id=7))
    order = apply(order, ev.FillBooked(time=3, quantity=Decimal(60), price=Decimal(10)))
    busted = ev.FillReplaced(
        time=4, old_quantity=Decimal(60), old_price=Decimal(10), quantity=Decimal(0), price=Decimal(10)
    )
    order = apply(order, busted)
    order = apply(order, ev.FillBooked(time=5, quantity=Decimal(40), price=Decimal(10)))
    first = apply(order, ev.FoundCompleted(time=6, status=BrokerOrderStatus.FILLED, filled=Decimal(100), looks=1))
    assert first.state is OrderState.WORKING
    second = apply(first, ev.FoundCompleted(time=7, status=BrokerOrderStatus.FILLED, filled=Decimal(100), looks=2))
    assert second.state is OrderState.FILLED
    assert second.filled == 40
    assert second.note == "the broker reports 100 filled, 40 are booked"


def _all(probe: Probe) -> list[object]:
    return probe.receive(len(probe.ref.mailbox), 1.0)
