"""Starting and stopping a strategy by command, and whether it happened in time."""

from actors.operator.operator import Operator
from actors.operator.queries import CommandRefused
from mats.model import StrategyName
from mats.operator import protocol
from mats.runtime import Runtime

STRATEGY_SECONDS = 10.0


class StrategyControl:
    """One command; made for each."""

    def __init__(self, runtime: Runtime, operator: Operator) -> None:
        self._runtime, self._operator, self._queries = runtime, operator, operator.queries

    def start(self, strategy: StrategyName) -> protocol.BaseResponse:
        if strategy not in {record.name for record in self._queries.table().records}:
            raise CommandRefused(f"general/strategies has no {strategy}; add it with `mats strategies --load FILE`")
        if strategy in self._queries.table().running:
            raise CommandRefused(f"{strategy} is running already")
        self._operator.start_strategy(strategy)
        self._operator.until(lambda: self._settled(strategy), STRATEGY_SECONDS)
        table = self._queries.table()
        if strategy in table.faults:
            raise CommandRefused(table.faults[strategy])
        if strategy not in table.running:
            raise CommandRefused(f"{strategy} is not running after {STRATEGY_SECONDS:g} s: {self._state(strategy)}")
        return protocol.Done(text=f"{strategy} is running")

    def _settled(self, strategy: StrategyName) -> bool:
        table = self._queries.table()
        return strategy in table.running or strategy in table.faults

    def stop(self, strategy: StrategyName) -> protocol.BaseResponse:
        self._queries.strategies(strategy)
        if strategy not in self._queries.table().running:
            raise CommandRefused(f"{strategy} is not running: {self._state(strategy)}")
        self._operator.stop_strategy(strategy)
        if not self._operator.until(lambda: self._state(strategy) == "stopped", STRATEGY_SECONDS):
            raise CommandRefused(f"{strategy} has not stopped within {STRATEGY_SECONDS:g} s: {self._state(strategy)}")
        return protocol.Done(text=f"{strategy} has stopped; its orders and positions are unchanged")

    def _state(self, strategy: StrategyName) -> str:
        found = [actor for actor in self._runtime.status() if actor.name == f"strategies/{strategy}"]
        if not found:
            return "it was never started"
        return ": ".join(part for part in (found[0].state, found[0].parked or found[0].last_failure) if part)
