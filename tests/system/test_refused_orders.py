"""An order that the broker refuses with a code that is in no table: it ends in the broker's words (behavior 52)."""

from pathlib import Path

from mats.model import OrderDoubt, OrderState
from tests.system.harness import Daemon, GatewayProcess, killed_at_end, write_bars, write_settings
from tests.system.test_unclear_orders import PATIENT, TABLE, Operated


def test_an_order_above_a_limit_of_the_presets_ends_rejected_and_the_next_one_works(tmp_path: Path) -> None:
    plan = tmp_path / "faults.toml"
    plan.write_text("rows = [52]\n")
    gateway = GatewayProcess(tmp_path, write_bars(tmp_path / "bars", seed=3), bar_seconds=2.0, faults=plan)
    config = write_settings(tmp_path / "config", TABLE, gateway.port, {"patient.py": PATIENT})
    config.write_text(config.read_text() + "[orders]\nproof_seconds = 5.0\n")
    data = tmp_path / "run" / "data"
    operator, daemon = Operated(data), Daemon(config, data)
    with killed_at_end(daemon, gateway):
        refused = operator.wait_for(1, OrderState.REJECTED, OrderDoubt.SETTLED)
        assert "not at the broker, which said 451: " in refused.note
        operator.wait_for(2, OrderState.WORKING)
        told = operator.told("why", refused.intent_id)["order"]
        assert (told["state"], told["note"]) == ("REJECTED", refused.note)
        summary = daemon.stop()
    assert (summary["dead_letters"], summary["abandoned"], summary["breaks"]) == (0, [], 0)
