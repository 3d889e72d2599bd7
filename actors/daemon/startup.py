"""Waits for the start: until the broker has answered and a strategy can run, or it is known why not."""

import threading
from collections.abc import Callable

from actors.gateway_process import GatewayUnusable
from actors.messages.strategy_manager import StrategyTable
from actors.operator import Operator
from mats.errors import UserError, say
from mats.runtime import Runtime
from mats.settings import Settings


class CannotStart(UserError):
    """Why the daemon cannot start: each argument is one sentence with what to do."""


class StopRequested(Exception):
    """The daemon was stopped before it had started."""


class Startup:
    """One start, from the launch of the tree to the first strategy that can run. `stop` is set to give up."""

    def __init__(self, runtime: Runtime, operator: Operator, settings: Settings, stop: threading.Event) -> None:
        self._runtime, self._operator, self._settings, self._stop = runtime, operator, settings, stop

    def wait(self, refresh: Callable[[], None]) -> StrategyTable:
        """Until the broker has answered once and a strategy can run, or has to wait for the store.

        `refresh` is called meanwhile.
        Raises CannotStart where that will not happen, StopRequested where `stop` was set.
        """

        def meanwhile() -> None:
            refresh()
            self._check_alive()

        timeout = self._settings.gateway.startup_timeout_seconds
        answered = self._operator.wait_for_broker(timeout, meanwhile)
        table = self._operator.wait_for_strategies(timeout, meanwhile) if answered else None
        if self._runtime.escalated.is_set():
            raise CannotStart(escalation(self._runtime, self._settings))
        if not answered:
            raise CannotStart(f"no connection to the gateway within {timeout:g} s: {self._why_no_broker()}")
        if table is None or (table.refused and not table.loaded):
            raise CannotStart(f"the strategy table was not read from the store within {timeout:g} s; see the log")
        _require_strategy(table)
        return table

    def _check_alive(self) -> None:
        """Raise where waiting is useless."""
        if self._stop.is_set():
            raise StopRequested
        name, _, reason = self._last_failure("brokers/gateway").partition(": ")
        if name == GatewayUnusable.__name__:
            raise CannotStart(reason)

    def _why_no_broker(self) -> str:
        failures = (self._last_failure(name) for name in ("brokers/gateway", "brokers/ib-0"))
        no_failure = "it has not sent its complete state; start the gateway, or correct gateway.host and gateway.port"
        return next((text.partition(": ")[2] for text in failures if text), no_failure)

    def _last_failure(self, name: str) -> str:
        return next((actor.last_failure for actor in self._runtime.status() if actor.name == name), "")


def _require_strategy(table: StrategyTable) -> None:
    """Raise where every active strategy has a fault."""
    active = [record.name for record in table.records if record.active]
    if active and all(name in table.faults for name in active):
        raise CannotStart(
            *dict.fromkeys(table.faults.values()),
            "no strategy can run; correct a file, or the table with `mats strategies --load FILE`",
        )


def print_faults(table: StrategyTable) -> None:
    """Each fault once; and that no strategy is active, where that is so."""
    for fault in dict.fromkeys(table.faults.values()):
        say(fault)
    if not table.loaded:
        why = table.away or "the store has not answered yet"
        say(f"{why}; strategies wait for their table, cancels and exits go on")
    elif not any(record.active for record in table.records):
        say("no strategy is active; add one with `mats strategies --load FILE` to trade")


def escalation(runtime: Runtime, settings: Settings) -> str:
    """Why the root supervisor gave up."""
    log = settings.data_dir / "logs" / "mats.log"
    return f"an actor that the daemon cannot run without failed too often: {runtime.escalation}; see {log}"
