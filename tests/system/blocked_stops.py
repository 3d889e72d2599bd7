"""Stops of a trading daemon four of whose strategies block for ever: by a test a few times, by `soak_stop.py` often."""

from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tests.system.harness import (
    Daemon,
    GatewayProcess,
    killed_at_end,
    lively_strategies,
    until,
    write_bars,
    write_settings,
)

BLOCKED = 4
SECONDS_FOR_A_STOP = 60
"""So many bars there are for each life of the daemon, one a second."""
BLOCKS = """
import threading
from pathlib import Path

from mats.strategy import Bar, Strategy


class Blocks(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5

    def on_bar(self, bar: Bar) -> None:
        with Path({blocked!r}).open("a") as file:
            file.write("blocked\\n")
        threading.Event().wait()
"""


def stops_of_blocked_strategies(folder: Path, stops: int, seed: int) -> int:
    """Stop the daemon so often over one data directory; each time it must end in order. Returns the executions."""
    blocked = folder / "blocked"
    bars = write_bars(folder / "bars", seed, minutes=600 + SECONDS_FOR_A_STOP * stops)
    gateway = GatewayProcess(folder, bars, bar_seconds=1.0)
    table = lively_strategies(2) + "".join(
        f'\n[[strategy]]\nname = "blocks-{n}"\nfile = "blocks.py"\nclass_name = "Blocks"\ntarget_weight = 0.02\n'
        for n in range(BLOCKED)
    )
    files = {"blocks.py": BLOCKS.format(blocked=str(blocked))}
    config = write_settings(folder / "config", table, gateway.port, files)
    executions = 0
    with killed_at_end(gateway):
        for stop in range(stops):
            blocked.write_text("")
            summary = _stop(Daemon(config, folder / "run" / "data"), blocked, executions)
            assert sorted(summary["abandoned"]) == [f"strategies/blocks-{n}" for n in range(BLOCKED)], (stop, summary)
            executions = summary["gateway_executions"]
            assert executions == summary["fills"] == summary["fills_stored"], (stop, summary)
            assert not summary["breaks"], (stop, summary)
            assert not summary["restarts"], (stop, summary)
    return executions


def _stop(daemon: Daemon, blocked: Path, executions: int) -> dict[str, Any]:
    with killed_at_end(daemon):
        until(lambda: blocked.read_text().count("blocked") == BLOCKED, PATIENCE, "all of them blocked")
        until(lambda: daemon.executions() > executions + 2, PATIENCE, "trading")
        summary = daemon.stop()
        assert "Fatal Python error" not in daemon.stderr, daemon.stderr[-3000:]
        return summary
