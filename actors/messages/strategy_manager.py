"""Messages handled and sent by the strategy manager."""

import msgspec

from mats.model import StrategyName, StrategyRecord
from mats.runtime import Question


class StartStrategy(msgspec.Struct, frozen=True):
    """Start a strategy of the table, or one that was stopped or parked."""

    strategy: StrategyName


class StopStrategy(msgspec.Struct, frozen=True):
    """Stop a strategy in order; its orders and positions stay as they are."""

    strategy: StrategyName


class ParkStrategy(msgspec.Struct, frozen=True):
    """Stop a strategy and keep it down until an operator starts it again."""

    strategy: StrategyName
    reason: str


class StrategyTable(msgspec.Struct, frozen=True):
    """The records, which of them run, and why the others cannot; `loaded` once the store has sent them.

    `loading` are those whose file is being read; `waiting` says of those that do not trade yet what they wait for.
    `refused` says why the table as it is stored now is not in force; `away`
    that the store has not answered, and why: then the records are those that were read last.
    """

    records: tuple[StrategyRecord, ...]
    running: frozenset[StrategyName]
    faults: dict[StrategyName, str]
    loaded: bool
    refused: str = ""
    loading: frozenset[StrategyName] = frozenset()
    away: str = ""
    waiting: dict[StrategyName, str] = {}


class ReadStrategies(Question[StrategyTable], frozen=True):
    """Asks for the strategy table in force."""
