"""A strategy that raises or blocks harms itself only (G5)."""

import threading
from pathlib import Path

from mats.runtime import events as happened
from tests.patience import PATIENCE
from tests.system.harness import lively_strategies, until
from tests.system.inside import lively_gateway, running_system, write_strategies

RAISES = """
from mats.strategy import Bar, Strategy


class Raises(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5

    def on_bar(self, bar: Bar) -> None:
        raise ZeroDivisionError("no strategy at all")
"""

BLOCKS = """
import threading
from pathlib import Path

from mats.strategy import Bar, Strategy


class Blocks(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5

    def on_bar(self, bar: Bar) -> None:
        while not Path({release!r}).exists():
            threading.Event().wait(0.05)
"""


def troublemaker(name: str) -> str:
    return f'[[strategy]]\nname = "{name}"\nfile = "{name}.py"\nclass_name = "{name.capitalize()}"\n'


def test_a_strategy_that_raises_at_every_bar_is_parked_with_the_reason_and_its_siblings_trade_on(
    tmp_path: Path,
) -> None:
    write_strategies(tmp_path, lively_strategies(2) + troublemaker("raises"), raises=RAISES)
    with lively_gateway(tmp_path) as gateway, running_system(tmp_path, gateway) as system:
        delays: list[float] = []
        system.runtime.on_event.append(
            lambda event: delays.append(event.delay) if isinstance(event, happened.ChildRestarting) else None
        )
        system.wait_for_fills(3, "lively-0", "lively-1")
        until(lambda: system.state("strategies/raises") == "parked", PATIENCE, "the strategy parked")
        assert len(delays) == 3
        assert delays == sorted(delays)
        system.wait_for_fills(4, "lively-0", "lively-1")
        summary, _ = system.finish()
        others = [a for a in system.runtime.status() if a.restarts and a.name != "strategies/raises"]
    assert "ZeroDivisionError: no strategy at all" in summary.parked["strategies/raises"]
    assert summary.breaks == 0
    assert not others
    assert {letter.target for letter in system.letters} == {"strategies/raises"}


def test_a_strategy_that_blocks_delays_nobody_and_is_abandoned_at_the_end(tmp_path: Path) -> None:
    release = tmp_path / "release"
    blocks = BLOCKS.replace("{release!r}", repr(str(release)))
    write_strategies(tmp_path, lively_strategies(2) + troublemaker("blocks"), blocks=blocks)
    with lively_gateway(tmp_path) as gateway, running_system(tmp_path, gateway) as system:
        system.wait_for_fills(5, "lively-0", "lively-1")
        assert any(thread.name == "strategies/blocks" for thread in threading.enumerate())
        summary, _ = system.finish()
        assert any(thread.name == "strategies/blocks" for thread in threading.enumerate()), "nobody waited for it"
        release.touch()
    assert summary.abandoned == ("strategies/blocks",)
    assert summary.breaks == 0
    assert summary.fills == summary.fills_stored == summary.gateway_executions
    assert {letter.target for letter in system.letters} <= {"strategies/blocks"}
