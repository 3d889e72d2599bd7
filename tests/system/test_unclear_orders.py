"""Orders whose end the broker does not say, through processes: each ends, by proof or by an operator (G4, G6)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mats.model import OrderDoubt, OrderState, OrderView
from mats.store.journal import Journal
from tests.patience import PATIENCE
from tests.system.harness import ROOT, Daemon, GatewayProcess, killed_at_end, until, write_bars, write_settings

FAULTS = """
[[fault]]
do = "answer"
request = [3]
client = 1
where = { 1 = "1" }
messages = [[3, "$id", "PreSubmitted", 0, 7, 0, 2000000001, 0, 0, 1, "", 0]]

[[fault]]
do = "answer"
request = [3]
client = 1
where = { 1 = "2" }
code = 9999
text = "Order refused by the system:0x1f"

[[fault]]
do = "edit"
message = [3, 5]
client = 1
where = { 1 = "3" }
replace = { Submitted = "Inactive", PreSubmitted = "Inactive" }
"""
"""The first order vanishes after it was acknowledged, the second one gets an unknown code, the third one is parked."""

PATIENT = '''
from mats.strategy import Bar, Side, Strategy, limit


class Patient(Strategy):
    """Rests one order far below the market, and another one when that has ended."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5
        warmup: int = 0

    params: Params

    def on_bar(self, bar: Bar) -> None:
        if not self.broker.orders():
            self.broker.place_order(bar.instrument, limit(1.0), Side.BUY, quantity=7)
'''
TABLE = '[[strategy]]\nname = "patient"\nfile = "patient.py"\nclass_name = "Patient"\ntarget_weight = 0.5\n'


class Operated:
    """The commands of an operator, and the orders of the journal."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "run.py"), *arguments, "--data-dir", str(self._data)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def told(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def orders(self) -> dict[int, OrderView]:
        """The orders of the journal by order id; none before there is one."""
        if not (self._data / "journal.db").exists():
            return {}
        journal = Journal(self._data / "journal.db")
        try:
            return {order.view.order_id: order.view for order in journal.recent_orders(100)}
        finally:
            journal.close()

    def wait_for(self, number: int, state: OrderState, doubt: OrderDoubt = OrderDoubt.NONE) -> OrderView:
        """The order with this order id, once it is so."""

        def is_so() -> bool:
            order = self.orders().get(number)
            return order is not None and (order.state, order.doubt) == (state, doubt)

        until(is_so, PATIENCE, f"order {number} {state} {doubt}")
        return self.orders()[number]


def test_each_doubtful_order_ends_and_the_strategy_trades_on(tmp_path: Path) -> None:
    plan = tmp_path / "faults.toml"
    plan.write_text(FAULTS)
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=3), bar_seconds=2.0, faults=plan)
    config = write_settings(tmp_path / "config", TABLE, gateway.port, {"patient.py": PATIENT})
    config.write_text(config.read_text() + '[orders]\nproof_seconds = 5.0\nunlisted = "keep"\n')
    data = tmp_path / "run" / "data"
    operator, daemon = Operated(data), Daemon(config, data)
    with killed_at_end(daemon, gateway):
        vanished = operator.wait_for(1, OrderState.WORKING).intent_id
        assert operator.run("cancel", vanished).returncode == 1, "the broker knows no such order"
        operator.wait_for(1, OrderState.UNKNOWN, OrderDoubt.UNLISTED)
        named = operator.run("orders").stdout
        assert vanished in named
        assert "mats orders settle" in named
        assert operator.run("orders", "settle", vanished, "--as", "cancelled").returncode == 2
        why = "TWS has no such order"
        done = operator.told("orders", "settle", vanished, "--as", "cancelled", "--reason", why)
        assert "patient trades SPY again" in done["text"]
        again = operator.run("orders", "settle", vanished, "--as", "filled", "--reason", why)
        assert "is CANCELLED already; there is nothing to settle" in again.stderr
        (audited, refused) = operator.told("audit", "--last", "2")["lines"]
        assert (audited["what"], audited["why"]) == (f"order {vanished} is cancelled", why)
        assert refused["outcome"].startswith("refused: ")

        operator.wait_for(2, OrderState.REJECTED, OrderDoubt.SETTLED)
        operator.wait_for(3, OrderState.CANCELLED)
        operator.wait_for(4, OrderState.WORKING)
        assert "order stays parked at the broker; its cancel is sent" in daemon.stderr

        daemon.kill()
        daemon = Daemon(config, data)
        with killed_at_end(daemon):
            until(lambda: operator.run("orders").returncode == 0, PATIENCE, "the daemon after the kill")
            (working,) = operator.told("orders")["orders"]
            assert working["order_id"] == 4
            ended = operator.orders()
            assert operator.told("why", vanished)["order"]["note"] == f"settled by an operator as cancelled: {why}"
            summary = daemon.stop()
    assert [ended[number].state for number in (1, 2, 3)] == ["CANCELLED", "REJECTED", "CANCELLED"]
    assert ended[2].note == "not at the broker, which said 9999: Order refused by the system:0x1f"
    assert (summary["dead_letters"], summary["abandoned"]) == (0, [])
