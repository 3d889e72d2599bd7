"""What the persistence writer understands and says."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mats.model.orders import AccountId, StrategyName
from mats.runtime import Ref
from mats.strategy.record import StrategyRecord


class SeedStrategies(msgspec.Struct, frozen=True):
    """Add the records that `general/strategies` lacks; answered by `StrategiesRead` with the whole table."""

    records: tuple[StrategyRecord, ...]
    reply_to: Ref


class StrategiesRead(msgspec.Struct, frozen=True):
    """The strategy table as it is stored."""

    records: tuple[StrategyRecord, ...]


class ReadEquities(msgspec.Struct, frozen=True):
    """Asks for the explicit equities of strategies in accounts; answered by `EquitiesRead`."""

    places: tuple[tuple[AccountId, StrategyName], ...]
    reply_to: Ref


class EquitiesRead(msgspec.Struct, frozen=True):
    """The explicit equities, in the base currency; a strategy that has none is left out."""

    equities: Mapping[StrategyName, Decimal]


class Republish(msgspec.Struct, frozen=True):
    """The store (re)started and may lack what was on its way to it: tell it again."""


class ReadStored(msgspec.Struct, frozen=True):
    """Asks how many executions are in the library `fills`, over all accounts."""
