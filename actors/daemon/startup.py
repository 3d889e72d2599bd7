"""Waits for the start: until the broker has answered and a strategy can run, or it is known why not."""

import math
import threading
from collections.abc import Callable
from typing import TypeVar

from actors.gateway_process import GatewayUnusable
from actors.messages.strategy_manager import StrategyTable
from actors.operator import Operator
from mats.errors import UserError, say
from mats.ib import UNUSABLE
from mats.runtime import Runtime
from mats.settings import Settings
from mats.store.journal import journal_damage

T = TypeVar("T")


class CannotStart(UserError):
    """Why the daemon cannot start: each argument is one sentence with what to do."""


class _Silent(Exception):
    """Nothing goes further."""


class StopRequested(Exception):
    """The daemon was stopped before it had started."""


USELESS_TO_WAIT = UNUSABLE | {GatewayUnusable.__name__}
"""Names of failures that come again until an operator changes something."""
SAY_SECONDS = 5.0
"""Between two sentences about what can be counted of a start."""


class Startup:
    """One start, from the launch of the tree to the first strategy that can run. `stop` is set to give up.

    However long it takes, as long as something goes further within each `startup_timeout_seconds`. `tell` is called
    with a sentence every few seconds in which something was counted.
    """

    def __init__(
        self,
        runtime: Runtime,
        operator: Operator,
        settings: Settings,
        stop: threading.Event,
        tell: Callable[[str], None] = say,
    ) -> None:
        self._runtime, self._operator, self._settings, self._stop = runtime, operator, settings, stop
        self._tell, self._told_at = tell, runtime.clock.monotonic()
        self._silence = settings.gateway.startup_timeout_seconds

    def wait(self, refresh: Callable[[], None]) -> StrategyTable:
        """Until the broker has answered once and a strategy can run, or has to wait for the store.

        `refresh` is called meanwhile.
        Raises CannotStart where that will not happen, StopRequested where `stop` was set.
        """

        start, operator = self._operator.start, self._operator

        def meanwhile() -> None:
            refresh()
            self._check_alive()
            self._check_progress()

        start.wait_for("the broker's complete answer")
        answered = _wait(operator.wait_for_broker, meanwhile)
        if answered:
            start.wait_for("the strategy table")
        table = _wait(operator.wait_for_strategies, meanwhile) if answered else None
        if self._runtime.escalated.is_set():
            raise CannotStart(escalation(self._runtime, self._settings))
        if not answered:
            raise CannotStart(f"no connection to the gateway within {self._silence:g} s: {self._why_no_broker()}")
        if table is None or (table.refused and not table.loaded):
            raise CannotStart(f"the strategy table was not read from the store within {self._silence:g} s; see the log")
        _require_strategy(table)
        start.wait_for("")
        return table

    def _check_progress(self) -> None:
        """Tell now and then what can be counted; raise where nothing goes further."""
        start, now = self._operator.start, self._runtime.clock.monotonic()
        start.look()
        if start.phase.counted and now - self._told_at >= SAY_SECONDS:
            self._told_at = now
            self._tell(start.phase.counted)
        if start.silence >= self._silence:
            raise _Silent

    def _check_alive(self) -> None:
        """Raise where waiting is useless."""
        if self._stop.is_set():
            raise StopRequested
        for actor in ("brokers/gateway", "brokers/ib-0"):
            name, _, reason = self._last_failure(actor).partition(": ")
            if name in USELESS_TO_WAIT:
                raise CannotStart(reason)

    def _why_no_broker(self) -> str:
        failures = (self._last_failure(name) for name in ("brokers/gateway", "brokers/ib-0"))
        stuck = self._operator.start.phase.counted
        no_failure = "it has not sent its complete state; start the gateway, or correct gateway.host and gateway.port"
        if stuck:
            no_failure = f"nothing went further ({stuck}); see the log"
        return next((text.partition(": ")[2] or text for text in failures if text), no_failure)

    def _last_failure(self, name: str) -> str:
        return next((actor.last_failure for actor in self._runtime.status() if actor.name == name), "")


def _wait(wait: Callable[[float, Callable[[], None] | None], T], meanwhile: Callable[[], None]) -> T:
    """Wait however long something goes further; then it is what there is by then."""
    try:
        return wait(math.inf, meanwhile)
    except _Silent:
        return wait(0.0, None)


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
    """Why the root supervisor gave up; a damaged journal has a remedy."""
    if (damage := journal_damage(settings.data_dir / "journal.db")) is not None:
        return str(damage)
    log = settings.data_dir / "logs" / "mats.log"
    return f"an actor that the daemon cannot run without failed too often: {runtime.escalation}; see {log}"
