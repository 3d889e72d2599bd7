"""Messages handled and sent by the persistence writer."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mats.model import AccountId, StrategyName, StrategyRecord
from mats.runtime import Question, Ref


class StrategiesRead(msgspec.Struct, frozen=True):
    """The strategy table as it is stored; with a `fault` it could not be read, and there are no records."""

    records: tuple[StrategyRecord, ...]
    fault: str = ""


class SeedStrategies(msgspec.Struct, frozen=True):
    """Add the records that `general/strategies` lacks; answered by `StrategiesRead` with the whole table."""

    records: tuple[StrategyRecord, ...]
    reply_to: Ref[StrategiesRead]


class ReadTable(msgspec.Struct, frozen=True):
    """Asks for the strategy table as it is now; answered by `StrategiesRead`."""

    reply_to: Ref[StrategiesRead]


class EquitiesRead(msgspec.Struct, frozen=True):
    """The explicit equities, in the base currency; a strategy that has none is left out.

    `faults` say by strategy why one could not be read.
    """

    equities: Mapping[StrategyName, Decimal]
    faults: Mapping[StrategyName, str] = {}


class ReadEquities(msgspec.Struct, frozen=True):
    """Asks for the explicit equities of strategies in accounts; answered by `EquitiesRead`."""

    places: tuple[tuple[AccountId, StrategyName], ...]
    reply_to: Ref[EquitiesRead]


class SetEquity(Question[str], frozen=True, kw_only=True):
    """Asks to give a strategy an explicit equity in the base currency; with None its target weight applies again.

    Answered by the rows that could not be stored, as text; empty when it is stored.
    """

    account: AccountId
    strategy: StrategyName
    equity: Decimal | None


class ReadStored(Question[int], frozen=True):
    """Asks how many executions are in the library `fills`, over all accounts."""
