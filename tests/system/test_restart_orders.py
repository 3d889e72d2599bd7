"""Working orders after a restart, of the daemon, of an actor, of a connection: found, changed and cancelled."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages.order_manager import ReadOrders
from mats.model.orders import CancelRequest, OrderModification, OrderState, OrderView, order_ref
from mats.runtime import Crash
from tests.patience import PATIENCE
from tests.system.harness import Daemon, GatewayProcess, killed_at_end, look, until, write_bars, write_settings
from tests.system.inside import GatewayThread, System, lively_gateway, running_system, write_strategies

PATIENT = """
from mats.model.orders import TimeInForce
from mats.strategy import Bar, OrderState, OrderView, Side, Strategy, limit


class Patient(Strategy):
    '''Rests two orders far from the market; started again it cancels the one of 10 and moves the one of 20.'''

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5
        acts: bool = True

    params: Params

    def on_start(self) -> None:
        self.again = bool(self.broker.orders())
        self.placed = self.again

    def on_bar(self, bar: Bar) -> None:
        orders = self.broker.orders()
        if not self.placed:
            self.placed = True
            for quantity, price in ((10, 100), (20, 110)):
                self.broker.place_order("SPY", limit(price, TimeInForce.GTC), Side.BUY, quantity=quantity)
        elif self.again and self.params.acts:
            for order in [order for order in orders.values() if order.state is OrderState.WORKING]:
                if order.quantity == 10:
                    self.broker.cancel(order.intent_id)
                elif order.ticket.limit_price == 110:
                    self.broker.modify(order.intent_id, limit_price=120, quantity=25)

    def on_order_status(self, order: OrderView) -> None:
        if order.state is OrderState.REJECTED:
            self.placed = False
"""

TABLE = '[[strategy]]\nname = "patient"\nfile = "patient.py"\nclass_name = "Patient"\ntarget_weight = 0.5\n'
TWO = {(100.0, 10.0), (110.0, 20.0)}


def resting(port: int) -> set[tuple[float, float]]:
    """Limit and quantity of every open order, as another client sees them."""
    return {(limit, quantity) for _, limit, quantity in look(port, client_id=77).open_orders.values()}


def test_a_strategy_cancels_and_changes_after_a_kill_the_orders_it_placed_before(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=4), bar_seconds=2.0)
    config = write_settings(tmp_path / "config", TABLE, gateway.port, {"patient.py": PATIENT})
    first = Daemon(config, tmp_path / "run" / "data")
    with killed_at_end(first, gateway):
        until(lambda: resting(gateway.port) == TWO, PATIENCE, "two resting orders")
        before = look(gateway.port, client_id=77).open_orders
        first.kill()
        second = Daemon(config, tmp_path / "run" / "data")
        with killed_at_end(second):
            until(lambda: resting(gateway.port) == {(120.0, 25.0)}, PATIENCE, "one cancelled and one changed order")
            summary = second.stop()
        after = look(gateway.port)
    assert set(after.open_orders) <= set(before)
    assert [ref for ref, _, _ in after.open_orders.values()] == [
        ref for ref, _, quantity in before.values() if quantity == 20
    ]
    assert set(after.refs) == set(before), "an order was sent twice"
    assert (summary["orders"], summary["fills"], summary["breaks"]) == (2, 0, 0)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    write_strategies(tmp_path, TABLE + "params = { acts = false }\n", patient=PATIENT)
    with lively_gateway(tmp_path) as gateway:
        yield gateway


def working(system: System) -> dict[Decimal, OrderView]:
    """Orders that the order manager calls working, by quantity."""
    views = system.names.orders.ask(ReadOrders(), timeout=PATIENCE)
    assert isinstance(views, tuple)
    return {view.quantity: view for view in views if view.state is OrderState.WORKING}


def cancel_and_change(system: System) -> None:
    """Cancel the order of 10 once, ask to move the one of 20 until nothing speaks against it, and see both happen."""
    port = system.gateway.gateway.port
    until(lambda: {Decimal(10), Decimal(20)} <= set(working(system)), PATIENCE, "both orders known to work")
    ten, twenty = working(system)[Decimal(10)], working(system)[Decimal(20)]
    system.names.orders.tell(CancelRequest(intent_id=ten.intent_id, strategy="patient", time=0))
    change = OrderModification(intent_id=twenty.intent_id, strategy="patient", time=0, limit_price=Decimal(120))

    def happened() -> bool:
        system.names.risk.tell(change)
        return resting(port) == {(120.0, 20.0)}

    until(happened, PATIENCE, "one cancelled and one changed order")
    until(lambda: set(working(system)) == {Decimal(20)}, PATIENCE, "the order manager's view of it")
    assert working(system)[Decimal(20)].ticket.limit_price == 120
    (ref,) = [ref for ref, _, _ in look(port, client_id=77).open_orders.values()]
    assert ref == order_ref("patient", twenty.intent_id)


@pytest.mark.parametrize("name", ["core/orders", "core/risk", "brokers/ib-1"])
def test_after_the_crash_of_an_actor_its_orders_are_cancelled_and_changed(
    tmp_path: Path, gateway: GatewayThread, name: str
) -> None:
    with running_system(tmp_path, gateway) as system:
        until(lambda: len(working(system)) == 2, PATIENCE, "two resting orders")
        before = system.incarnations()[name]
        system.runtime.ref(name).tell(Crash())
        until(
            lambda: system.incarnations()[name] == before + 1 and system.state(name) == "running",
            PATIENCE,
            "the restart",
        )
        cancel_and_change(system)
        system.finish_and_prove()


def test_after_an_orderly_restart_orders_are_cancelled_and_changed(tmp_path: Path, gateway: GatewayThread) -> None:
    with running_system(tmp_path, gateway) as system:
        until(lambda: len(working(system)) == 2, PATIENCE, "two resting orders")
        system.finish_and_prove()
    with running_system(tmp_path, gateway) as system:
        cancel_and_change(system)
        system.finish_and_prove()
