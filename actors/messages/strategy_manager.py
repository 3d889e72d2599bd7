"""What the strategy manager understands and says."""

import msgspec

from mats.model import StrategyName, StrategyRecord


class StartStrategy(msgspec.Struct, frozen=True):
    """Start a strategy of the table, or one that was stopped or parked."""

    strategy: StrategyName


class StopStrategy(msgspec.Struct, frozen=True):
    """Stop a strategy in order; its orders and positions stay as they are."""

    strategy: StrategyName


class ParkStrategy(msgspec.Struct, frozen=True):
    """Take a strategy down until somebody starts it again."""

    strategy: StrategyName
    reason: str


class ReadStrategies(msgspec.Struct, frozen=True):
    """Asks for `StrategyTable`."""


class StrategyTable(msgspec.Struct, frozen=True):
    """The records, which of them run, and why those that cannot do not; `loaded` once the store has handed them out.

    `refused` says why the table as it is stored now is not the one that holds.
    """

    records: tuple[StrategyRecord, ...]
    running: frozenset[StrategyName]
    faults: dict[StrategyName, str]
    loaded: bool
    refused: str = ""
