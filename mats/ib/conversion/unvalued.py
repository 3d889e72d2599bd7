"""Reports of contracts whose details are not known: what a unit is worth is not in them, and is not guessed."""

from typing import TypeVar

from msgspec.structs import replace

from mats.instruments import InstrumentRegistry
from mats.model import BrokerPosition, Execution

R = TypeVar("R", Execution, BrokerPosition)


def is_valued(report: Execution | BrokerPosition) -> bool:
    """Whether it is known what a unit at a price of 1 is worth."""
    return not report.multiplier.is_nan()


def valued(report: R, registry: InstrumentRegistry) -> R:
    """The report with what a unit is worth, where the details of its contract are known by now."""
    terms = None if is_valued(report) else registry.terms(report.con_id)
    return report if terms is None else replace(report, multiplier=terms.unit_value)


class UnvaluedExecutions:
    """Executions that wait for the details of their contracts, by contract id."""

    def __init__(self, registry: InstrumentRegistry) -> None:
        self._registry = registry
        self._waiting: dict[int, dict[str, Execution]] = {}

    def add(self, execution: Execution) -> bool:
        """Let it wait; whether it is the first one of its contract."""
        waiting = self._waiting.setdefault(execution.con_id, {})
        waiting[execution.exec_id] = execution
        return len(waiting) == 1

    def valued(self, con_id: int) -> tuple[Execution, ...]:
        """Those of a contract, as far as is known now; those of which it is known what they are worth wait no more."""
        found = tuple(valued(execution, self._registry) for execution in self._waiting.get(con_id, {}).values())
        if all(map(is_valued, found)):
            self._waiting.pop(con_id, None)
        return found
