"""The start, watched from outside: in the end the broker has answered and a strategy can run, or it is said why not."""

import sys
import threading
from collections.abc import Callable

from actors.gateway_process import GatewayUnusable
from actors.messages.strategy_manager import StrategyTable
from actors.operator import Operator
from mats.errors import UserError
from mats.runtime import Runtime
from mats.settings import Settings


class CannotStart(UserError):
    """Why the daemon cannot go on: each argument is one sentence with the mend."""


class StopAsked(Exception):
    """Somebody wants the daemon to stop that has not started yet."""


class Startup:
    """One start, from the launch of the tree to the first strategy that can run. `stop` is set by who gives up."""

    def __init__(self, runtime: Runtime, operator: Operator, settings: Settings, stop: threading.Event) -> None:
        self._runtime, self._operator, self._settings, self._stop = runtime, operator, settings, stop

    def wait(self, refresh: Callable[[], None]) -> StrategyTable:
        """Until the broker has answered once and a strategy can run; `refresh` is called meanwhile.

        Raises CannotStart where that will not happen, StopAsked where nobody wants it any more.
        """

        def meanwhile() -> None:
            refresh()
            self._require_use()

        patience = self._settings.gateway.startup_timeout_seconds
        answered = self._operator.wait_for_broker(patience, meanwhile)
        table = self._operator.wait_for_strategies(patience, meanwhile) if answered else None
        if self._runtime.escalated.is_set():
            raise CannotStart(escalation(self._runtime, self._settings))
        if not answered:
            raise CannotStart(f"no connection to the gateway within {patience:g} s: {self._why_silent()}")
        if table is None:
            raise CannotStart(f"the store did not hand out the strategy table within {patience:g} s; the log says why")
        _require_strategy(table)
        return table

    def _require_use(self) -> None:
        """What makes waiting useless ends it."""
        if self._stop.is_set():
            raise StopAsked
        name, _, reason = self._last_failure("brokers/gateway").partition(": ")
        if name == GatewayUnusable.__name__:
            raise CannotStart(reason)

    def _why_silent(self) -> str:
        failures = (self._last_failure(name) for name in ("brokers/gateway", "brokers/ib-0"))
        silent = "it has not answered completely; start the gateway, or correct gateway.host and gateway.port"
        return next((text.partition(": ")[2] for text in failures if text), silent)

    def _last_failure(self, name: str) -> str:
        return next((actor.last_failure for actor in self._runtime.status() if actor.name == name), "")


def _require_strategy(table: StrategyTable) -> None:
    """Where every active strategy is at fault, nothing can run."""
    active = [record.name for record in table.records if record.active]
    if active and all(name in table.faults for name in active):
        raise CannotStart(
            *dict.fromkeys(table.faults.values()),
            "no strategy can run; mend a file, or the table with `mats strategies --load FILE`",
        )


def tell_faults(table: StrategyTable) -> None:
    """Each fault once; and that there is nothing to run, where the table is empty."""
    for fault in dict.fromkeys(table.faults.values()):
        print(f"mats: {fault}", file=sys.stderr)
    if not any(record.active for record in table.records):
        print("mats: no strategy is active; add one with `mats strategies --load FILE` to trade", file=sys.stderr)


def escalation(runtime: Runtime, settings: Settings) -> str:
    """Why the root supervisor gave up."""
    log = settings.data_dir / "logs" / "mats.log"
    return f"a part that everything else needs failed again and again: {runtime.escalation}; {log} says more"
